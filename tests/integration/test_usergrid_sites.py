"""Two Usergrid sites whose organizations, applications and users have the same names: they have
nothing else in common."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web
from fix_postgres import Database
from fix_simulator import stored_in
from fix_usergrid import BEGIN, HOUR, Plant
from harvested import Facts, Harvested

from harvester import config
from harvester.service.house import opened
from harvester.service.tenant import working
from harvester.simulator.clock import HandClock
from harvester.simulator.configured import Served, configure
from harvester.simulator.faults import Fault, refuse
from harvester.simulator.usergrid import FakeUsergrid, serve
from harvester.simulator.usergrid_quirks import Switches
from harvester.simulator.world import World, millis

SITES: Mapping[str, timedelta] = {"north": timedelta(0), "south": timedelta(minutes=7)}
"""How far the clock of each is ahead: tokens that are made at one instant differ by it."""
MS = timedelta(milliseconds=1)
AT_ONCE = (timedelta(0), timedelta(0))


@dataclass(slots=True)
class Site(Plant):
    """A tenant of one of them, and the tokens that this one was shown."""

    shown: set[str] = field(default_factory=set)

    def note(self, request: web.Request) -> bool:
        self.shown.add(request.headers.get("Authorization", ""))
        return False

    def probed(self, level: float) -> None:
        """A device that both sites have tells of the same instant."""
        told = {"device": "probe", "ts": millis(BEGIN), "level": level}
        self.fake.store("acme").put("readings", told, self.fake.tokens.now_ms())


@asynccontextmanager
async def sites(database: Database, folder: Path) -> AsyncIterator[list[Site]]:
    """Each with a world of its own, and one daemon's insides for both."""
    clock = HandClock(BEGIN)
    async with AsyncExitStack() as stack:
        fakes = {name: await stack.enter_async_context(_served(name, clock)) for name in SITES}
        settings = await asyncio.to_thread(_configured, fakes, database, folder)
        house = await stack.enter_async_context(opened(settings, clock, "test"))
        found = []
        for tenant in settings.tenants:
            work = await stack.enter_async_context(working(house, tenant))
            found.append(Site(clock, fakes[tenant.name.removeprefix("acme-")], work, house))
        yield found


@asynccontextmanager
async def _served(name: str, clock: HandClock) -> AsyncIterator[FakeUsergrid]:
    world = World(name, clock, BEGIN - 6 * HOUR, tenants=("acme",), things=4)
    switches = Switches(index_lag=AT_ONCE, clock_skew=SITES[name], accesstokenttl=HOUR // MS)
    async with serve(world, switches=switches) as it:
        yield it


def _configured(
    fakes: Mapping[str, FakeUsergrid], database: Database, folder: Path
) -> config.Settings:
    """One file for both; each has its secrets in a folder of its own, as their files have the same
    names. Blocks on files."""
    text = stored_in(database, folder)
    for name, fake in fakes.items():
        (folder / name).mkdir()
        served = Served("usergrid", fake.world, fake.url, f"-{name}")
        path = configure([served], folder / name, interval="10m")
        _, tenant, told = path.read_text("utf-8").partition("[[tenant]]")
        text += tenant + told.replace('{ file = "', f'{{ file = "{name}/')
    (folder / "config.toml").write_text(f'state_directory = "state"\n{text}', "utf-8")
    return config.load(folder / "config.toml")


@pytest.fixture
async def both(database: Database, tmp_path: Path) -> AsyncIterator[list[Site]]:
    """Both harvested, each in turn, until beyond the end of its first tokens."""
    async with sites(database, tmp_path) as found:
        for level, it in enumerate(found):
            it.fake.faults.add(Fault(it.note, refuse(500)))
            it.probed(level)
        for after in (timedelta(0), timedelta(minutes=10), HOUR):
            found[0].clock.advance(after)
            assert all([await it.tick() for it in found])
        yield found


async def held(it: Site) -> Facts:
    return await Harvested(it.house.pool, it.tenant.name).readings()


async def test_each_tenant_holds_what_its_own_site_has(both: list[Site]) -> None:
    north, south = both
    assert await held(north) == north.truth()
    assert await held(south) == south.truth()
    common = north.truth().keys() & south.truth().keys()
    assert [(key[0], north.truth()[key], south.truth()[key]) for key in common] == [("probe", 0, 1)]


async def test_reports_of_tasks_are_those_of_its_own_site(both: list[Site]) -> None:
    for it in both:
        truth = it.fake.task_truth("acme").items()
        told = {name: (task.kind, task.device, task.now.state) for name, task in truth}
        assert await Harvested(it.house.pool, it.tenant.name).tasks() == told
        assert told


async def test_no_site_is_shown_a_token_of_the_other(both: list[Site]) -> None:
    north, south = both
    names = [[each.user for each in it.tenant.settings.accounts] for it in both]
    assert names[0] == names[1]
    assert len(north.shown) > len(names[0]) and len(south.shown) > len(names[1])
    assert north.shown & south.shown == {""}, "a login is asked for without a token"
    assert (north.fake.violations, south.fake.violations) == ([], [])
