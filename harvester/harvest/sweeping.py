"""A stream of a platform that forgets: all its feeds each time, also while the database is away."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial

from harvester.errors import PlatformError, StoreUnavailable, TransientError, Unreachable
from harvester.harvest.axis import Axis
from harvester.harvest.beside import Beside
from harvester.harvest.discovering import Found
from harvester.harvest.following import follow
from harvester.harvest.kit import Kit
from harvester.harvest.listening import Ears
from harvester.harvest.outlets import Backlog, Flowing
from harvester.harvest.pace import Pace
from harvester.harvest.patience import in_time
from harvester.harvest.pulling import Pulling, Tick
from harvester.harvest.workers import AT_ONCE, work_off
from harvester.platforms.base import SHARE
from harvester.store import feeds
from harvester.store.feeds import DueFeed
from harvester.store.leases import Lease

SUSPECTS_AT_ONCE = 2
"""Of those that gave no answer last time: they must not take the turns of all others."""
PATIENCE = timedelta(seconds=30)
"""A poll gets so long, or a sixth of the retention where that is less."""
SUSPECTS_PATIENCE = timedelta(seconds=5)
MOST_IN_VAIN = 2 * AT_ONCE
"""Polls in a row without an answer: the platform is away, and the rest need not be tried."""


class Sweep:
    """Pulls one stream of one tenant. What it pulled waits in memory until the database has it."""

    def __init__(self, kit: Kit, retention: timedelta) -> None:
        self._kit = kit
        self._longest = retention / SHARE
        self._patience = min(PATIENCE, retention / 6)
        self._backlog = Backlog(kit.work.tenant, kit.work.stream, kit.pool, kit.writer)
        self._ears = Ears(kit.failures, self._patience)
        self._pace = Pace(kit.work, retention, AT_ONCE, kit.failures)
        self._database = Beside()
        self._axis: Axis | None = None
        self._known: dict[int, DueFeed] = {}
        self._suspects: dict[int, None] = {}
        """Feeds that gave no answer, the one that was tried last behind all others."""
        self._last_polled = 0
        self._in_vain = 0
        self._hanging = False
        self._is_silent = False
        """It did not tell its time: a tick in vain must end before the next one is due."""

    @property
    def commits(self) -> int:
        """How many groups of windows were committed."""
        return self._kit.writer.commits

    async def close(self) -> None:
        """End what goes on beside the ticks."""
        await self._ears.close()
        await self._database.close()
        self._backlog.abandon()

    async def tick(self, lease: Lease, now: datetime, longest: timedelta) -> bool:
        """Poll all feeds, for as long as that; whether all was polled, and is in the database.

        Raises Fenced, and StoreUnavailable where the database is away: what was polled waits then.
        """
        kit = self._kit
        axis = self._axis = await self._measured()
        if axis is None:
            return False
        away = await self._look(lease, now, axis)
        outlet = self._backlog if away else Flowing(self._backlog, partial(self.settle, lease))
        tick = kit.tick(outlet, now, min(longest, self._longest), axis)
        done = await self._sweep(tick) and kit.discovering.is_well
        if away:
            raise away
        await self.settle(lease)
        done = await follow(kit, lease, tick) and done
        if not tick.in_common:
            kit.failures.well(tick.all_feeds)
        if done:
            succeeded = partial(feeds.succeeded, kit.pool, lease, kit.work.stream, now)
            await self._database.run(succeeded)
        return done

    async def settle(self, lease: Lease) -> None:
        """Bring what waits into the database, as it may be nowhere else any more.

        Raises Fenced, StoreUnavailable.
        """
        await self._database.run(partial(self._backlog.drain, lease))

    async def _measured(self) -> Axis | None:
        """The axis as it is now or, where the platform does not tell, as it was."""
        what, patience = f"{self._kit.work.tenant} time of the platform", self._patience / 2
        try:
            axis = await in_time(self._kit.clock, patience, self._kit.axis())
        except (PlatformError, StoreUnavailable) as error:
            # Without the database no token can be renewed; those that live still serve.
            reason = error.reason if isinstance(error, PlatformError) else "database"
            self._kit.failures.failing(what, reason, error=str(error))
            self._is_silent = True
            return self._axis
        self._kit.failures.well(what)
        self._is_silent = False
        return axis

    async def _look(self, lease: Lease, now: datetime, axis: Axis) -> StoreUnavailable | None:
        """Learn what there is to poll; where the database is away, what was known goes on."""
        discovering = self._kit.discovering
        try:
            async with discovering.turn:
                found = [] if self._is_silent else await discovering.ask(now)
                await self._database.run(partial(self._learn, lease, axis, found))
        except StoreUnavailable as error:
            if not self._known:
                raise
            return error
        return None

    async def _learn(self, lease: Lease, axis: Axis, found: Sequence[Found]) -> None:
        kit, now = self._kit, axis.passed(self._kit.clock.now())
        # What waits was pulled in time: it must not be given up.
        await self._backlog.drain(lease)
        await kit.discovering.save(lease, found, kit.work.wanted_since(now))
        await kit.lose(lease, axis)
        known: dict[int, DueFeed] = {}
        after = 0
        while page := await feeds.due(kit.pool, lease.tenant_id, kit.work.stream, now, after):
            known |= {due.feed_id: due for due in page}
            after = page[-1].feed_id
        self._known = known
        self._suspects = {each: None for each in self._suspects if each in known}

    async def _sweep(self, tick: Tick) -> bool:
        """Whether all feeds were polled, or are covered by what the platform sent."""
        targets: Sequence[DueFeed] = list(self._known.values())
        if tick.work.platform.listens(tick.work.stream):
            targets = await self._ears.hear(tick, targets)
        self._in_vain, self._hanging = 0, False
        ready = [each for each in self._in_turn(targets) if each.feed_id not in self._suspects]
        wanted = {each.feed_id: each for each in targets}
        suspects = [wanted[feed_id] for feed_id in self._suspects if feed_id in wanted]
        done = await work_off(ready, partial(self._poll, tick, self._patience), AT_ONCE)
        self._pace.look(len(targets))
        shortly = partial(self._poll, tick, min(self._patience, SUSPECTS_PATIENCE))
        return await work_off(suspects, shortly, SUSPECTS_AT_ONCE) and done

    def _in_turn(self, targets: Sequence[DueFeed]) -> Iterator[DueFeed]:
        """Beginning behind the last that was polled: a sweep may run out of time."""
        yield from (due for due in targets if due.feed_id > self._last_polled)
        yield from (due for due in targets if due.feed_id <= self._last_polled)

    async def _poll(self, tick: Tick, patience: timedelta, due: DueFeed) -> bool:
        if tick.is_over or self._in_vain >= (AT_ONCE if self._is_silent else MOST_IN_VAIN):
            return False
        self._last_polled = due.feed_id
        pulling, began = Pulling(tick, due), asyncio.get_running_loop().time()
        self._suspects.pop(due.feed_id, None)
        if self._hanging:  # more of them: those behind them are not to wait for each
            patience = min(patience, SUSPECTS_PATIENCE)
        try:
            done = await in_time(tick.clock, patience, pulling.run())
        except Unreachable as error:
            await pulling.tell(error)
            self._hangs(due)
            return False
        except StoreUnavailable:  # no token can be renewed; another account may have one that lives
            self._in_vain += 1
            return False
        if done:
            self._in_vain = 0
            self._pace.answered(asyncio.get_running_loop().time() - began)
        elif isinstance(pulling.error, TransientError):
            self._in_vain += 1
        return done

    def _hangs(self, due: DueFeed) -> None:
        self._suspects[due.feed_id] = None
        self._hanging = True
        # Who tells its time is there, and the short patience is bound enough.
        self._in_vain += self._is_silent
