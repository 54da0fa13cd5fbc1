"""The corridor: what is due of a tenant's feeds, from the platform into the store.

It knows no platform and no SQL, and it alone decides what becomes of a window that failed. A
stream whose platform keeps what it says is pulled by windows, here; one whose platform forgets, by
sweeps (`sweeping`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from harvester.errors import PlatformError
from harvester.harvest.axis import Axis
from harvester.harvest.discovering import Discovering
from harvester.harvest.following import follow
from harvester.harvest.kit import Kit
from harvester.harvest.pulling import Pulling, Tick
from harvester.harvest.sweeping import Sweep
from harvester.harvest.work import Seat, Work
from harvester.harvest.workers import AT_ONCE, work_off
from harvester.store import feeds
from harvester.store.feeds import DueFeed
from harvester.store.leases import Lease

__all__ = ["Discovering", "Harvest", "Kit", "Seat", "Sweep", "Work", "harvest"]


def harvest(kit: Kit) -> Harvest | Sweep:
    """The way in which a stream is pulled."""
    rules = kit.work.rules
    if rules.whole and rules.retention:
        return Sweep(kit, rules.retention)
    return Harvest(kit)


class Harvest:
    """Pulls one stream of one tenant, by windows."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._begin_after = 0
        """The last feed that was begun when the last tick ran out of time."""
        self._axis = Axis()

    @property
    def commits(self) -> int:
        """How many groups of windows were committed."""
        return self._kit.writer.commits

    async def settle(self, lease: Lease) -> None:
        """Nothing waits beside the ticks."""

    async def close(self) -> None:
        """Nothing goes on beside the ticks."""

    async def tick(self, lease: Lease, now: datetime, longest: timedelta) -> bool:
        """Do what is due at `now`, for as long as that; whether all of it was done.

        Raises Fenced and StoreUnavailable: nothing more can be done for this tenant now.
        """
        kit = self._kit
        tick = kit.tick(kit.straight(lease), now, longest, await self._measured())
        newest = tick.axis.passed(now) - kit.work.platform.under_way
        kit.work.platform.begin(kit.work.stream, newest)
        done = await self._discovered(lease, tick)
        await kit.lose(lease, tick.axis)
        # From here on: a discovery that takes long must not leave the feeds without time.
        tick = replace(tick, deadline=kit.clock.now() + longest)
        until = tick.axis.passed(now) - kit.work.platform.under_way
        await feeds.want(kit.pool, lease, kit.work.stream, until)
        async for page in self._pages(lease, until):
            in_turn = partial(self._in_turn, lease, tick)
            done = await work_off(_rows(tick, page), in_turn, AT_ONCE) and done
            kit.tell_behind()
            if tick.is_over:
                return False
        self._begin_after = 0
        done = await follow(kit, lease, tick) and done
        if not tick.in_common:
            kit.failures.well(tick.all_feeds)
        if done:
            await feeds.succeeded(kit.pool, lease, kit.work.stream, now)
        return done

    async def _measured(self) -> Axis:
        """As it is now or, where the platform does not tell, as it was: the feeds tell why."""
        what = f"{self._kit.work.tenant} time of the platform"
        try:
            self._axis = await self._kit.axis()
        except PlatformError as error:
            self._kit.failures.failing(what, error.reason, error=str(error))
        else:
            self._kit.failures.well(what)
        return self._axis

    async def _discovered(self, lease: Lease, tick: Tick) -> bool:
        discovering = self._kit.discovering
        since = tick.work.wanted_since(tick.axis.passed(tick.now))
        async with discovering.turn:
            await discovering.renew(lease, tick.now, since)
        return discovering.is_well

    async def _pages(self, lease: Lease, until: datetime) -> AsyncIterator[list[DueFeed]]:
        """All feeds once, beginning where the last tick ran out of time."""
        begin, of = self._begin_after, (lease.tenant_id, self._kit.work.stream)
        for first, last in ((begin, feeds.LAST), (0, begin)):
            after = first
            while page := await feeds.due(self._kit.pool, *of, until, after, last):
                yield page
                after = page[-1].feed_id

    async def _in_turn(self, lease: Lease, tick: Tick, row: Sequence[Pulling]) -> bool:
        return all([await self._pull(lease, tick, pulling) for pulling in row])

    async def _pull(self, lease: Lease, tick: Tick, pulling: Pulling) -> bool:
        if tick.is_over:
            return False
        # A long backfill, or a feed that always fails, is not what the next tick begins with.
        self._begin_after = pulling.feed_id
        done = await pulling.run()
        if done and (before := pulling.gone_before):
            await self._kit.give_up(lease, pulling, before)
        return done


def _rows(tick: Tick, page: Iterable[DueFeed]) -> list[list[Pulling]]:
    """The feeds of each source by themselves: their answers must not overtake each other."""
    rows: dict[str, list[Pulling]] = {}
    for due in page:
        source = tick.work.platform.source(due.feed)
        rows.setdefault(source, []).append(Pulling(tick, due))
    return list(rows.values())
