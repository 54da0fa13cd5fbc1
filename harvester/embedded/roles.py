"""The application's role and database in the cluster, looked at and completed at each start."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg

from harvester.embedded.passwords import verifier
from harvester.embedded.server import Server
from harvester.errors import EmbeddedPostgresError

_SECONDS = 60
_REFUSALS = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what asyncpg makes of a server that dies between two queries
)


def ensure(superuser: Server, application: Server) -> None:
    """Raises EmbeddedPostgresError where the server does not let its own superuser do it."""
    try:
        asyncio.run(asyncio.wait_for(_ensure(superuser, application), _SECONDS))
    except _REFUSALS as error:
        said = " / ".join(str(error).splitlines()) or type(error).__name__
        raise EmbeddedPostgresError(
            f"The embedded Postgres at {superuser.dsn} could not be set up: {said}"
        ) from error


async def _ensure(superuser: Server, application: Server) -> None:
    connection = await asyncpg.connect(superuser.dsn, password=superuser.password, ssl=False)
    try:
        await _ensure_role(connection, application)
        await _ensure_database(connection)
    finally:
        await connection.close()


async def _ensure_role(connection: asyncpg.Connection[Any], application: Server) -> None:
    if not await connection.fetchval("select 1 from pg_roles where rolname = 'harvester'"):
        await connection.execute("create role harvester")
    # Each time: the password's file may have been lost and made anew.
    alter = await connection.fetchval(
        "select format('alter role harvester login createrole password %L', $1::text)",
        verifier(application.password),
    )
    await connection.execute(alter)


async def _ensure_database(connection: asyncpg.Connection[Any]) -> None:
    if not await connection.fetchval("select 1 from pg_database where datname = 'harvester'"):
        await connection.execute("create database harvester owner harvester")
