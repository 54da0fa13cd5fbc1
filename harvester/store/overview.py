"""What commands tell of the database beside `streams`: who works, what fails, what is not there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from harvester.store.pool import translated

if TYPE_CHECKING:
    from harvester.store.pool import Pool

_LEASES = """
select t.name as tenant, l.owner
from harvester_data.tenant t
join harvester_data.tenant_lease l on l.tenant_id = t.tenant_id and l.until >= now()
where t.name = any ($1::text[])
"""

_FAILING = """
select tenant, stream, feed, failing_since, failing_for, failure
from (select t.name as tenant, f.stream, f.key as feed, f.failing_since,
             now() - f.failing_since as failing_for, f.failure,
             row_number() over (partition by t.tenant_id, f.stream
                                order by f.failing_since, f.key) as place
      from harvester_data.feed f
      join harvester_data.tenant t on t.tenant_id = f.tenant_id
      where f.failure is not null and t.name = any ($1::text[])
        and exists (select from harvester_data.sight s where s.feed_id = f.feed_id)) failing
where place <= $2
order by tenant, stream, place
"""

_GAPS = """
select g.tenant, g.stream, g.feed, g.kind, g.since, g.until, g.until - g.since as lasts, g.reason,
       count(*) over () as found
from harvester.gaps g
join unnest($1::text[], $2::interval[]) as asked(tenant, edge) on asked.tenant = g.tenant
where g.until > coalesce($3, '-infinity'::timestamptz)
  and g.since < coalesce($4, 'infinity'::timestamptz)
  and g.kind = coalesce($5, g.kind)
  and not (g.reason in ('not pulled yet', 'no account sees it')
           and g.until = now() and g.until - g.since <= asked.edge)
order by lasts desc, g.tenant, g.stream, g.feed, g.since
limit $6
"""


@dataclass(frozen=True, slots=True)
class Failing:
    """A feed that an account sees, and whose last pull failed."""

    tenant: str
    stream: str
    feed: str
    failing_since: datetime
    failing_for: timedelta
    failure: str


async def workers(pool: Pool, tenants: list[str]) -> dict[str, str]:
    """The instance that holds each tenant now; who is not in it is worked by nobody."""
    with translated():
        return {row["tenant"]: row["owner"] for row in await pool.fetch(_LEASES, tenants)}


async def failing(pool: Pool, tenants: list[str], most: int) -> list[Failing]:
    """The feeds that have failed for the longest, at most so many of a tenant's stream."""
    with translated():
        return [Failing(**row) for row in await pool.fetch(_FAILING, tenants, most)]


async def gaps(
    pool: Pool,
    edges: Mapping[str, timedelta],
    span: tuple[datetime | None, datetime | None],
    kind: str | None,
    limit: int,
) -> list[dict[str, Any]]:
    """Rows of the view `harvester.gaps` that reach into the span, the widest first.

    `edges` names the tenants. What is not pulled yet, up to now and no wider than a tenant's edge,
    is its live edge, and left out; what could not be pulled is none. `found` is how many there are
    without the limit.
    """
    with translated():
        rows = await pool.fetch(_GAPS, list(edges), list(edges.values()), *span, kind, limit)
    return [dict(row) for row in rows]
