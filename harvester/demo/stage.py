"""What a demo needs, started in order, gone in the end: folder, platforms, settings, Postgres."""

from __future__ import annotations

import asyncio
import secrets
import shlex
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from harvester import config, embedded, logs
from harvester.demo.comparison import Key
from harvester.migrate import migrate
from harvester.service.database import Login, reached
from harvester.simulator.clock import RealClock
from harvester.simulator.configured import Served, configure
from harvester.simulator.fakes import Fake, simulated
from harvester.simulator.world import World, lively
from harvester.store.pool import connected

CUSTOMER = "acme"
INTERVAL = "3s"
VISITOR = "visitor"
"""A person's login: it sees the views, and nothing else."""

_MAKE_VISITOR = """
select format('create role visitor login in role harvester_reader password %L', $1::text)
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """A demo that is set up, before anything is harvested. `fakes` of the tenants speak for one
    world; `psql` is a line for a shell.
    """

    world: World
    fakes: Mapping[str, Fake]
    settings: config.Settings
    database: Login
    psql: str
    log: Path

    @property
    def metrics_url(self) -> str:
        return f"http://{self.settings.web.host}:{self.settings.web.port}/metrics"

    def published(self, tenant: str) -> dict[Key, float | str]:
        """What its platform has published up to now."""
        truth = self.fakes[tenant].truth(CUSTOMER)
        return {(tenant, *key): value for key, value in truth.items()}


@asynccontextmanager
async def staged(platforms: Sequence[str]) -> AsyncIterator[Stage]:
    """Set everything up, and take it away again. Raises UserError where it cannot be had."""
    world = lively("demo", RealClock(), [CUSTOMER])
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(_folder())
        log = stack.enter_context(_logged(folder / "harvester.log"))
        fakes = {
            each: await stack.enter_async_context(simulated(each).serve(world))
            for each in platforms
        }
        served = [Served(each, world, fake.url, f"-{each}") for each, fake in fakes.items()]
        settings = await asyncio.to_thread(_settings, served, folder)
        # The daemon will share the Postgres: the last one to leave stops it.
        database = await stack.enter_async_context(reached(settings))
        psql = await _visited(cast("embedded.Running", database.server), folder)
        of_tenants = {name: fakes[each.platform] for each in served for name in each.tenants}
        yield Stage(world, of_tenants, settings, database, psql, log)


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="harvester-demo-") as name:
        # A root without namespaces runs Postgres as nobody, who must be able to pass through.
        Path(name).chmod(0o711)
        yield Path(name)


@contextmanager
def _logged(path: Path) -> Iterator[Path]:
    """The daemon's words go to a file: they would tear the picture apart."""
    with path.open("w", encoding="utf-8") as stream:
        logs.set_up(stream)
        yield path


def _settings(served: Sequence[Served], folder: Path) -> config.Settings:
    # Any port, not the usual one: two demos may begin at once, and a daemon may run beside them.
    port = embedded.free_port(0)
    return config.load(configure(served, folder, interval=INTERVAL, web_port=port))


async def _visited(running: embedded.Running, folder: Path) -> str:
    """Give people a login of their own; the line that opens psql with it."""
    server, password = running.server, secrets.token_urlsafe(16)
    async with connected(server.dsn, server.password) as connection:
        await migrate(connection)
        await connection.execute(
            await connection.fetchval(_MAKE_VISITOR, embedded.verifier(password))
        )
    passfile = folder / "pgpass"
    passfile.touch(mode=0o600)
    passfile.write_text(f"{server.host}:{server.port}:{server.database}:{VISITOR}:{password}\n")
    psql = "psql" if shutil.which("psql") else str(running.programs / "psql")
    where = ["-h", server.host, "-p", str(server.port), "-U", VISITOR, server.database]
    return f"PGPASSFILE={shlex.quote(str(passfile))} {shlex.join([psql, *where])}"
