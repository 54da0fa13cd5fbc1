"""A platform on real time and the daemon's database, as commands find them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fix_postgres import Database
from fix_simulator import configured_for

from harvester import config
from harvester.clock import SystemClock
from harvester.service.house import opened
from harvester.service.tenant import working
from harvester.simulator.clock import RealClock
from harvester.simulator.mydevices import FakeMydevices, serve
from harvester.simulator.world import World

OUTSIDE = "select * from vault.credential", "select * from harvester_data.account_lease"
_CHANGE = """
update vault.credential set {change}
where account_id = (select account_id from harvester_data.account where user_name = $1)
"""


@dataclass(slots=True)
class Stand:
    """A platform, a configuration for it, and a database that may be empty."""

    fake: FakeMydevices
    path: Path
    database: Database

    async def harvested(self) -> None:
        """As a daemon leaves it that has worked every tenant once."""
        settings = await asyncio.to_thread(config.load, self.path)
        async with AsyncExitStack() as stack:
            house = await stack.enter_async_context(opened(settings, SystemClock(), "test"))
            for each in settings.tenants:
                tenant = await stack.enter_async_context(working(house, each))
                assert await tenant.ticks()

    async def rows(self) -> list[Any]:
        async with self.database.connected() as connection:
            return [await connection.fetch(query) for query in OUTSIDE]

    async def change(self, user: str, change: str) -> None:
        """How the user's credential stands, as SQL says it."""
        async with self.database.connected() as connection:
            assert await connection.execute(_CHANGE.format(change=change), user) == "UPDATE 1"

    def take_password(self, user: str) -> None:
        """Out of the configuration."""
        text = self.path.read_text("utf-8")
        line = f'password = {{ file = "{user}" }}'
        assert line in text
        self.path.write_text(text.replace(line, "", 1), "utf-8")


@asynccontextmanager
async def set_up(database: Database, folder: Path) -> AsyncIterator[Stand]:
    world = World("check", RealClock(), datetime.now(UTC) - timedelta(hours=1), things=6)
    async with serve(world) as fake:
        path = await configured_for(fake, folder, database, history="1h")
        yield Stand(fake, path, database)


def states(out: str, what: str) -> dict[str, tuple[str, str]]:
    """What check says of such things, state and words by name."""
    found = [each for each in json.loads(out) if each["what"] == what]
    return {each["name"]: (each["state"], each["told"]) for each in found}
