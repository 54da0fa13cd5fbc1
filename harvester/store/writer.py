"""Finished windows into rows and coverage: one transaction for all that wait, a tenant at a time.

While one group commits the next one gathers, so groups grow with the load and nobody waits for a
timer. Within a group, numbers of time never pulled before are copied straight into the table. All
else goes the checked way, which compares with what is there, at two to three times the cost.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import asyncpg

from harvester import metrics
from harvester.errors import StoreError, StoreUnavailable
from harvester.model import Counts, Normalized, Reading, Rejection, TaskReport, Window
from harvester.store import feeds, task_reports
from harvester.store.catalog import Ids, SeriesKey
from harvester.store.leases import Lease, writing
from harvester.store.partitions import Partitions
from harvester.store.rows import Rows, write
from harvester.store.task_reports import Seen

if TYPE_CHECKING:
    from harvester.store.pool import Pool

GROUP = 20_000
"""Rows of a group, about: a single batch may have more."""

# What was pulled of a feed that was moved meanwhile is not covered before its history began anew.
_COVERED = """
update harvester_data.coverage c
set pulled = c.pulled + gained.pulled * tstzmultirange(tstzrange(c.kept_since, null)),
    lost = c.lost - gained.pulled * tstzmultirange(tstzrange(c.kept_since, null)),
    settled = c.settled + gained.settled * tstzmultirange(tstzrange(c.kept_since, null)),
    looked_at = case when gained.looked then gained.pulled_at
                     else least(c.looked_at, gained.pulled_at) end
from (
    select feed_id,
           range_agg(tstzrange(since, until)) as pulled,
           range_agg(tstzrange(since, greatest(since, least(until, settled_before)))) as settled,
           bool_or(looked) as looked,
           max(pulled_at) as pulled_at
    from unnest($1::int[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[],
                $5::timestamptz[], $6::boolean[])
         as w(feed_id, since, until, settled_before, pulled_at, looked)
    group by feed_id
) gained
where c.feed_id = gained.feed_id
"""

_MENDED = """
update harvester_data.feed set failing_since = null, failure = null
where feed_id = any ($1::int[]) and failure is not null
"""


@dataclass(frozen=True, slots=True)
class Covers:
    """What a feed's coverage gains with the last rows of a window.

    What of the window lies before `settled_before` is settled. `looked`: with it, all looks that
    were due are done.
    """

    settled_before: datetime
    looked: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """What one window of a feed said, or a part of it.

    `fresh`: the window was never pulled, and no other feed serves its devices. `covers` comes
    with the last batch of a window. What was not asked of a window covers none.
    """

    feed_id: int
    window: Window | None
    fresh: bool
    said: Normalized
    pulled_at: datetime
    covers: Covers | None


@dataclass(slots=True, eq=False)
class _Waiting:
    batch: Batch
    done: bool = False
    error: StoreError | None = None


class Writer:
    """The one way into the database for a tenant's readings and reports of tasks."""

    def __init__(self, pool: Pool, tenant: str, ids: Ids, partitions: Partitions) -> None:
        self._pool = pool
        self._tenant = tenant
        self._ids = ids
        self._partitions = partitions
        self.commits = 0
        self._queue: list[_Waiting] = []
        self._turn = asyncio.Lock()

    async def write(self, lease: Lease, batch: Batch) -> None:
        """Return when the batch is committed.

        Raises Fenced, StoreUnavailable (nothing is known of the commit, and writing again is
        safe), StoreError (the database refuses this very batch).
        """
        waiting = _Waiting(batch)
        self._queue.append(waiting)
        try:
            async with self._turn:
                while not waiting.done:
                    await self._commit(lease, self._next_group())
        finally:
            if waiting in self._queue:  # cancelled before its turn
                self._queue.remove(waiting)
        if waiting.error:
            raise waiting.error

    def _next_group(self) -> list[_Waiting]:
        size = count = 0
        while count < len(self._queue) and size < GROUP:
            said = self._queue[count].batch.said
            size += len(said.readings) + len(said.rejections) + len(said.reports)
            count += 1
        group, self._queue = self._queue[:count], self._queue[count:]
        return group

    async def _commit(self, lease: Lease, group: list[_Waiting]) -> None:
        try:
            await self._try(lease, group)
        finally:
            # Cancelled: the others are not to blame, and wait for the next turn.
            self._queue[:0] = [waiting for waiting in group if not waiting.done]

    async def _try(self, lease: Lease, group: list[_Waiting]) -> None:
        try:
            await self._commit_together(lease, [waiting.batch for waiting in group])
        except StoreError as error:
            if isinstance(error, StoreUnavailable):
                self._ids.forget()
                self._partitions.forget()
            _finish(group, error)
        except asyncpg.PostgresError as error:
            if len(group) > 1:
                # A batch that the database refuses must not take the others with it.
                for waiting in group:
                    await self._try(lease, [waiting])
            else:
                refused = f"the database refuses {type(error).__name__}: {error}"
                _finish(group, StoreError(refused))
        else:
            _finish(group, None)

    async def _commit_together(self, lease: Lease, batches: list[Batch]) -> None:
        with metrics.STORE_DURATION.labels(self._tenant).time():
            try:
                counts, path, reports = await self._transact(lease, batches)
            except asyncpg.CheckViolationError:
                # A partition that we knew of is gone: somebody dropped an old one.
                self._partitions.forget()
                counts, path, reports = await self._transact(lease, batches)
        self.commits += 1
        metrics.STORE_GROUPS.labels(self._tenant, path).inc()
        _count(self._tenant, counts)
        task_reports.count(self._tenant, reports)

    async def _transact(
        self, lease: Lease, batches: list[Batch]
    ) -> tuple[Counts, str, Counter[str]]:
        rows = await self._resolve(lease, batches)
        seen = await self._seen(lease, batches, rows)
        await self._partitions.ensure(rows.days())
        async with writing(self._pool, lease) as connection:
            counts, path = await write(connection, rows)
            covered = [
                _covered(batch, batch.window, batch.covers)
                for batch in batches
                if batch.window and batch.covers
            ]
            columns = [list(column) for column in zip(*covered, strict=True)] or [[]] * 6
            await feeds.in_turn(connection, columns[0])
            await connection.execute(_COVERED, *columns)
            await connection.execute(_MENDED, columns[0])
            reports = await task_reports.write(connection, lease.tenant_id, seen)
        return counts, path, reports

    async def _resolve(self, lease: Lease, batches: list[Batch]) -> Rows:
        ids = await self._series(lease, batches)
        rows = Rows()
        for batch in batches:
            beyond = list(rows.add(batch.said.readings, ids, batch.window if batch.fresh else None))
            rejections = batch.said.rejections + [_too_many(reading) for reading in beyond]
            rows.rejected += [(batch.feed_id, r, batch.pulled_at) for r in rejections]
            rows.unchanged += batch.said.repeated
        return rows

    async def _series(self, lease: Lease, batches: list[Batch]) -> dict[tuple[str, str], SeriesKey]:
        """The ids of all series that are named; whose devices their feeds serve from then on."""
        named: defaultdict[int, set[tuple[str, str]]] = defaultdict(set)
        for batch in batches:
            named[batch.feed_id] |= {(r.device, r.channel) for r in batch.said.readings}
        ids = await self._ids.series(lease, set().union(*named.values()), batches[0].pulled_at)
        served = {
            feed_id: {ids[each][0] for each in said if each in ids}
            for feed_id, said in named.items()
        }
        await self._ids.serve(lease, served)
        return ids

    async def _seen(self, lease: Lease, batches: list[Batch], rows: Rows) -> list[Seen]:
        """The reports of tasks; those of a device beyond the cap are rejected."""
        said = [(batch, report) for batch in batches for report in batch.said.reports]
        named = {report.device for _, report in said if report.device is not None}
        ids = await self._ids.devices(lease, named, batches[0].pulled_at)
        seen = []
        for batch, report in said:
            if report.device is not None and report.device not in ids:
                rows.rejected.append((batch.feed_id, _beyond(report), batch.pulled_at))
                continue
            device_id = None if report.device is None else ids[report.device]
            seen.append(Seen(report, batch.feed_id, device_id, batch.pulled_at))
        return seen


def _finish(group: list[_Waiting], error: StoreError | None) -> None:
    for waiting in group:
        waiting.done, waiting.error = True, error


def _count(tenant: str, counts: Counts) -> None:
    metrics.READINGS_PULLED.labels(tenant).inc(counts.pulled)
    metrics.READINGS_STORED.labels(tenant).inc(counts.stored)
    metrics.READINGS_CORRECTED.labels(tenant).inc(counts.corrected)
    metrics.READINGS_UNCHANGED.labels(tenant).inc(counts.unchanged)
    metrics.READINGS_REJECTED.labels(tenant).inc(counts.rejected)


def _covered(
    batch: Batch, window: Window, covers: Covers
) -> tuple[int, datetime, datetime, datetime, datetime, bool]:
    since, until = window.since, window.until
    return (batch.feed_id, since, until, covers.settled_before, batch.pulled_at, covers.looked)


def _too_many(reading: Reading) -> Rejection:
    return Rejection(
        device=reading.device,
        channel=reading.channel,
        reason="too_many_series",
        stated_instant=reading.instant.isoformat(),
        value=str(reading.value),
    )


def _beyond(report: TaskReport) -> Rejection:
    return Rejection(
        device=report.device or "",
        channel=report.kind,
        reason="too_many_devices",
        stated_instant=report.created_at.isoformat() if report.created_at else "",
        value=report.identity,
    )
