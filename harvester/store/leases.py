"""Who works a tenant: one row, one fence. Postgres is the coordinator, on its own clock.

A stale holder finds no row under its fence, so it cannot write. `take` raises the fence, which is a
key column, and so waits for every writer that holds the row FOR KEY SHARE; `extend` moves
`until` only, and waits for nobody. Nor does a `take` that finds the lease held.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from harvester.errors import Fenced
from harvester.store.pool import translated

if TYPE_CHECKING:
    from harvester.store.pool import Connection, Pool

_TAKE_TENANT = """
insert into harvester_data.tenant_lease as lease (tenant_id, fence, owner, until)
select $1::int, 1, $2::text, now() + $3::interval
where not exists (select from harvester_data.tenant_lease held
                  where held.tenant_id = $1 and held.owner <> $2 and held.until >= now())
on conflict (tenant_id) do update
set fence = lease.fence + 1, owner = excluded.owner, until = excluded.until
where lease.until < now() or lease.owner = excluded.owner
returning fence
"""

_EXTEND_TENANT = """
update harvester_data.tenant_lease set until = now() + $3
where tenant_id = $1 and fence = $2
returning 1
"""

_RELEASE_TENANT = """
update harvester_data.tenant_lease set until = '-infinity' where tenant_id = $1 and fence = $2
"""

_CHECK_TENANT = """
select from harvester_data.tenant_lease where tenant_id = $1 and fence = $2 for key share
"""

_TAKE_ACCOUNT = """
insert into harvester_data.account_lease as lease (account_id, fence, owner, until)
select $1::int, 1, $2::text, now() + $3::interval
where not exists (select from harvester_data.account_lease held
                  where held.account_id = $1 and held.owner <> $2 and held.until >= now())
on conflict (account_id) do update
set fence = lease.fence + 1, owner = excluded.owner, until = excluded.until
where lease.until < now() or lease.owner = excluded.owner
returning fence
"""

_RELEASE_ACCOUNT = """
update harvester_data.account_lease set until = '-infinity' where account_id = $1 and fence = $2
"""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write a tenant's data, as long as nobody has raised the fence."""

    tenant_id: int
    fence: int


async def take(pool: Pool, tenant_id: int, owner: str, lasts: timedelta) -> Lease | None:
    """Take the tenant, if it is free, expired or our own from before; None if another holds it."""
    with translated():
        fence = await pool.fetchval(_TAKE_TENANT, tenant_id, owner, lasts)
    return None if fence is None else Lease(tenant_id, fence)


async def extend(pool: Pool, lease: Lease, lasts: timedelta) -> None:
    """Keep the tenant for longer. Raises Fenced where another has taken it."""
    with translated():
        if not await pool.fetchval(_EXTEND_TENANT, lease.tenant_id, lease.fence, lasts):
            raise Fenced(f"tenant {lease.tenant_id} is worked by another instance now")


async def release(pool: Pool, lease: Lease) -> None:
    """Let another instance take the tenant at once."""
    with translated():
        await pool.execute(_RELEASE_TENANT, lease.tenant_id, lease.fence)


@asynccontextmanager
async def writing(pool: Pool, lease: Lease) -> AsyncIterator[Connection]:
    """A transaction that commits only while the lease holds. Raises Fenced, StoreUnavailable."""
    with translated():
        async with pool.acquire() as connection, connection.transaction():
            if await connection.fetchrow(_CHECK_TENANT, lease.tenant_id, lease.fence) is None:
                raise Fenced(f"tenant {lease.tenant_id} is worked by another instance now")
            yield connection


async def take_account(pool: Pool, account_id: int, owner: str, lasts: timedelta) -> int | None:
    """The fence under which `owner` alone may renew this account; None if another holds it."""
    with translated():
        fence: int | None = await pool.fetchval(_TAKE_ACCOUNT, account_id, owner, lasts)
        return fence


async def release_account(pool: Pool, account_id: int, fence: int) -> None:
    """Let another instance renew the account at once."""
    with translated():
        await pool.execute(_RELEASE_ACCOUNT, account_id, fence)
