"""The corridor: what is due of a tenant's feeds, from the platform into the store.

It knows no platform and no SQL, and it alone decides what becomes of a window that failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from harvester.clock import Clock
from harvester.harvest.discovering import Discovering
from harvester.harvest.pulling import Pulling, Tick
from harvester.harvest.work import STREAM, Seat, Work
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


class Harvest:
    """Pulls the readings of one tenant."""

    def __init__(self, work: Work, pool: Pool, partitions: Partitions, clock: Clock) -> None:
        ids = Ids(pool)
        self._work = work
        self._pool = pool
        self._clock = clock
        self._discovering = Discovering(work, pool, ids)
        self._writer = Writer(pool, work.tenant, ids, partitions)
        self._begin_after = 0
        """Feeds up to this one were done when the last tick ran out of time."""

    async def tick(self, lease: Lease, now: datetime, deadline: datetime) -> bool:
        """Do what is due at `now`, until `deadline`; whether all of it was done.

        Raises Fenced and StoreUnavailable: nothing more can be done for this tenant now.
        """
        tick = Tick(self._work, self._pool, self._writer, lease, self._clock, now, deadline)
        done = await self._discovering.tick(lease, now)
        async for page in self._pages(lease, now):
            undone = await _run([Pulling(tick, due) for due in page])
            done = done and not undone
            if tick.is_late:
                self._begin_after = min(undone, default=page[-1].feed_id + 1) - 1
                return False
        self._begin_after = 0
        if done:
            await feeds.succeeded(self._pool, lease, STREAM, now)
        return done

    async def _pages(self, lease: Lease, now: datetime) -> AsyncIterator[list[DueFeed]]:
        """All feeds once, beginning where the last tick ran out of time."""
        begin = self._begin_after
        for first, last in ((begin, feeds.LAST), (0, begin)):
            after = first
            while page := await feeds.due(self._pool, lease.tenant_id, STREAM, now, after, last):
                yield page
                after = page[-1].feed_id


async def _run(pullings: list[Pulling]) -> list[int]:
    """Run them, some at once; the ids of the feeds that were not done, or not in full."""
    undone: list[int] = []
    try:
        async with asyncio.TaskGroup() as group:
            waiting = iter(pullings)
            for _ in range(AT_ONCE):
                group.create_task(_work_off(waiting, undone))
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return undone


async def _work_off(waiting: Iterator[Pulling], undone: list[int]) -> None:
    # `waiting` is shared: each takes the next one when it is done with its last.
    undone += [pulling.feed_id for pulling in waiting if not await pulling.run()]
