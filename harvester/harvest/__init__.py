"""The corridor: what is due of a tenant's feeds, from the platform into the store.

It knows no platform and no SQL, and it alone decides what becomes of a window that failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from harvester.clock import Clock
from harvester.harvest.discovering import Discovering
from harvester.harvest.pulling import Pulling, Tick
from harvester.harvest.work import STREAM, Seat, Work
from harvester.logs import Failures
from harvester.store import feeds
from harvester.store.catalog import Ids
from harvester.store.feeds import DueFeed
from harvester.store.leases import Lease
from harvester.store.partitions import Partitions
from harvester.store.writer import Writer

if TYPE_CHECKING:
    from harvester.store.pool import Pool

__all__ = ["STREAM", "Harvest", "Seat", "Work"]

AT_ONCE = 8
"""Feeds of a tenant in work at the same time."""

_log = structlog.stdlib.get_logger(__name__)


class Harvest:
    """Pulls the readings of one tenant."""

    def __init__(
        self,
        work: Work,
        pool: Pool,
        partitions: Partitions,
        clock: Clock,
        stopping: asyncio.Event,
    ) -> None:
        ids = Ids(pool)
        self._work = work
        self._pool = pool
        self._clock = clock
        self._stopping = stopping
        self._failures = Failures(_log)
        self._discovering = Discovering(work, pool, ids, self._failures)
        self._writer = Writer(pool, work.tenant, ids, partitions)
        self._begin_after = 0
        """The last feed that was begun when the last tick ran out of time."""

    @property
    def commits(self) -> int:
        """How many groups of windows were committed."""
        return self._writer.commits

    async def tick(self, lease: Lease, now: datetime, longest: timedelta) -> bool:
        """Do what is due at `now`, for as long as that; whether all of it was done.

        Raises Fenced and StoreUnavailable: nothing more can be done for this tenant now.
        """
        done = await self._discovering.tick(lease, now)
        tick = self._tick(lease, now, longest)
        async for page in self._pages(lease, now):
            done = await self._run(tick, [Pulling(tick, due) for due in page]) and done
            if tick.is_over:
                return False
        self._begin_after = 0
        if not tick.in_common:
            self._failures.well(tick.all_feeds)
        if done:
            await feeds.succeeded(self._pool, lease, STREAM, now)
        return done

    def _tick(self, lease: Lease, now: datetime, longest: timedelta) -> Tick:
        return Tick(
            work=self._work,
            pool=self._pool,
            writer=self._writer,
            lease=lease,
            clock=self._clock,
            now=now,
            # From here on: a discovery that takes long must not leave the feeds without time.
            deadline=self._clock.now() + longest,
            stopping=self._stopping,
            failures=self._failures,
        )

    async def _pages(self, lease: Lease, now: datetime) -> AsyncIterator[list[DueFeed]]:
        """All feeds once, beginning where the last tick ran out of time."""
        begin = self._begin_after
        for first, last in ((begin, feeds.LAST), (0, begin)):
            after = first
            while page := await feeds.due(self._pool, lease.tenant_id, STREAM, now, after, last):
                yield page
                after = page[-1].feed_id

    async def _run(self, tick: Tick, pullings: list[Pulling]) -> bool:
        """Run them, some at once; whether all of them did all that was due."""
        waiting = iter(pullings)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._work_off(tick, waiting)) for _ in range(AT_ONCE)]
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return all(task.result() for task in tasks)

    async def _work_off(self, tick: Tick, waiting: Iterator[Pulling]) -> bool:
        done = True
        # `waiting` is shared: each takes the next one when it is done with its last.
        for pulling in waiting:
            if tick.is_over:
                return False
            # A long backfill, or a feed that always fails, is not what the next tick begins with.
            self._begin_after = pulling.feed_id
            done = await pulling.run() and done
        return done
