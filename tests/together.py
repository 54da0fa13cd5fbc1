"""All platforms over the same weather: a daemon's insides harvest them side by side on a clock that
is moved on whenever all that is left waits for it."""

from __future__ import annotations

import asyncio
import heapq
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import pytest
from adversity import Adversity, instant_in, planned
from fix_postgres import Database
from fix_simulator import stored_in
from mischief import ACTS, crowd
from offered import acts

from harvester import config
from harvester.client import sockets
from harvester.model import Stream, Window
from harvester.service.house import House, opened
from harvester.service.tenant import REQUESTS_AT_ONCE, Working, working
from harvester.service.tenants import KEEP_EVERY
from harvester.simulator import fakes, faults
from harvester.simulator.chance import dice
from harvester.simulator.clock import HandClock
from harvester.simulator.configured import Served, configure
from harvester.simulator.world import World

BEGIN = datetime(2026, 3, 4, 10, 30, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
DAY = Window(BEGIN, BEGIN + 24 * HOUR)
OUTAGE = 10 * MINUTE
DIFFERENT: Mapping[str, Mapping[str, object]] = {
    "coiote": {"clock_skew": 4 * MINUTE},
    # By more than the five minutes before an end, its tokens would be renewed after theirs.
    "devicehive": {"clock_skew": 4 * MINUTE},
    "mydevices": {
        "access_ttl": 3_600,
        "refresh_ttl": 4 * 3_600,
        "rotate": True,
        "clock_skew": -3 * MINUTE,
    },
    "usergrid": {"accesstokenttl": 3_600_000, "clock_skew": 7 * MINUTE},
}
"""From what is documented; a Coiote's tokens live for five minutes as it is."""
BESIDE = re.compile("^(tokens that never end|kept for ever)")
"""Ways in which too few tokens are had for all that may befall them, or nothing is forgotten."""
QUIET = 30
"""Turns of the loop in which nothing happens: whoever waits, waits for the clock."""

T = TypeVar("T")


class SteppingClock(HandClock):
    """One that goes from one instant for which somebody waits to the next."""

    def step(self) -> None:
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        if self._sleepers:
            self.set(max(self._sleepers[0][0], self.now()))


@dataclass(slots=True)
class Party:
    """One platform, its tenant at work, and what goes wrong there."""

    platform: str
    fake: Any
    tenant: Working
    adversity: Adversity
    dice: Random
    done: list[tuple[datetime, str]] = field(default_factory=list)

    @property
    def troubles(self) -> list[str]:
        """All that went wrong, for who must find out why something is not as it should be."""
        told = [(self.adversity.outage.since, "outage"), *self.adversity.befell, *self.done]
        return [f"{at} {what}" for at, what in sorted(told)]

    async def mischief(self, clock: SteppingClock) -> None:
        """Each act of that platform once, at any time; what is to be undone lasts for a tick."""
        quiet = Window(DAY.since + HOUR, DAY.until - HOUR)
        names = [each for each in acts(self.platform) if each in ACTS]
        for at, name in sorted((instant_in(quiet, self.dice), each) for each in names):
            await clock.sleep_until(at)
            undo = ACTS[name](self.fake, self.dice)
            self.done.append((clock.now(), name))
            if undo:
                await clock.sleep_until(clock.now() + self.tenant.settings.polled_every)
                undo()


@dataclass(slots=True)
class Together:
    """All platforms, a tenant of each."""

    clock: SteppingClock
    house: House
    parties: list[Party]
    asleep: int = 0
    """Requests that a fault holds back until the clock has moved on."""
    threads: int = 0
    """Calls that block, and are made beside the loop."""

    def party(self, platform: str) -> Party:
        return next(each for each in self.parties if each.platform == platform)

    async def day(self) -> None:
        """All jobs as they are scheduled, those of the tokens too, and what goes wrong."""
        jobs = [
            self._repeated(partial(each.tenant.tick, stream), each.tenant.settings.polled_every)
            for each in self.parties
            for stream in each.tenant.streams
        ]
        keepers = [self._repeated(each.tenant.keep, KEEP_EVERY) for each in self.parties]
        mischief = [each.mischief(self.clock) for each in self.parties]
        outages = [each.adversity.cut_off() for each in self.parties]
        await self.run(*jobs, *keepers, *mischief, *outages, self._crowd())

    async def _crowd(self) -> None:
        """Else no answer of a Usergrid would be of more than one page."""
        await self.clock.sleep_until(DAY.until - HOUR * 3 / 2)
        crowd(self.party("usergrid").fake)

    async def _repeated(self, run: Callable[[], Awaitable[object]], every: timedelta) -> None:
        """A run that lasts lets beats go by."""
        while self.clock.now() < DAY.until:
            await run()
            passed = (self.clock.now() - DAY.since) // every
            await self.clock.sleep_until(DAY.since + (passed + 1) * every)

    async def ticked(self, *parties: Party) -> bool:
        """A tick of each, now; whether all was done."""
        done: list[bool] = []

        async def tick(tenant: Working, stream: Stream) -> None:
            done.append(await tenant.tick(stream))

        ticks = (tick(it.tenant, stream) for it in parties for stream in it.tenant.streams)
        await self.run(*ticks)
        return all(done)

    async def run(self, *work: Coroutine[Any, Any, None]) -> None:
        """All of it side by side; the clock moves on where nothing else gets on."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in work]
            while not all(task.done() for task in tasks):
                if await self._waits() and not all(task.done() for task in tasks):
                    self.clock.step()

    async def _waits(self) -> bool:
        signs = self._signs()
        for _ in range(QUIET):
            if self._is_busy():
                await asyncio.sleep(0.001)
                return False
            await asyncio.sleep(0)
        return signs == self._signs()

    def _is_busy(self) -> bool:
        pool: Any = self.house.pool
        under_way = sum(each.adversity.under_way for each in self.parties)
        slots = sum(each.tenant._client._slots._value for each in self.parties)
        asked = len(self.parties) * REQUESTS_AT_ONCE - slots
        # The pool counts no connection that is being made.
        in_database = len(pool._holders) - pool._queue.qsize()
        return max(under_way, asked) > self.asleep or in_database > 0 or self.threads > 0

    def _signs(self) -> list[object]:
        return [(it.fake.requests.total(), it.tenant.signs()) for it in self.parties]

    @contextmanager
    def by_the_clock(self) -> Iterator[None]:
        """What goes by the machine's own time goes by the clock, or is waited for."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(faults, "sleep", self.sleep)
            patch.setattr(asyncio, "to_thread", self.to_thread)
            patch.setattr(sockets, "CLOSE_SECONDS", 0)  # a frozen one does not say goodbye
            yield

    async def to_thread(self, call: Callable[..., T], *args: Any) -> T:
        """What writes files, by the machine's own time."""
        self.threads += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(None, partial(call, *args))
        finally:
            self.threads -= 1

    async def sleep(self, seconds: float) -> None:
        """What faults sleep, by the clock."""
        self.asleep += 1
        try:
            await self.clock.sleep_until(self.clock.now() + timedelta(seconds=max(seconds, 1)))
        finally:
            self.asleep -= 1


@dataclass(frozen=True, slots=True)
class Way:
    """How the day is to be: a way of each platform is drawn, and what goes wrong when.

    `every` is the interval between two ticks, save where a platform forgets: that has `retention`.
    """

    seed: str
    every: timedelta
    retention: timedelta
    ingest: str
    rounds: int = 1

    def dice(self, platform: str, *words: str) -> Random:
        return dice(self.seed, platform, *words)

    def quirk(self, platform: str) -> str:
        ways = [each for each in fakes.simulated(platform).QUIRKS if not BESIDE.search(each)]
        return self.dice(platform, "quirk").choice(ways)

    def switches(self, platform: str) -> Any:
        """A way of a platform; where that says nothing of them, its tokens' lives are short enough
        to end often, and its clock is wrong."""
        quirk = fakes.simulated(platform).QUIRKS[self.quirk(platform)]
        usual, wanted = type(quirk)(), dict(DIFFERENT[platform])
        for name in [each for each in wanted if getattr(quirk, each) != getattr(usual, each)]:
            del wanted[name]
        if hasattr(quirk, "cache_ttl"):
            wanted["cache_ttl"] = self.retention // timedelta(seconds=1)
        return replace(quirk, **wanted)

    def outage(self, platform: str) -> Window:
        busy = Window(DAY.since + 2 * HOUR, DAY.until - 2 * HOUR)
        since = instant_in(busy, self.dice(platform, "outage"))
        return Window(since, since + OUTAGE)


@asynccontextmanager
async def together(database: Database, folder: Path, way: Way) -> AsyncIterator[Together]:
    """All of them, told by a configuration file as an operator writes it."""
    clock = SteppingClock(BEGIN)
    async with AsyncExitStack() as stack:
        found = [
            (name, await stack.enter_async_context(_served(name, clock, way))) for name in DIFFERENT
        ]
        settings = await asyncio.to_thread(_configured, dict(found), database, folder, way)
        house = await stack.enter_async_context(opened(settings, clock, "test"))
        parties = []
        for tenant in settings.tenants:
            work = await stack.enter_async_context(working(house, tenant))
            parties.append(_party(dict(found)[tenant.name], work, clock, way))
        it = Together(clock, house, parties)
        with it.by_the_clock():
            yield it


def _served(platform: str, clock: SteppingClock, way: Way) -> AbstractAsyncContextManager[Any]:
    """The weather is the same on all of them."""
    world = World(way.seed, clock, BEGIN - HOUR, tenants=(platform,), things=18)
    return fakes.simulated(platform).serve(world, switches=way.switches(platform))


def _configured(
    served: Mapping[str, Any], database: Database, folder: Path, way: Way
) -> config.Settings:
    """As read from the file `config.toml` in the folder, which is made. Blocks on files."""
    tenants = [Served(name, fake.world, fake.url) for name, fake in served.items()]
    interval, head = f"{way.every // MINUTE}m", stored_in(database, folder)
    path = configure(tenants, folder, interval=interval, head=head)
    before, name, after = path.read_text("utf-8").partition('platform = "devicehive"')
    told = f'retention = "{way.retention // MINUTE}m"\ningest = "{way.ingest}"\n'
    after = after.replace("[tenant.options]\n", f"[tenant.options]\n{told}", 1)
    path.write_text(before + name + after, "utf-8")
    return config.load(path)


def _party(fake: Any, tenant: Working, clock: SteppingClock, way: Way) -> Party:
    platform, busy = tenant.name, Window(DAY.since, DAY.until - 2 * HOUR)
    to_come = planned(platform, busy, way.rounds, way.dice(platform))
    adversity = Adversity(fake, clock, way.outage(platform), to_come)
    return Party(platform, fake, tenant, adversity, way.dice(platform, "acts"))
