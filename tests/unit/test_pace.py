"""Whether a fleet can be polled in time: told as soon as it is known, and until it is so."""

from datetime import timedelta
from typing import Any

import pytest
import structlog
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from harvester.harvest.pace import ENOUGH, Pace
from harvester.logs import Failures

RETENTION = timedelta(seconds=120)


class _Work:
    tenant, stream = "acme", "readings"


@pytest.fixture
def pace() -> Pace:
    work: Any = _Work()
    return Pace(work, RETENTION, 8, Failures(structlog.stdlib.get_logger(__name__)))


def measured(name: str) -> float | None:
    return REGISTRY.get_sample_value(name, {"tenant": "acme", "stream": "readings"})


def test_a_fleet_that_takes_too_long_is_told_once_with_what_would_help(pace: Pace) -> None:
    with capture_logs() as logs:
        for _ in range(ENOUGH):
            pace.answered(0.5)
        pace.look(640)
        assert logs == [], "640 devices x 0.5 s / 8 at once is 40 s, and 40 s is a third"
        pace.look(656)
        pace.look(656)
    [told] = logs
    assert (told["reason"], told["feeds"]) == ("too slow", 656)
    assert (told["needs_seconds"], told["limit_seconds"]) == (41, 40)
    assert 'ingest = "websocket"' in told["help"]
    assert measured("harvester_sweep_seconds") == 41
    assert measured("harvester_retention_seconds") == 120


def test_a_few_slow_answers_are_no_reason_to_worry(pace: Pace) -> None:
    with capture_logs() as logs:
        for _ in range(ENOUGH - 1):
            pace.answered(60)
        pace.look(1000)
    assert logs == []


def test_a_small_fleet_is_judged_by_as_many_answers_as_it_gives(pace: Pace) -> None:
    with capture_logs() as logs:
        pace.answered(330)
        pace.look(1)
        for _ in range(60):
            pace.answered(1)
        pace.look(1)
    assert [each["event"] for each in logs] == ["failing", "well again"]
