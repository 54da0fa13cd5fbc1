"""Accounts of a tenant with sealed values in their rows, and what these are when opened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harvester.vault import Context, KeyRing, Sealed

if TYPE_CHECKING:
    from harvester.store.pool import Connection, Pool

FIELDS = {
    "access_token": "key_id",
    "refresh_token": "key_id",
    "judged": "judged_key_id",
    "password": "password_key_id",
}
DEPLOYMENT = "harvester"

_TENANT = """
insert into harvester_data.tenant (name, platform) values ($1, 'mydevices')
on conflict (name) do update set platform = excluded.platform returning tenant_id
"""
_ACCOUNT = """
insert into harvester_data.account (tenant_id, user_name) values ($1, $2) returning account_id
"""
_CREDENTIAL = """
insert into vault.credential
    (account_id, since, obtained_at, key_id, access_token, refresh_token, judged_key_id, judged,
     password_key_id, password)
values ($1, now(), now(), $2, $3, $4, $2, $5, $2, $6)
"""
_ROWS = """
select t.name as tenant, coalesce(a.user_name, '') as "user", c.*
from vault.credential c
join harvester_data.account a using (account_id) join harvester_data.tenant t using (tenant_id)
order by account_id
"""


async def seal_rows(
    pool: Pool | Connection, ring: KeyRing, users: Sequence[str | None], tenant: str = "acme"
) -> list[int]:
    """Accounts of these users, each value the name of its field; their ids."""
    tenant_id = await pool.fetchval(_TENANT, tenant)
    ids = []
    for user in users:
        ids.append(await pool.fetchval(_ACCOUNT, tenant_id, user))
        context = [Context(DEPLOYMENT, tenant, user or "", field) for field in FIELDS]
        data = [ring.seal(each.field, each).data for each in context]
        await pool.execute(_CREDENTIAL, ids[-1], ring.sealing, *data)
    return ids


async def opened_rows(
    pool: Pool | Connection, ring: KeyRing
) -> dict[tuple[str, str], tuple[str, str]]:
    """By user and field: the id of the key, and the value. Raises SealBroken."""
    found = {}
    for row in await pool.fetch(_ROWS):
        for field, column in FIELDS.items():
            if row[field] is not None:
                context = Context(DEPLOYMENT, row["tenant"], row["user"], field)
                text = ring.open(Sealed(row[column], row[field]), context)
                found[row["user"], field] = (row[column], text)
    return found
