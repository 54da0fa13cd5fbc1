"""Sealed tokens, one row an account; a generation is never overwritten by an older one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from harvester.errors import Fenced
from harvester.store.pool import translated

if TYPE_CHECKING:
    from harvester.store.pool import Pool

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


@dataclass(frozen=True, slots=True)
class SealedToken:
    """A token as it lies in the database. `key_id` names the key that sealed both tokens."""

    generation: int
    key_id: str
    access_token: bytes
    expires_at: datetime | None
    refresh_token: bytes | None
    refresh_expires_at: datetime | None
    saved_at: datetime


async def load(pool: Pool, account_id: int) -> SealedToken | None:
    """The newest token of the account, if there ever was one."""
    with translated():
        row = await pool.fetchrow(_LOAD, account_id)
    return SealedToken(*row) if row else None


async def save(pool: Pool, account_id: int, fence: int, token: SealedToken) -> None:
    """Raises Fenced where another instance has taken the account, or saved a newer generation."""
    with translated():
        saved = await pool.fetchval(
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
