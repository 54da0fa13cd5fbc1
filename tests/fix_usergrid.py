"""A simulated Usergrid on a hand-moved clock, and a daemon's insides that keep up with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fix_simulator
from beating import Beating
from fix_postgres import Database

from harvester import config
from harvester.service.house import opened
from harvester.service.tenant import working
from harvester.simulator.clock import HandClock
from harvester.simulator.configured import Served
from harvester.simulator.usergrid import FakeUsergrid, serve
from harvester.simulator.usergrid_quirks import AS_DOCUMENTED, Switches
from harvester.simulator.world import World

BEGIN = datetime(2026, 3, 4, 10, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass(slots=True)
class Plant(Beating):
    """A tenant of a Usergrid."""

    fake: FakeUsergrid

    async def beat(self, after: timedelta) -> bool:
        """A tick, when so much time has passed."""
        self.clock.advance(after)
        return await self.tick()


@asynccontextmanager
async def plant(
    database: Database,
    folder: Path,
    switches: Switches = AS_DOCUMENTED,
    *,
    history: timedelta = HOUR,
    things: int = 4,
    pace: int = 1,
    **options: str,
) -> AsyncIterator[Plant]:
    """A daemon's insides before a fake, told by a configuration file as an operator writes it."""
    clock = HandClock(BEGIN)
    world = World("plant", clock, BEGIN - history, tenants=("acme",), things=things, pace=pace)
    async with serve(world, switches=switches) as fake:
        settings = await asyncio.to_thread(configured, fake, database, folder, options)
        async with at_work(fake, clock, settings) as it:
            yield it


@asynccontextmanager
async def at_work(
    fake: FakeUsergrid, clock: HandClock, settings: config.Settings
) -> AsyncIterator[Plant]:
    """The daemon's insides alone."""
    async with (
        opened(settings, clock, "test") as house,
        working(house, settings.tenants[0]) as tenant,
    ):
        yield Plant(clock, fake, tenant, house)


def configured(
    fake: FakeUsergrid, database: Database, folder: Path, options: Mapping[str, str]
) -> config.Settings:
    served = Served("usergrid", fake.world, fake.url)
    return fix_simulator.configured(served, database, folder, "10m", options)
