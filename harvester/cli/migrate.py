"""The database brought to this program's schema, without harvesting."""

import asyncio

import typer

from harvester import config
from harvester import migrate as room
from harvester.cli.options import DEFAULT_CONFIG, ConfigFile
from harvester.config import Settings
from harvester.service.database import reached
from harvester.store.pool import connected


def migrate(config_file: ConfigFile = DEFAULT_CONFIG) -> None:
    """Bring the database to the schema of this program.

    What is missing is applied, each file in a transaction of its own, and named. The daemon does
    the same when it starts; here it can be done beforehand, or by hand. Two at once do no harm:
    one waits for the other.

    \b
    Example: harvester migrate --config config.toml
    """
    applied = asyncio.run(_migrated(config.load(config_file)))
    for name in applied:
        typer.echo(f"applied {name}")
    if not applied:
        typer.echo("The database is up to date.")


async def _migrated(settings: Settings) -> list[str]:
    async with reached(settings) as login, connected(login.dsn, login.password) as connection:
        return await room.migrate(connection)
