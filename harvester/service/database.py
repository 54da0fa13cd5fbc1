"""The configured database: the server that was named, or the embedded Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harvester import embedded
from harvester.config import Settings
from harvester.errors import DatabaseError
from harvester.migrate import pending
from harvester.store.pool import open_pool

if TYPE_CHECKING:
    from harvester.store.pool import Pool

NOT_MADE = "not made yet; harvester run makes it"


@dataclass(frozen=True, slots=True)
class Login:
    """How to connect, and the embedded Postgres where it is that."""

    dsn: str
    password: str | None = field(repr=False)
    server: embedded.Running | None = None


@asynccontextmanager
async def reached(settings: Settings) -> AsyncIterator[Login]:
    """A login; the embedded Postgres is made and started for it where it is not.

    Raises EmbeddedPostgresError.
    """
    if settings.database.dsn is not None:
        password = settings.database.password
        yield Login(settings.database.dsn, password.get_secret_value() if password else None)
        return
    starting = asyncio.create_task(asyncio.to_thread(embedded.start, settings.state_directory))
    try:
        running = await asyncio.shield(starting)
        yield Login(running.server.dsn, running.server.password, running)
    finally:
        # Who is cancelled before it runs must leave it all the same: its thread goes on.
        await asyncio.to_thread((await starting).leave)


def exists(settings: Settings) -> bool:
    """Whether there is a database to connect to, as far as this machine tells."""
    return settings.database.dsn is not None or embedded.is_made(settings.state_directory)


@asynccontextmanager
async def reading(settings: Settings) -> AsyncIterator[Pool]:
    """The database as the daemon left it: neither made nor migrated here.

    Raises DatabaseError where it is not there, or is not this program's.
    """
    if not await asyncio.to_thread(exists, settings):
        raise DatabaseError(f"The database of {settings.state_directory} is {NOT_MADE}.")
    async with reached(settings) as login, open_pool(login.dsn, login.password) as pool:
        async with pool.acquire() as connection:
            missing = await pending(connection)
        if missing:
            raise not_migrated(missing)
        yield pool


def not_migrated(missing: list[str]) -> DatabaseError:
    return DatabaseError(
        f"The database is not migrated: it lacks {', '.join(missing)}. "
        "Run harvester migrate; harvester run does it too."
    )
