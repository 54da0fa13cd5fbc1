"""The database brought to this program's schema, without harvesting."""

import asyncio
from pathlib import Path

import typer

from harvester import config, migrate as room
from harvester.config import Settings
from harvester.service.database import reached
from harvester.store.pool import connected


def migrate(config_file: Path) -> None:
    """Apply what is missing, and name it."""
    applied = asyncio.run(_migrated(config.load(config_file)))
    for name in applied:
        typer.echo(f"applied {name}")
    if not applied:
        typer.echo("The database is up to date.")


async def _migrated(settings: Settings) -> list[str]:
    async with reached(settings) as login, connected(login.dsn, login.password) as connection:
        return await room.migrate(connection)
