"""As whom we speak to the embedded Postgres: its two logins and their passwords.

The passwords are random, each in a private file. The application's role and database are looked at
and completed at each start.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from harvester.embedded.files import write_private
from harvester.errors import EmbeddedPostgresError

HOST = "127.0.0.1"
SUPERUSER = "postgres"
APPLICATION = "harvester"  # the role that owns the database of the same name

_ITERATIONS = 4096  # Postgres's own default; the password is random, so more would not help
_SECONDS = 60
_REFUSALS = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what asyncpg makes of a server that dies between two queries
)


@dataclass(frozen=True, slots=True)
class Server:
    """One login at one server. There is no TLS: give asyncpg `ssl=False` and the password."""

    host: str
    port: int
    user: str
    database: str
    password: str = field(repr=False)

    @property
    def dsn(self) -> str:
        """Without the password, so that it may be shown and logged."""
        return f"postgresql://{self.user}@{self.host}:{self.port}/{self.database}"


def superuser_file(home: Path) -> Path:
    return home / "superuser.password"


def superuser_password(home: Path) -> str:
    """Raises EmbeddedPostgresError where it is lost: nobody else can set it anew."""
    try:
        return superuser_file(home).read_text().strip()
    except FileNotFoundError:
        raise EmbeddedPostgresError(
            f"The password file {superuser_file(home)} is missing: bring it back from a backup, "
            f"or move {home} away to begin with an empty database."
        ) from None


def application_password(home: Path) -> str:
    """Made where it is missing; the role is given it at each start."""
    path = home / "harvester.password"
    if not path.exists():
        make_password(path)
    return path.read_text().strip()


def make_password(path: Path) -> None:
    # Durable before it is used: a password that a power cut takes back would lock us out.
    write_private(path, secrets.token_urlsafe(32) + "\n")


def verifier(password: str) -> str:
    """What Postgres stores of it (RFC 5803). Sent instead of the password, so that no setting of
    the server can bring the password into its log."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    parts = (base64.b64encode(part).decode() for part in (salt, stored, server))
    return "SCRAM-SHA-256${}:{}${}:{}".format(_ITERATIONS, *parts)


def ensure_application(superuser: Server, application: Server) -> None:
    """Raises EmbeddedPostgresError where the server does not let its own superuser do it."""
    try:
        asyncio.run(asyncio.wait_for(_complete(superuser, application), _SECONDS))
    except _REFUSALS as error:
        said = " / ".join(str(error).splitlines()) or type(error).__name__
        raise EmbeddedPostgresError(
            f"The embedded Postgres at {superuser.dsn} could not be set up: {said}"
        ) from error


async def _complete(superuser: Server, application: Server) -> None:
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
