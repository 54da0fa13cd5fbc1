"""A simulated DeviceHive on a hand-moved clock, and a daemon's insides that keep up with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import fix_simulator
from aiohttp import ClientSession
from beating import Beating
from fix_postgres import Database, Postgres
from simulated_devicehive import Play

from harvester import config
from harvester.service.house import opened
from harvester.service.tenant import working
from harvester.simulator.clock import HandClock
from harvester.simulator.configured import Served
from harvester.simulator.devicehive import FakeDevicehive, serve
from harvester.simulator.devicehive_quirks import Switches
from harvester.simulator.faults import Fault, refuse
from harvester.simulator.world import World

BEGIN = datetime(2026, 3, 4, 10, 30, tzinfo=UTC)

_LOST = """
select feed, sum(upper(span) - lower(span)) as lost
from harvester.coverage cross join unnest(lost) as span
where stream = 'readings' group by feed
"""
_THROWN_OUT = "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1"


@dataclass(slots=True)
class Hive(Beating):
    """A tenant of a DeviceHive."""

    fake: FakeDevicehive

    @property
    def every(self) -> timedelta:
        return self.tenant.settings.polled_every

    async def beat(self) -> bool:
        """The tick of the next beat, as scheduled: one that is still at work lets beats go by."""
        passed = (self.clock.now() - BEGIN) // self.every
        self.clock.set(BEGIN + (passed + 1) * self.every)
        return await self.tick()

    async def beats(self, count: int) -> list[bool]:
        return [await self.beat() for _ in range(count)]

    async def lost(self) -> dict[str, timedelta]:
        """Of each feed of readings that lost something."""
        rows = await self.house.pool.fetch(_LOST)
        return {row["feed"]: row["lost"] for row in rows}


@asynccontextmanager
async def hive(
    database: Database,
    folder: Path,
    switches: Switches,
    *,
    things: int = 4,
    pace: int = 10,
    **options: str,
) -> AsyncIterator[Hive]:
    """A daemon's insides before a fake, told by a configuration file as an operator writes it."""
    clock = HandClock(BEGIN)
    world = World("hive", clock, BEGIN, tenants=("acme",), things=things, pace=pace)
    async with serve(world, switches=switches) as fake:
        settings = await asyncio.to_thread(configured, fake, database, folder, options)
        async with (
            opened(settings, clock, "test") as house,
            working(house, settings.tenants[0]) as tenant,
        ):
            yield Hive(clock, fake, tenant, house)


def configured(
    fake: FakeDevicehive, database: Database, folder: Path, options: Mapping[str, str]
) -> config.Settings:
    served = Served("devicehive", fake.world, fake.url)
    wanted = {"retention": f"{fake.switches.cache_ttl}s", **options}
    return fix_simulator.configured(served, database, folder, "1h", wanted)


@asynccontextmanager
async def person(it: Hive) -> AsyncIterator[tuple[Play, str]]:
    """Somebody with a device of the name of probe, and her access token."""
    async with ClientSession() as http:
        play = Play(it.fake, it.clock, http)
        yield play, await play.probe()


@asynccontextmanager
async def away(fake: FakeDevicehive) -> AsyncIterator[None]:
    """Nothing of the platform can be reached."""
    fault = fake.faults.add(Fault(lambda _request: True, refuse(502), times=None))
    fake.sockets.drop()
    try:
        yield
    finally:
        fake.faults.planned.remove(fault)


@asynccontextmanager
async def no_database(postgres: Postgres, database: Database) -> AsyncIterator[None]:
    """Nobody is let into the database, and who was in it is thrown out."""
    name = urlsplit(database.dsn).path[1:]
    await postgres.maker.execute(f"alter database {name} allow_connections false")
    await postgres.maker.execute(_THROWN_OUT, name)
    try:
        yield
    finally:
        await postgres.maker.execute(f"alter database {name} allow_connections true")
