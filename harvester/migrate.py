"""Brings a database to the schema of this program: numbered files of `sql/`, forward only."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

import asyncpg

from harvester.errors import DatabaseError

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Session = asyncpg.Connection[Any] | PoolConnectionProxy[Any]

OLDEST_POSTGRES = 15
_FAILURES = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)
_LOCK = 0x6861727665737465  # "harveste": one migration of a database at a time

_OWNER = (
    "The role that harvester connects as must own the database; and either it has CREATEROLE, or "
    "an administrator makes the readers' role first: CREATE ROLE harvester_reader NOLOGIN."
)
_READER = (
    "Commands need the role that harvester run connects as; members of harvester_reader use psql."
)

_LEDGER = """
create schema if not exists harvester_data;
create table if not exists harvester_data.migration (
    version int primary key,
    name text not null,
    checksum text not null,
    applied_at timestamptz not null default now()
)
"""

_HAS_LEDGER = "select to_regclass('harvester_data.migration') is not null"


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of `sql/`; its number is its version."""

    version: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrations() -> list[Migration]:
    """The files `sql/NNNN_name.sql` of this program, in order."""
    return sorted(_files(), key=lambda migration: migration.version)


def _files() -> Iterator[Migration]:
    for file in (resources.files("harvester") / "sql").iterdir():
        if file.name.endswith(".sql"):
            yield Migration(int(file.name[:4]), file.name, file.read_text("utf-8"))


async def migrate(connection: asyncpg.Connection[Any]) -> list[str]:
    """Apply what is missing, each file in a transaction of its own; the names of those applied.

    Raises DatabaseError where the database is too old a Postgres, is newer than this program,
    was migrated with files that are not ours, or refuses.
    """
    _check_server(connection)
    known = await asyncio.to_thread(migrations)
    with _told("migrated", _OWNER):
        await connection.execute("select pg_advisory_lock($1)", _LOCK)
        try:
            return await _apply_missing(connection, known)
        finally:
            await connection.execute("select pg_advisory_unlock($1)", _LOCK)


async def pending(connection: Session) -> list[str]:
    """The names of the files that `migrate` would apply. Changes nothing.

    Raises DatabaseError as `migrate` does.
    """
    _check_server(connection)
    known = await asyncio.to_thread(migrations)
    with _told("read", _READER):
        has_ledger = await connection.fetchval(_HAS_LEDGER)
        applied = await _check_ledger(connection, known) if has_ledger else 0
    return [migration.name for migration in known if migration.version > applied]


def _check_server(connection: Session) -> None:
    version = connection.get_server_version()
    if version.major < OLDEST_POSTGRES:
        raise DatabaseError(
            f"The database is Postgres {version.major}; harvester needs {OLDEST_POSTGRES} or newer."
        )


async def _check_ledger(connection: Session, known: list[Migration]) -> int:
    rows = await connection.fetch(
        "select version, name, checksum from harvester_data.migration order by version"
    )
    ours = {migration.version: migration for migration in known}
    for row in rows:
        if row["version"] not in ours:
            raise DatabaseError(
                f"The database is newer than this program: it has {row['name']}, and this program "
                f"ends at version {max(ours)}. Install the newer harvester."
            )
        if row["checksum"] != ours[row["version"]].checksum:
            raise DatabaseError(
                f"The database was made with another {row['name']} than this program carries. "
                "Install the harvester that made it, or start with a new database."
            )
    return rows[-1]["version"] if rows else 0


async def _apply_missing(connection: asyncpg.Connection[Any], known: list[Migration]) -> list[str]:
    await connection.execute(_LEDGER)
    applied = await _check_ledger(connection, known)
    missing = [migration for migration in known if migration.version > applied]
    for migration in missing:
        await _apply(connection, migration)
    return [migration.name for migration in missing]


async def _apply(connection: asyncpg.Connection[Any], migration: Migration) -> None:
    async with connection.transaction():
        await connection.execute(migration.text)
        await connection.execute(
            "insert into harvester_data.migration (version, name, checksum) values ($1, $2, $3)",
            migration.version,
            migration.name,
            migration.checksum,
        )


@contextmanager
def _told(done: str, advice: str) -> Iterator[None]:
    try:
        yield
    except asyncpg.InsufficientPrivilegeError as error:
        raise DatabaseError(f"The database refused to be {done}: {error}. {advice}") from error
    except _FAILURES as error:
        raise DatabaseError(f"The database could not be {done}: {error}") from error
