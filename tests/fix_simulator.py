"""A small simulated myDevices on a hand-moved clock, and a daemon's insides that work on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from fix_postgres import Database

from harvester import config
from harvester.demo.comparison import Facts, Key, held
from harvester.service.house import House, opened
from harvester.service.tenant import Working, working
from harvester.simulator.clock import HandClock
from harvester.simulator.configured import Served, configure
from harvester.simulator.mydevices import FakeMydevices, serve
from harvester.simulator.world import World

BEGIN = datetime(2026, 3, 4, 10, 30, tzinfo=UTC)
HISTORY = timedelta(hours=24)


def published(world: World, as_of: datetime) -> dict[Key, float | str]:
    """What a myDevices had published up to an instant."""
    return {
        (tenant, *key): value
        for tenant in world.tenants
        for key, value in world.truth(tenant, as_of).items()
    }


@dataclass(slots=True)
class Play:
    """Two tenants of a world, and the daemon's own parts at work for them, tick by tick."""

    clock: HandClock
    fake: FakeMydevices
    tenants: list[Working]
    house: House
    stack: AsyncExitStack

    @property
    def world(self) -> World:
        return self.fake.world

    async def tick(self) -> bool:
        """Whether every tenant did all that was due."""
        return all([await tenant.ticks() for tenant in self.tenants])

    async def begin_anew(self) -> None:
        """Work the same tenants as after a restart."""
        self.tenants = [
            await self.stack.enter_async_context(working(self.house, tenant.settings))
            for tenant in self.tenants
        ]

    def published(self, as_of: datetime | None = None, until: datetime | None = None) -> Facts:
        facts = published(self.world, as_of or self.clock.now())
        return {key: value for key, value in facts.items() if until is None or key[3] < until}

    async def held(self, until: datetime | None = None) -> Facts:
        facts = await held(self.house.pool, self.world.since)
        return {key: value for key, value in facts.items() if until is None or key[3] < until}

    async def rejected(self) -> list[asyncpg.Record]:
        return await self.house.pool.fetch("select * from harvester_data.rejected order by reason")


@asynccontextmanager
async def playing(fake: FakeMydevices, database: Database, folder: Path) -> AsyncIterator[Play]:
    """A daemon's insides on a database, told by a configuration file as an operator writes it."""
    clock = fake.world.clock
    assert isinstance(clock, HandClock)
    path = await configured_for(fake, folder, database)
    settings = await asyncio.to_thread(config.load, path)
    async with AsyncExitStack() as stack:
        house = await stack.enter_async_context(opened(settings, clock, "test"))
        tenants = [
            await stack.enter_async_context(working(house, each)) for each in settings.tenants
        ]
        yield Play(clock, fake, tenants, house, stack)


def configuration(
    world: World, url: str, folder: Path, *, history: str = "24h", **told: Any
) -> Path:
    """The file of a daemon that harvests a world that is served as myDevices.

    `history` should be longer than the world is old, as it ends when the daemon begins.
    """
    return configure([Served("mydevices", world, url)], folder, history=history, **told)


async def configured_for(
    fake: FakeMydevices, folder: Path, database: Database | None = None, **told: Any
) -> Path:
    """`configuration`, on a test's database or an embedded one, without holding up the loop."""
    head = stored_in(database, folder) if database else ""
    return await asyncio.to_thread(
        lambda: configuration(fake.world, fake.url, folder, head=head, **told)
    )


def configured(
    served: Served, database: Database, folder: Path, interval: str, options: Mapping[str, str]
) -> config.Settings:
    """As read from the file `config.toml` in the folder, which is made, with more options. Blocks
    on files."""
    path = configure([served], folder, interval=interval, head=stored_in(database, folder))
    lines = "".join(f'{key} = "{value}"\n' for key, value in options.items())
    text = path.read_text("utf-8")
    path.write_text(text.replace("[tenant.options]\n", f"[tenant.options]\n{lines}"), "utf-8")
    return config.load(path)


def stored_in(database: Database, folder: Path) -> str:
    """The `[database]` table for a test's database."""
    (folder / "database").write_text(database.password or "", "utf-8")
    password = 'password = { file = "database" }' if database.password else ""
    return f'[database]\ndsn = "{database.dsn}"\n{password}\n'


@pytest.fixture
async def fake() -> AsyncIterator[FakeMydevices]:
    clock = HandClock(BEGIN)
    async with serve(World("play", clock, BEGIN - HISTORY, things=4)) as fake:
        yield fake


@pytest.fixture
async def play(fake: FakeMydevices, database: Database, tmp_path: Path) -> AsyncIterator[Play]:
    async with playing(fake, database, tmp_path) as play:
        yield play
