"""Where what was pulled goes: into the database at once, or into memory until it is there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

import structlog

from harvester import metrics, windows
from harvester.errors import Fenced, StoreError, StoreUnavailable
from harvester.logs import Failures
from harvester.model import Normalized, Reading, Rejection, Stream, TaskReport
from harvester.storable import shown
from harvester.store import feeds
from harvester.store.leases import Lease
from harvester.store.writer import Batch, Writer

if TYPE_CHECKING:
    from harvester.store.pool import Pool

MOST_HELD = 50_000
"""Readings, rejections and reports that wait for the database, or as many times GRAIN bytes: some
20 MB."""
GRAIN = 250
"""Bytes of a text or a report that are counted as a reading more."""
AT_ONCE = 500
"""Feeds that are handed to the writer together."""

_log = structlog.stdlib.get_logger(__name__)


class Outlet(Protocol):
    """Takes what a pull brought, or why it brought nothing."""

    async def write(self, batch: Batch) -> None:
        """Raises Fenced, StoreUnavailable, StoreError (this batch is refused)."""

    async def failed(self, feed_id: int, failure: str, now: datetime) -> None:
        """Raises Fenced, StoreUnavailable."""


@dataclass(frozen=True, slots=True)
class Straight:
    """Into the database; both return when it is there."""

    pool: Pool
    writer: Writer
    lease: Lease

    async def write(self, batch: Batch) -> None:
        await self.writer.write(self.lease, batch)

    async def failed(self, feed_id: int, failure: str, now: datetime) -> None:
        await feeds.failed(self.pool, self.lease, feed_id, failure, now)


@dataclass(slots=True)
class _Held:
    """What waits of one feed, in the order in which it was pulled, and each thing once."""

    batches: list[Batch] = field(default_factory=list)
    readings: dict[tuple[str, str, datetime], float | str] = field(default_factory=dict)
    rejections: set[Rejection] = field(default_factory=set)
    reports: dict[str, TaskReport] = field(default_factory=dict)
    failure: tuple[str, datetime] | None = None
    writing: bool = False
    size: int = 0

    def take(self, batch: Batch) -> int:
        """How much more waits now."""
        said = self._new(batch.said)
        more = _size(said)
        if batch.covers:
            self.failure = None
        batch = replace(batch, said=said)
        if more == 0 and self._goes_on(batch):
            return 0
        self.batches.append(batch)
        self.size += more + 1
        return more + 1

    def refuse(self) -> None:
        """The database does not take the first: what waits behind leaves out what it said, and so
        covers nothing."""
        for known in (self.readings, self.rejections, self.reports):
            known.clear()
        self.batches[1:] = [replace(batch, covers=None) for batch in self.batches[1:]]

    def _new(self, said: Normalized) -> Normalized:
        """What does not wait already: a cache that is pulled again and again repeats itself."""
        readings = [each for each in said.readings if self.readings.get(_key(each)) != each.value]
        reports = [each for each in said.reports if self._is_news(each)]
        rejections = [each for each in said.rejections if each not in self.rejections]
        self.readings |= {_key(each): each.value for each in readings}
        self.rejections |= set(rejections)
        known = len(said.readings) - len(readings) + len(said.rejections) - len(rejections)
        return Normalized(readings, rejections, said.repeated + known, reports)

    def _is_news(self, report: TaskReport) -> bool:
        known = self.reports.get(report.identity)
        self.reports[report.identity] = report
        return report != known

    def _goes_on(self, batch: Batch) -> bool:
        """Let the last batch cover what this one does, if nothing lies between them."""
        if not self.batches or (self.writing and len(self.batches) == 1):
            return False
        last = self.batches[-1]
        if not (batch.window and last.window and batch.covers and last.covers):
            return False
        spans = windows.union([last.window, batch.window])
        if len(spans) > 1:
            return False
        repeated = last.said.repeated + batch.said.repeated
        said = replace(last.said, repeated=repeated)
        self.batches[-1] = replace(batch, window=spans[0], said=said)
        return True


def _size(said: Normalized) -> int:
    texts = sum(len(each.value) for each in said.readings if isinstance(each.value, str))
    texts += sum(len(each.value) for each in said.rejections)
    texts += sum(len(repr(each)) for each in said.reports)
    return len(said.readings) + len(said.rejections) + len(said.reports) + texts // GRAIN


def _key(reading: Reading) -> tuple[str, str, datetime]:
    return reading.device, reading.channel, reading.instant


class Backlog:
    """Takes at once, and brings it into the database when it is told to.

    What does not fit is dropped, of the feed that waits longest: it stays missing, and is lost if
    it cannot be pulled again in time.
    """

    def __init__(self, tenant: str, stream: Stream, pool: Pool, writer: Writer) -> None:
        self._of = tenant, stream
        self._pool = pool
        self._writer = writer
        self._failures = Failures(_log)
        self._held: dict[int, _Held] = {}
        self._gaps: set[int] = set()
        """Feeds of which something was let go. What came just before it is told the next time: a
        subscription's first batch after it may cover what is gone."""
        self._size = 0

    async def write(self, batch: Batch) -> None:
        if batch.feed_id in self._gaps:
            self._gaps.remove(batch.feed_id)
            batch = replace(batch, covers=None)
        more = self._held.setdefault(batch.feed_id, _Held()).take(batch)
        self._grow(more)
        while self._size > MOST_HELD:
            self._drop()

    def has_room(self, batch: Batch) -> bool:
        """Whether nothing must be dropped for it."""
        return self._size + _size(batch.said) < MOST_HELD

    async def failed(self, feed_id: int, failure: str, now: datetime) -> None:
        self._held.setdefault(feed_id, _Held()).failure = failure, now

    async def drain(self, lease: Lease) -> None:
        """Return when all of it is in the database; what is refused there is told of its feed.

        Raises Fenced (nothing waits any more: another instance pulls), StoreUnavailable (what is
        not in the database still waits).
        """
        try:
            while some := list(self._held)[:AT_ONCE]:
                await _together(self._bring(lease, feed_id) for feed_id in some)
        except Fenced:
            self._clear()
            raise
        self._failures.well(f"{' '.join(self._of)} backlog")

    def abandon(self) -> None:
        """Give up what waits, at the end of the work: it stays missing."""
        if self._held:
            _log.warning("never came into the database", of=" ".join(self._of), waited=self._size)
        self._clear()

    def _clear(self) -> None:
        self._gaps.update(self._held)
        self._held.clear()
        self._grow(-self._size)

    async def _bring(self, lease: Lease, feed_id: int) -> None:
        held = self._held.get(feed_id)
        if held is None:  # dropped since
            return
        held.writing = True
        try:
            while held.batches:
                await self._write(lease, held)
            if failure := held.failure:
                await feeds.failed(self._pool, lease, feed_id, *failure)
        finally:
            held.writing = False
        if self._held.get(feed_id) is held and not held.batches:
            del self._held[feed_id]
            self._grow(-held.size)

    async def _write(self, lease: Lease, held: _Held) -> None:
        batch = held.batches[0]
        try:
            await self._writer.write(lease, batch)
        except (Fenced, StoreUnavailable):
            raise
        except StoreError as error:
            held.failure = shown(f"store: {error}"), batch.pulled_at
            held.refuse()
            self._gaps.add(batch.feed_id)
        held.batches.pop(0)
        done = _size(batch.said) + 1
        held.size -= done
        if self._held.get(batch.feed_id) is held:  # else it was dropped meanwhile, and counted
            self._grow(-done)

    def _drop(self) -> None:
        feed_id = next(iter(self._held))
        held = self._held.pop(feed_id)
        self._gaps.add(feed_id)
        self._grow(-held.size)
        metrics.BACKLOG_DROPPED.labels(*self._of).inc(held.size)
        what = f"{' '.join(self._of)} backlog"
        self._failures.failing(what, "full", most=MOST_HELD, dropped="of the feeds waiting longest")

    def _grow(self, by: int) -> None:
        self._size += by
        metrics.BACKLOG.labels(*self._of).set(self._size)


class Flowing:
    """The backlog while the database is there: a sweep that brings more than fits waits for it."""

    def __init__(self, backlog: Backlog, drain: Callable[[], Awaitable[None]]) -> None:
        self._backlog = backlog
        self._drain = drain
        self._turn = asyncio.Lock()
        self._flows = True

    async def write(self, batch: Batch) -> None:
        async with self._turn:
            if self._flows and not self._backlog.has_room(batch):
                try:
                    await self._drain()
                except StoreUnavailable:
                    self._flows = False  # told at the end of the sweep, which goes on
            await self._backlog.write(batch)

    async def failed(self, feed_id: int, failure: str, now: datetime) -> None:
        await self._backlog.failed(feed_id, failure, now)


async def _together(work: Iterable[Coroutine[None, None, None]]) -> None:
    """All of it, whatever becomes of one; then the first error."""
    for result in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
