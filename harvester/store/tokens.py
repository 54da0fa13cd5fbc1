"""Sealed tokens, one row an account; a generation is never overwritten by an older one.

Beside them the passwords that a person let us keep, sealed too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from harvester.errors import Fenced
from harvester.store.pool import translated

if TYPE_CHECKING:
    from harvester.store.pool import Connection, Pool

_LOAD = """
select generation, key_id, access_token, expires_at, refresh_token, refresh_expires_at, saved_at
from vault.token where account_id = $1
"""

_SAVE = """
with held as (
    select account_id from harvester_data.account_lease
    where account_id = $1 and fence = $2 for key share
)
insert into vault.token as token
    (account_id, generation, key_id, access_token, expires_at, refresh_token, refresh_expires_at,
     saved_at)
select account_id, $3, $4, $5, $6, $7, $8, $9 from held
on conflict (account_id) do update
set generation = excluded.generation, key_id = excluded.key_id,
    access_token = excluded.access_token, expires_at = excluded.expires_at,
    refresh_token = excluded.refresh_token, refresh_expires_at = excluded.refresh_expires_at,
    saved_at = excluded.saved_at
where token.generation < excluded.generation
returning 1
"""

_CHECK = """
select from harvester_data.account_lease where account_id = $1 and fence = $2 for key share
"""

_ERASE = """
update vault.token
set access_token = null, expires_at = null, refresh_token = null, refresh_expires_at = null,
    saved_at = now()
where account_id = $1 and access_token is not null
"""

_LOAD_KEPT = "select key_id, password from vault.password where account_id = $1"

_KEEP = """
insert into vault.password (account_id, key_id, password, saved_at) values ($1, $2, $3, $4)
"""

_UNKEEP = "delete from vault.password where account_id = $1"


@dataclass(frozen=True, slots=True)
class SealedToken:
    """A token as it lies in the database. `key_id` names the key that sealed both tokens.

    Without an access token the account was logged out.
    """

    generation: int
    key_id: str
    access_token: bytes | None
    expires_at: datetime | None
    refresh_token: bytes | None
    refresh_expires_at: datetime | None
    saved_at: datetime


@dataclass(frozen=True, slots=True)
class SealedPassword:
    """A kept password as it lies in the database."""

    key_id: str
    password: bytes


async def load(pool: Pool, account_id: int) -> SealedToken | None:
    """The newest token of the account, if there ever was one."""
    with translated():
        row = await pool.fetchrow(_LOAD, account_id)
    return SealedToken(*row) if row else None


async def load_password(pool: Pool, account_id: int) -> SealedPassword | None:
    """The account's kept password, if there is one."""
    with translated():
        row = await pool.fetchrow(_LOAD_KEPT, account_id)
    return SealedPassword(*row) if row else None


async def save(pool: Pool, account_id: int, fence: int, token: SealedToken) -> None:
    """Raises Fenced where another instance has taken the account, or saved a newer generation."""
    with translated():
        await _save(pool, account_id, fence, token)


async def save_login(
    pool: Pool, account_id: int, fence: int, token: SealedToken, password: SealedPassword | None
) -> None:
    """What a person's login gave, and its password in the place of one kept before; both or none.

    Raises Fenced as `save` does.
    """
    async with _writing(pool, account_id, fence) as connection:
        await _save(connection, account_id, fence, token)
        await connection.execute(_UNKEEP, account_id)
        if password is not None:
            await connection.execute(
                _KEEP, account_id, password.key_id, password.password, token.saved_at
            )


async def forget(pool: Pool, account_id: int, fence: int) -> bool:
    """Erase the account's token and kept password; whether there was any. Raises Fenced."""
    async with _writing(pool, account_id, fence) as connection:
        tags = [
            await connection.execute(_ERASE, account_id),
            await connection.execute(_UNKEEP, account_id),
        ]
    return tags != ["UPDATE 0", "DELETE 0"]


@asynccontextmanager
async def _writing(pool: Pool, account_id: int, fence: int) -> AsyncIterator[Connection]:
    """A transaction that begins only while the fence holds. Raises Fenced, StoreUnavailable."""
    with translated():
        async with pool.acquire() as connection, connection.transaction():
            if await connection.fetchrow(_CHECK, account_id, fence) is None:
                raise Fenced(f"account {account_id} was taken by another instance")
            yield connection


async def _save(
    connection: Pool | Connection, account_id: int, fence: int, token: SealedToken
) -> None:
    saved = await connection.fetchval(
        _SAVE,
        account_id,
        fence,
        token.generation,
        token.key_id,
        token.access_token,
        token.expires_at,
        token.refresh_token,
        token.refresh_expires_at,
        token.saved_at,
    )
    if not saved:
        raise Fenced(f"account {account_id} was renewed by another instance")
