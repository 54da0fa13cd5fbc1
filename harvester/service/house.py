"""What all tenants of a daemon share, opened in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from harvester import embedded
from harvester.clock import Clock
from harvester.config import Settings
from harvester.migrate import migrate, migrations, pending
from harvester.service.database import not_migrated, reached
from harvester.service.presence import Presence
from harvester.store.partitions import Partitions
from harvester.store.pool import connected, open_pool
from harvester.vault import Keys, OwnKeyFile

if TYPE_CHECKING:
    import asyncpg

    from harvester.store.pool import Pool

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class House:
    """What all tenants of a daemon share."""

    pool: Pool
    keys: Keys
    partitions: Partitions
    clock: Clock
    deployment: str
    owner: str
    server: embedded.Running | None
    presence: Presence
    spills: Path
    """Where tokens wait while the database is away."""


@asynccontextmanager
async def opened(
    settings: Settings, clock: Clock, owner: str, *, upgrades: bool = True
) -> AsyncIterator[House]:
    """The keys and the migrated database, without anything at work yet. Raises UserError.

    Where it shall not be upgraded, an older database is refused; an empty one is migrated all
    the same.
    """
    keys = await asyncio.to_thread(_keys, settings, clock)
    async with reached(settings) as login:
        async with connected(login.dsn, login.password) as connection:
            if not upgrades:
                await _refuse_older(connection)
            applied = await migrate(connection)
        _log.info("database ready", dsn=login.dsn, migrated=len(applied))
        async with open_pool(login.dsn, login.password) as pool:
            yield House(
                pool=pool,
                keys=keys,
                partitions=Partitions(pool, settings.database.partition),
                clock=clock,
                deployment=settings.deployment,
                owner=owner,
                server=login.server,
                presence=Presence(pool),
                spills=settings.state_directory / "spill",
            )


async def _refuse_older(connection: asyncpg.Connection[Any]) -> None:
    """Under a daemon of an older program, nobody else may change the tables."""
    missing, known = await pending(connection), await asyncio.to_thread(migrations)
    if 0 < len(missing) < len(known):
        raise not_migrated(missing)


def _keys(settings: Settings, clock: Clock) -> Keys:
    """The configured keys, which must be there, or the state directory's own."""
    source = settings.keys
    if isinstance(source, OwnKeyFile) and source.make():
        _log.info("made a key file; who loses it must log in again", file=str(source))
    return Keys(source.load, clock)
