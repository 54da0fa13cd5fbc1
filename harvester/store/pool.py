"""Connections to the database, and its errors in our words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qs, urlsplit

import asyncpg

from harvester.errors import DatabaseError, StoreUnavailable
from harvester.loopback import is_loopback

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Pool = asyncpg.Pool[asyncpg.Record]
    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]

CONNECT_TIMEOUT = 10  # seconds
COMMAND_TIMEOUT = 120  # seconds; asyncpg has none of its own
ANSWER_TIMEOUT = 60  # seconds, with the wait for a connection that is not in use
LARGEST_POOL = 8  # connections
# A writer that stalls holds its tenant's lease row; this bounds how long a takeover waits for it.
_IDLE_IN_TRANSACTION = "30s"

_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the server died between two messages
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.LockNotAvailableError,
    # A new connection is refused: a password or a database was changed under us.
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ObjectNotInPrerequisiteStateError,  # somebody closed the database to connections
    OSError,
    TimeoutError,
)


@asynccontextmanager
async def connected(dsn: str, password: str | None) -> AsyncIterator[asyncpg.Connection]:
    """One connection outside the pool, for migrations.

    Raises DatabaseError with a sentence for the operator where none can be had.
    """
    with _told(dsn):
        connection = await asyncpg.connect(
            dsn, password=password, ssl=_ssl(dsn), timeout=CONNECT_TIMEOUT
        )
    try:
        yield connection
    finally:
        await connection.close(timeout=CONNECT_TIMEOUT)


@asynccontextmanager
async def open_pool(dsn: str, password: str | None) -> AsyncIterator[Pool]:
    """The daemon's connections. Raises DatabaseError where none can be had."""
    with _told(dsn):
        pool = await asyncpg.create_pool(
            dsn,
            password=password,
            ssl=_ssl(dsn),
            min_size=1,
            max_size=LARGEST_POOL,
            timeout=CONNECT_TIMEOUT,
            command_timeout=COMMAND_TIMEOUT,
            init=_prepare,
            server_settings={
                "application_name": "harvester",
                "timezone": "UTC",
                "idle_in_transaction_session_timeout": _IDLE_IN_TRANSACTION,
            },
        )
    try:
        yield pool
    finally:
        pool.terminate()


async def answers(pool: Pool) -> None:
    """Return when the database has answered. Raises StoreUnavailable where it does not in time."""
    with translated():
        async with asyncio.timeout(ANSWER_TIMEOUT):
            await pool.fetchval("select 1")


@contextmanager
def translated() -> Iterator[None]:
    """Turn every "the database is away, or cannot now" into StoreUnavailable."""
    try:
        yield
    except _AWAY as error:
        raise StoreUnavailable(f"the database is away: {_first_line(error)}") from error


async def _prepare(connection: Connection) -> None:
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads
    )


@contextmanager
def _told(dsn: str) -> Iterator[None]:
    try:
        yield
    except (asyncpg.PostgresError, *_AWAY) as error:
        parts = urlsplit(dsn)
        raise DatabaseError(
            f"The database {parts.path.lstrip('/') or '(default)'} at "
            f"{parts.netloc.rpartition('@')[2] or 'local'} cannot be used: {_first_line(error)}. "
            "Check database.dsn and database.password, and that the server runs."
        ) from error


def _ssl(dsn: str) -> Literal[False, "require"] | None:
    """TLS everywhere but on loopback; `sslmode` in the dsn has the last word."""
    parts = urlsplit(dsn)
    if "sslmode" in parse_qs(parts.query):
        return None
    # Without a host asyncpg follows PGHOST, wherever it leads. A socket file takes no TLS anyway.
    return False if is_loopback(parts.hostname or "") else "require"


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
