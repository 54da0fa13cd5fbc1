"""All that lies sealed of all accounts, to be sealed anew under another key.

No lease is taken, as a renewal holds it for as long as its platform takes to answer. A row is
written only while it is, to the last byte, what was read, and its generation stays: what another
writes meanwhile is never written over, and nobody who renews notices.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

from harvester.store.pool import translated

if TYPE_CHECKING:
    from harvester.store.pool import Pool

AT_ONCE = 500
"""Rows that are held in memory together; a token may have some kilobytes."""

_NEXT = """
select c.account_id, t.name, coalesce(a.user_name, ''),
       c.key_id, c.access_token, c.refresh_token,
       c.judged_key_id, c.judged, c.password_key_id, c.password
from vault.credential c
join harvester_data.account a on a.account_id = c.account_id
join harvester_data.tenant t on t.tenant_id = a.tenant_id
where c.account_id > $1
order by c.account_id
limit $2
"""

_REPLACE = """
update vault.credential
set key_id = $2, access_token = $3, refresh_token = $4,
    judged_key_id = $5, judged = $6, password_key_id = $7, password = $8
where account_id = $1
  and (key_id, access_token, refresh_token, judged_key_id, judged, password_key_id, password)
      is not distinct from ($9::text, $10::bytea, $11::bytea, $12::text, $13::bytea, $14::text,
                            $15::bytea)
returning 1
"""


@dataclass(frozen=True, slots=True)
class SealedFields:
    """In the order of the columns; a key's id stands before all that it sealed."""

    key_id: str | None
    access_token: bytes | None
    refresh_token: bytes | None
    judged_key_id: str | None
    judged: bytes | None
    password_key_id: str | None
    password: bytes | None


@dataclass(frozen=True, slots=True)
class SealedRow:
    """Of one account; `user` is "" for the tenant's own client."""

    account_id: int
    tenant: str
    user: str
    fields: SealedFields


async def rows(pool: Pool) -> AsyncIterator[SealedRow]:
    """All of them. Raises StoreUnavailable."""
    last = 0
    while True:
        with translated():
            found = await pool.fetch(_NEXT, last, AT_ONCE)
        for row in found:
            yield SealedRow(row[0], row[1], row[2], SealedFields(*row[3:]))
        if len(found) < AT_ONCE:
            return
        last = found[-1][0]


async def replace(pool: Pool, row: SealedRow, anew: SealedFields) -> bool:
    """Put `anew` in the place of what was read; False where it is no longer there.

    Raises StoreUnavailable.
    """
    with translated():
        written = await pool.fetchval(
            _REPLACE, row.account_id, *astuple(anew), *astuple(row.fields)
        )
    return written is not None
