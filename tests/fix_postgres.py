"""A real Postgres for the tests: a temporary one, unless HARVESTER_TEST_DSN names another.

The user of that DSN makes databases and roles (superuser, or CREATEDB and CREATEROLE).
HARVESTER_TEST_POSTGRES=system takes the programs of the system's Postgres, not the wheel's.
The schema is applied once, to a template; each test has a copy of it, owned by who applied it.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import unquote, urlsplit

import asyncpg
import pytest

from harvester import embedded
from harvester.embedded import place
from harvester.embedded.locks import is_free, poll
from harvester.embedded.pidfile import read_postmaster

Connection: TypeAlias = "asyncpg.Connection[Any]"
_FAST = ("fsync", "full_page_writes", "synchronous_commit")  # off: a crash may cost it all
_ROOM = 2 * 2**30  # bytes; a container gives 64 MB, which would not do
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Database:
    """A database and who connects to it. `ssl` is asyncpg's: None leaves it to asyncpg."""

    dsn: str
    password: str | None = field(repr=False)
    ssl: bool | None = None

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Connection]:
        connection = await asyncpg.connect(self.dsn, password=self.password, ssl=self.ssl)
        try:
            yield connection
        finally:
            await connection.close()

    def pooled(self) -> asyncpg.Pool[asyncpg.Record]:
        """A pool to be entered."""
        return asyncpg.create_pool(self.dsn, password=self.password, ssl=self.ssl, min_size=1)

    def named(self, name: str) -> Database:
        return replace(self, dsn=urlsplit(self.dsn)._replace(path=f"/{name}").geturl())


@dataclass(frozen=True, slots=True)
class Postgres:
    """`maker` makes databases, which belong to `owner`, who connects with `login`."""

    maker: Connection
    owner: str
    login: Database

    @asynccontextmanager
    async def made(self, template: str) -> AsyncIterator[Database]:
        name = f"harvester_test_{os.getpid()}_{next(_numbers)}"
        await self.maker.execute(
            f'create database {name} owner "{self.owner}" template {template} strategy file_copy'
        )
        try:
            yield self.login.named(name)
        finally:
            await self.maker.execute(f"drop database {name} with (force)")


@pytest.fixture(scope="session")
async def postgres() -> AsyncIterator[Postgres]:
    named = os.environ.get("HARVESTER_TEST_DSN")
    server = _named(named) if named else _temporary()
    async with server as (maker, login), maker.connected() as making:
        async with login.connected() as owning:
            owner = await owning.fetchval("select current_user")
        yield Postgres(making, owner, login)


@pytest.fixture(scope="session")
async def template(postgres: Postgres) -> AsyncIterator[str]:
    """The name of a database that has the schema and no rows."""
    from harvester.migrate import migrate

    async with postgres.made("template1") as database:
        async with database.connected() as connection:
            await migrate(connection)
        yield urlsplit(database.dsn).path.lstrip("/")


@pytest.fixture
async def database(postgres: Postgres, template: str) -> AsyncIterator[Database]:
    """A fresh one, with the schema."""
    async with postgres.made(template) as database:
        yield database


@pytest.fixture
async def connection(database: Database) -> AsyncIterator[Connection]:
    """To `database`, as its owner."""
    async with database.connected() as connection:
        yield connection


@asynccontextmanager
async def _named(dsn: str) -> AsyncIterator[tuple[Database, Database]]:
    parts = urlsplit(dsn)
    password = unquote(parts.password) if parts.password else None
    place = parts.netloc.replace(f":{parts.password}@", "@")
    login = Database(parts._replace(netloc=place).geturl(), password)
    yield login, login


@asynccontextmanager
async def _temporary() -> AsyncIterator[tuple[Database, Database]]:
    with _folder() as folder:
        running = await asyncio.to_thread(_start, folder)
        try:
            maker, login = (
                Database(server.dsn, server.password, ssl=False)
                for server in (running.superuser, running.server)
            )
            await _make_fast(maker)
            yield maker, login
        finally:
            await asyncio.to_thread(running.leave)


@contextmanager
def _folder() -> Iterator[Path]:
    """In memory, where a copy of a database takes 20 ms; on a slow disk it takes ten times that."""
    memory = Path("/dev/shm")  # noqa: S108  a random name is made there
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > _ROOM
    parent = memory if roomy and os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="harvester-test-", dir=parent) as folder:
        # Else root in a container, which must run Postgres as nobody, would put it elsewhere.
        Path(folder).chmod(0o755)
        yield Path(folder)


def _start(state: Path) -> embedded.Running:
    if os.environ.get("HARVESTER_TEST_POSTGRES") != "system":
        return embedded.start(state)
    system = embedded.system_binaries()
    assert system, "this machine has no Postgres 15 to 18 beside the wheel"
    return embedded.start(state, system)


async def _make_fast(maker: Database) -> None:
    async with maker.connected() as connection:
        for setting in _FAST:
            await connection.execute(f"alter system set {setting} = off")
        await connection.execute("select pg_reload_conf()")


@pytest.fixture
def empty_state(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A state directory that every user can pass through, with a place outside of it.

    A server that a failed test leaves in it is ended.
    """
    with _folder() as folder:
        state, outside = folder / "state", folder / "outside"
        for made in (state, outside):
            made.mkdir(mode=0o755)
        monkeypatch.setattr(place, "OUTSIDE", outside)
        yield state
        if postmaster := read_postmaster(state / "postgres/data"):
            os.kill(postmaster.pid, signal.SIGQUIT)
            poll(lambda: is_free(state / "postgres/server.lock") or None, seconds=10)


@pytest.fixture(scope="session")
def made_state() -> Iterator[Path]:
    """A state directory whose embedded server was started once. Not to be touched."""
    with _folder() as folder:
        _start(folder).leave()
        yield folder


@pytest.fixture
def state(empty_state: Path, made_state: Path) -> Path:
    """A copy of it, owners and all."""
    subprocess.run(["cp", "-a", f"{made_state}/.", empty_state], check=True)
    return empty_state
