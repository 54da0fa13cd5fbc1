"""A customer with one account that no configuration has the password of, and who knows it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
from acceptance.commands import Ended, harvester
from acceptance.daemon import Daemon, forked, running
from fix_postgres import Database
from fix_simulator import stored_in

from harvester.simulator.clock import RealClock
from harvester.simulator.mydevices import FakeMydevices, serve
from harvester.simulator.world import World

KEPT = "select count(password) from vault.credential"
WRONG = "wr&ng pässword"
CONFIG = """
state_directory = "state"
{head}
[web]
port = 0
[[tenant]]
name = "acme"
platform = "mydevices"
interval = "5s"
history = "24h"
[tenant.options]
base_url = "{url}"
client_id = "{client}"
client_secret = {{ file = "client_secret" }}
[[tenant.account]]
user = "{user}"
"""


@dataclass(slots=True)
class Site:
    """Where the account is logged in and out by hand."""

    fake: FakeMydevices
    folder: Path
    pool: asyncpg.Pool[asyncpg.Record]
    user: str
    password: str

    @property
    def config_file(self) -> Path:
        return self.folder / "config.toml"

    async def harvester(self, *words: str | Path, piped: str = "") -> tuple[int, str]:
        """A command without a terminal, to its end: its exit code and all that it said."""
        return self.ended(await harvester(*words, piped=piped))

    def ended(self, ended: Ended) -> tuple[int, str]:
        self.check(ended.said)
        return ended.code, ended.said

    def check(self, said: str) -> None:
        """It is told in words, without a secret."""
        secrets = (self.password, WRONG, self.fake.world.tenants["acme"].user_client.secret)
        assert not [secret for secret in secrets if secret in said]
        assert "Traceback" not in said

    async def login(self, *options: str, password: str | None = None) -> tuple[int, str]:
        return await self.harvester(*self.typed(password or self.password), *options)

    def typed(self, password: str) -> list[str | Path]:
        """The words of a login with a password from a file."""
        file = self.folder / "typed"
        file.write_text(f"{password}\n", "utf-8")
        return [*self.of("login"), "--password-file", file]

    def of(self, command: str) -> list[str]:
        return [command, "acme", self.user, "--config", str(self.config_file)]

    @asynccontextmanager
    async def running(self, wrapper: Sequence[str] = ()) -> AsyncIterator[Daemon]:
        begun = running(self.config_file, wrapper) if wrapper else forked(self.config_file)
        async with begun as daemon:
            yield daemon
        self.check("".join(daemon.said))

    async def harvested(self) -> None:
        """Wait for readings."""
        while not await self.pool.fetchval("select count(*) from harvester.readings"):
            await asyncio.sleep(0.05)


@asynccontextmanager
async def site_at(database: Database, folder: Path) -> AsyncIterator[Site]:
    world = World("login", RealClock(), datetime.now(UTC) - timedelta(hours=2), things=3)
    tenant = world.tenants["acme"]
    ana = tenant.users[0]
    async with serve(world) as fake, database.pooled() as pool:
        text = CONFIG.format(
            head=stored_in(database, folder),
            url=fake.url,
            client=tenant.user_client.id,
            user=ana.name,
        )
        (folder / "config.toml").write_text(text)
        (folder / "client_secret").write_text(tenant.user_client.secret)
        yield Site(fake, folder, pool, ana.name, ana.password)
