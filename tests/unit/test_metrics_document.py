"""docs/metrics.md and the endpoint say the same."""

import re
from pathlib import Path

from prometheus_client import REGISTRY, generate_latest
from prometheus_client.metrics import MetricWrapperBase

from harvester import metrics

DOCUMENT = (Path(__file__).parents[2] / "docs/metrics.md").read_text()
ROW = re.compile(r"^\| `(harvester_\w+)` \| (\w+) \| ([\w, ]*) ?\|", re.MULTILINE)


def documented() -> dict[str, tuple[str, list[str]]]:
    return {
        name: (kind, labels.split(", ") if labels.strip() else [])
        for name, kind, labels in (
            (found[1], found[2], found[3].strip()) for found in ROW.finditer(DOCUMENT)
        )
    }


def ours() -> dict[str, MetricWrapperBase]:
    """All metric objects by the name of their samples."""
    found = [each for each in vars(metrics).values() if isinstance(each, MetricWrapperBase)]
    return {_name(each): each for each in found}


def _name(metric: MetricWrapperBase) -> str:
    [family] = metric.describe()
    return family.name + {"counter": "_total", "info": "_info"}.get(family.type, "")


def test_each_metric_is_documented_with_its_type() -> None:
    shown = re.findall(r"^# TYPE (harvester_\w+) (\w+)$", generate_latest().decode(), re.MULTILINE)
    assert {name: kind for name, (kind, _) in documented().items()} == dict(shown)


def test_each_metric_is_documented_with_its_labels() -> None:
    told = {name: tuple(labels) for name, (_, labels) in documented().items()}
    del told["harvester_build_info"]  # its labels are its value
    assert told == {name: each._labelnames for name, each in ours().items() if name in told}


def test_the_values_of_labels_are_documented() -> None:
    known = [
        *metrics.GRANTS,
        *metrics.TOKEN_REASONS,
        *metrics.OUTCOMES,
        *metrics.ACCOUNT_STATES,
        *metrics.FEED_STATES,
        *metrics.JOB_OUTCOMES,
        *metrics.WINDOW_OUTCOMES,
        *metrics.STORE_PATHS,
        *metrics.TASK_REPORT_OUTCOMES,
    ]
    assert [value for value in known if f"`{value}`" not in DOCUMENT] == []


def test_no_series_has_a_label_for_devices_or_users() -> None:
    labels = {
        label
        for family in REGISTRY.collect()
        for sample in family.samples
        for label in sample.labels
    }
    assert labels.isdisjoint({"device", "user", "account", "channel", "feed"})
