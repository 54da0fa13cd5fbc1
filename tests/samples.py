"""Samples as platforms say them, and what became of them."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from harvester.channels import (
    normalize,
)
from harvester.model import (
    Normalized,
    Reading,
    Rejection,
    Sample,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
THEN = NOW - timedelta(minutes=5)
MICROSECOND = timedelta(microseconds=1)
PARTS = ("x", "y", "z", "lat", "latitude", "lon", "lng", "long", "longitude", "alt", "altitude")


def of(value: object, reading_id: str = "", instant: datetime | None = THEN) -> Sample:
    return Sample("dev", "chan", instant, value, reading_id, stated_instant="as stated")


def kept(*samples: Sample) -> list[tuple[str, float | str]]:
    """Channels and values of the readings, where nothing is rejected."""
    result = normalize(samples, NOW)
    assert result.rejections == []
    return [(reading.channel, reading.value) for reading in result.readings]


def refused(*samples: Sample) -> list[Rejection]:
    """The rejections, where there is no reading."""
    result = normalize(samples, NOW)
    assert result.readings == []
    return result.rejections


def counted(result: Normalized) -> tuple[Counter[Reading], Counter[Rejection], int]:
    return Counter(result.readings), Counter(result.rejections), result.repeated
