"""The credentials of accounts, sealed, and where each stands in its life: one row an account.

Whoever writes holds the account's lease. A generation is never overwritten by an older one, and a
change of state leaves what is sealed as it is: keys may be rotated at the same time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from harvester.errors import Fenced
from harvester.store.pool import translated

if TYPE_CHECKING:
    from harvester.store.pool import Connection, Pool

_LOAD = """
select state, reason, since, asked_grant, asked_at, doubt, spent, tries, refused,
       judged_key_id, judged,
       generation, key_id, access_token, expires_at, refresh_token, refresh_expires_at,
       obtained_at, logged_in_at, ends_at, password_key_id, password
from vault.credential where account_id = $1
"""

_STAND = """
insert into vault.credential as credential
    (account_id, state, reason, since, asked_grant, asked_at, doubt, spent, tries, refused,
     judged_key_id, judged)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
on conflict (account_id) do update
set state = excluded.state, reason = excluded.reason, since = excluded.since,
    asked_grant = excluded.asked_grant, asked_at = excluded.asked_at, doubt = excluded.doubt,
    spent = excluded.spent, tries = excluded.tries, refused = excluded.refused,
    judged_key_id = excluded.judged_key_id, judged = excluded.judged
"""

_SAVE = """
update vault.credential
set generation = $2, key_id = $3, access_token = $4, expires_at = $5, refresh_token = $6,
    refresh_expires_at = $7, obtained_at = $8, logged_in_at = $9, ends_at = $10
where account_id = $1 and generation < $2
returning 1
"""

_CHECK = """
select set_config(
    'synchronous_commit', replace(current_setting('synchronous_commit'), 'off', 'local'), true)
from harvester_data.account_lease where account_id = $1 and fence = $2 for key share
"""

_KEEP = "update vault.credential set password_key_id = $2, password = $3 where account_id = $1"

_ERASE = """
update vault.credential
set access_token = null, expires_at = null, refresh_token = null, refresh_expires_at = null,
    ends_at = null, password_key_id = null, password = null,
    generation = generation + 1  -- what a spill file holds must not come back
where account_id = $1
returning (select c.access_token is not null or c.password is not null
           from vault.credential c where c.account_id = $1)
"""

_NOTE = """
insert into harvester_data.auth_event
    (account_id, at, "grant", outcome, reason, code, status, instance)
values ($1, $2, $3, $4, $5, $6, $7, $8)
"""

_FORGET_EVENTS = """
delete from harvester_data.auth_event
where event_id in (select event_id from harvester_data.auth_event
                   where at < now() - $1::interval order by at limit $2)
"""


@dataclass(frozen=True, slots=True)
class SealedLife:
    """`auth.life.Life` as it lies in the database, in the order of the columns."""

    state: str
    reason: str | None
    since: datetime
    asked_grant: str | None
    asked_at: datetime | None
    doubt: int
    spent: str | None
    tries: int
    refused: str | None
    judged_key_id: str | None
    judged: bytes | None


@dataclass(frozen=True, slots=True)
class SealedToken:
    """A token as it lies in the database; `key_id` names the key that sealed both parts."""

    generation: int
    key_id: str | None
    access_token: bytes | None
    expires_at: datetime | None
    refresh_token: bytes | None
    refresh_expires_at: datetime | None
    obtained_at: datetime | None
    logged_in_at: datetime | None
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class SealedPassword:
    """A kept password as it lies in the database."""

    key_id: str
    password: bytes


@dataclass(frozen=True, slots=True)
class Row:
    """All that is kept of an account. A token without an access token was logged out."""

    life: SealedLife
    token: SealedToken
    password: SealedPassword | None


@dataclass(frozen=True, slots=True)
class Event:
    """For the audit trail, in the order of the columns."""

    at: datetime
    grant: str
    outcome: str
    reason: str | None
    code: str | None
    status: int | None
    instance: str


async def load(pool: Pool, account_id: int) -> Row | None:
    """The account's row, if it ever had one."""
    with translated():
        row = await pool.fetchrow(_LOAD, account_id)
    if row is None:
        return None
    key_id, password = row[20:]
    kept = SealedPassword(key_id, password) if password is not None else None
    return Row(SealedLife(*row[:11]), SealedToken(*row[11:20]), kept)


async def stand(
    pool: Pool, account_id: int, fence: int, life: SealedLife, event: Event | None = None
) -> None:
    """Change where the account stands, with what led there. Raises Fenced, StoreUnavailable."""
    async with _writing(pool, account_id, fence) as connection:
        await _stand(connection, account_id, life, event)


async def save(
    pool: Pool, account_id: int, fence: int, life: SealedLife, token: SealedToken, event: Event
) -> None:
    """A new token. Raises Fenced, also where a newer generation is there, and StoreUnavailable."""
    async with _writing(pool, account_id, fence) as connection:
        await _stand(connection, account_id, life, event)
        await _save(connection, account_id, token)


async def save_login(
    pool: Pool,
    account_id: int,
    fence: int,
    life: SealedLife,
    token: SealedToken,
    password: SealedPassword | None,
    event: Event,
) -> None:
    """What a person's login gave, and its password in the place of one kept before.

    Raises Fenced as `save` does.
    """
    async with _writing(pool, account_id, fence) as connection:
        await _stand(connection, account_id, life, event)
        await _save(connection, account_id, token)
        kept = astuple(password) if password else (None, None)
        await connection.execute(_KEEP, account_id, *kept)


async def forget(pool: Pool, account_id: int, fence: int, life: SealedLife, event: Event) -> bool:
    """Erase the account's token and kept password; whether there was any. Raises Fenced."""
    async with _writing(pool, account_id, fence) as connection:
        kept: bool | None = await connection.fetchval(_ERASE, account_id)
        if kept is None:
            return False
        await _stand(connection, account_id, life, event)
    return kept


async def note(pool: Pool, account_id: int, event: Event) -> None:
    """Add to the audit trail. Raises StoreUnavailable."""
    with translated():
        await pool.execute(_NOTE, account_id, *astuple(event))


async def forget_events(pool: Pool, older: timedelta, at_once: int) -> int:
    """Delete audit events older than that, so many at most; how many it were."""
    with translated():
        tag: str = await pool.execute(_FORGET_EVENTS, older, at_once)
    return int(tag.rpartition(" ")[2])


@asynccontextmanager
async def _writing(pool: Pool, account_id: int, fence: int) -> AsyncIterator[Connection]:
    """A transaction that begins only while the fence holds. Raises Fenced, StoreUnavailable."""
    with translated():
        async with pool.acquire() as connection, connection.transaction():
            if await connection.fetchrow(_CHECK, account_id, fence) is None:
                raise Fenced(f"account {account_id} was taken by another instance")
            yield connection


async def _stand(
    connection: Connection, account_id: int, life: SealedLife, event: Event | None
) -> None:
    await connection.execute(_STAND, account_id, *astuple(life))
    if event is not None:
        await connection.execute(_NOTE, account_id, *astuple(event))


async def _save(connection: Connection, account_id: int, token: SealedToken) -> None:
    if not await connection.fetchval(_SAVE, account_id, *astuple(token)):
        raise Fenced(f"account {account_id} was renewed by another instance")
