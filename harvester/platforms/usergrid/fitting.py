"""Whether a tenant's settings fit what is there: what they cannot read must not pass for read."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from harvester.errors import Malformed
from harvester.model import Sample
from harvester.platforms.usergrid.entities import samples
from harvester.platforms.usergrid.sources import Source
from harvester.storable import EARLIEST

FEWEST = 10
"""Entities of a window that are no accident."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_IN_SECONDS = _EPOCH + (EARLIEST - _EPOCH) / 1000
"""From then on to EARLIEST lie seconds that were taken for milliseconds. A clock that was never set
shows less."""


class Fitting:
    """Reads the entities of one window, and counts what could be made of them."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._entities = self._dated = self._named = 0

    def samples(self, entities: Sequence[object]) -> Iterator[Sample]:
        for entity in entities:
            read = samples(entity, self._source.reading, self._source.device)
            for number, sample in enumerate(read):
                if number == 0:
                    self._count(sample)
                yield sample

    def check(self) -> None:
        """Raises Malformed where not one of many has an instant, or a device."""
        if self._entities < FEWEST:
            return
        reading = self._source.reading
        if not self._dated:
            settings = "readings.time and readings.time_unit"
            raise self._misfit(f"instant in {reading.time!r} ({reading.time_unit})", settings)
        if not self._named:
            raise self._misfit(f"device in {reading.device!r}", "readings.device")

    def _count(self, sample: Sample) -> None:
        at = sample.instant
        self._entities += 1
        self._dated += at is not None and not _IN_SECONDS <= at < EARLIEST
        self._named += bool(sample.device)

    def _misfit(self, lacking: str, settings: str) -> Malformed:
        count, path = self._entities, self._source.path
        return Malformed(f"{path}: none of {count} entities has its {lacking}: check {settings}")
