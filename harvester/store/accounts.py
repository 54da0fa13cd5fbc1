"""Accounts as people are told of them: which there are, and how the credential of each stands.

Nothing in it is secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from harvester.store.pool import translated

if TYPE_CHECKING:
    from harvester.store.pool import Pool

_STATES = """
select tenant, "user", state, reason, since, obtained_at, expires_at, refresh_expires_at, ends_at,
       logged_in_at, tries, refused, renewable, keeps_password
from harvester.accounts where tenant = any ($1::text[]) order by tenant, "user"
"""

_IDS = """
select t.name, a.user_name, a.account_id
from harvester_data.account a
join harvester_data.tenant t on t.tenant_id = a.tenant_id
where t.name = any ($1::text[])
"""


@dataclass(frozen=True, slots=True)
class AccountState:
    """One row of the view `harvester.accounts`, whose columns these are; else one never seen."""

    tenant: str
    user: str | None
    state: str = "unproven"
    reason: str | None = None
    since: datetime | None = None
    obtained_at: datetime | None = None
    expires_at: datetime | None = None
    refresh_expires_at: datetime | None = None
    ends_at: datetime | None = None
    logged_in_at: datetime | None = None
    tries: int | None = None
    refused: str | None = None
    renewable: bool = False
    keeps_password: bool = False


async def states(pool: Pool, tenants: list[str]) -> list[AccountState]:
    """The accounts that were ever seen of these tenants. Raises StoreUnavailable."""
    with translated():
        return [AccountState(**row) for row in await pool.fetch(_STATES, tenants)]


async def ids(pool: Pool, tenants: list[str]) -> dict[tuple[str, str | None], int]:
    """By tenant and user; None is the tenant's own client. Raises StoreUnavailable."""
    with translated():
        rows = await pool.fetch(_IDS, tenants)
    return {(row["name"], row["user_name"]): row["account_id"] for row in rows}
