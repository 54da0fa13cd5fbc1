"""Series are there from the start, at zero, and go with their tenant."""

import re
from collections.abc import Iterator
from typing import get_args

import pytest
from prometheus_client import REGISTRY, generate_latest

from harvester import metrics
from harvester.model import Stream


@pytest.fixture
def tenant() -> Iterator[str]:
    metrics.expect("acme-metrics", "mydevices")
    yield "acme-metrics"
    metrics.forget("acme-metrics")


def series(tenant: str) -> list[str]:
    lines = generate_latest().decode().splitlines()
    return [line for line in lines if f'tenant="{tenant}"' in line]


def test_what_may_fail_is_at_zero_before_it_does(tenant: str) -> None:
    assert {line.rpartition(" ")[2] for line in series(tenant)} == {"0.0"}
    labels = {"tenant": tenant, "platform": "mydevices"}
    failure = labels | {"grant": "password", "reason": "bad_credentials"}
    assert REGISTRY.get_sample_value("harvester_token_failures_total", failure) == 0
    assert REGISTRY.get_sample_value("harvester_requests_total", labels | {"outcome": "ok"}) == 0
    for stream in get_args(Stream):
        window = {"tenant": tenant, "stream": stream, "outcome": "failed"}
        assert REGISTRY.get_sample_value("harvester_windows_total", window) == 0
        of = {"tenant": tenant, "stream": stream}
        assert REGISTRY.get_sample_value("harvester_backlog_dropped_total", of) == 0


def test_a_success_that_never_was_has_no_date_and_no_token_has_an_end(tenant: str) -> None:
    unknown = re.compile("last_success|_remaining_seconds|logins_left")
    assert [line for line in series(tenant) if unknown.search(line)] == []


def test_an_expected_count_is_kept(tenant: str) -> None:
    metrics.READINGS_STORED.labels(tenant).inc(3)
    metrics.expect(tenant, "mydevices")
    assert f'harvester_readings_stored_total{{tenant="{tenant}"}} 3.0' in series(tenant)


def test_a_forgotten_tenant_leaves_no_series_and_others_theirs(tenant: str) -> None:
    metrics.expect("other-metrics", "mydevices")
    metrics.LAST_SUCCESS.labels("other-metrics", "readings").set(1)
    for gauge in (metrics.ACCESS_REMAINING, metrics.SESSION_REMAINING, metrics.LOGINS_LEFT):
        gauge.labels("other-metrics", "mydevices").set(1)
    metrics.forget("other-metrics")
    assert series("other-metrics") == []
    assert series(tenant)


def test_the_build_tells_its_version() -> None:
    [line] = [
        each for each in generate_latest().decode().splitlines() if "harvester_build_info{" in each
    ]
    assert 'version="' in line
    assert line.endswith(" 1.0")


def test_names_follow_the_rules_of_prometheus() -> None:
    ours = [metric for metric in REGISTRY.collect() if metric.name.startswith("harvester_")]
    samples = {sample.name for metric in ours for sample in metric.samples}
    assert not [name for name in samples if name.endswith("_created")]
    for metric in ours:
        if metric.type == "counter":
            assert {sample.name for sample in metric.samples} <= {f"{metric.name}_total"}
        assert metric.documentation
