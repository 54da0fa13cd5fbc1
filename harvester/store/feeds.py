"""What is to be pulled of a tenant, and through whom: feeds, their coverage and who sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from harvester.model import Feed, Spans, Stream
from harvester.store.leases import Lease, writing
from harvester.store.pool import translated
from harvester.store.spans import from_multirange

if TYPE_CHECKING:
    from harvester.store.pool import Connection, Pool

LAST = 2**31 - 1
"""No feed_id is greater."""
PAGE = 1_000
"""Feeds held in memory at once."""

_DUE = """
select f.feed_id,
       f.key,
       f.every,
       (select array_agg(d.identifier order by d.identifier)
        from harvester_data.feed_device fd
        join harvester_data.device d on d.device_id = fd.device_id
        where fd.feed_id = f.feed_id and fd.listed) as devices,
       (select array_agg(s.account_id order by s.account_id)
        from harvester_data.sight s where s.feed_id = f.feed_id) as accounts,
       f.every is null
       -- The limit makes it look up each device by itself, and not hash those of all tenants.
       and not exists (select from harvester_data.feed_device a
                       cross join lateral (select from harvester_data.feed_device b
                                           where b.device_id = a.device_id
                                             and b.feed_id <> a.feed_id
                                           limit 1) another
                       where a.feed_id = f.feed_id) as exclusive,
       c.wanted * tstzmultirange(tstzrange(null, $3)) - c.pulled - c.lost as missing,
       c.pulled - c.settled as provisional,
       c.looked_at,
       f.place,
       c.kept_since
from harvester_data.feed f
join harvester_data.coverage c on c.feed_id = f.feed_id
where f.tenant_id = $1 and f.stream = $2 and f.feed_id > $4 and f.feed_id <= $5
order by f.feed_id
limit $6
"""

# Beyond `until` a feed is wanted that was another kind before, and each one after the clock was set
# back: it would be pulled at each tick until then.
_WANTED = """
update harvester_data.coverage c
set wanted = (c.wanted + tstzmultirange(tstzrange(least(upper(c.wanted), $3), $3)))
             * tstzmultirange(tstzrange(null, $3))
from harvester_data.feed f
where f.feed_id = c.feed_id and f.tenant_id = $1 and f.stream = $2 and f.every is not null
  and lower(c.wanted) < $3
  and (upper_inf(c.wanted) or upper(c.wanted) > $3 or upper(c.wanted) <= $3 - f.every)
"""

# What no account sees is not lost: nobody knows whether it could be asked for.
_LOST = """
update harvester_data.coverage c set lost = c.lost + gone.spans
from (
    select k.feed_id, k.wanted * tstzmultirange(tstzrange(null, $3)) - k.pulled - k.lost as spans
    from harvester_data.coverage k
    join harvester_data.feed f on f.feed_id = k.feed_id
    where f.tenant_id = $1 and f.stream = $2
      and exists (select from harvester_data.sight s where s.feed_id = f.feed_id)
) gone
where c.feed_id = gone.feed_id and not isempty(gone.spans)
returning (select sum(upper(span) - lower(span)) from unnest(gone.spans) as span) as lost
"""

_GONE = """
update harvester_data.coverage c set lost = c.lost + gone.spans
from (
    select wanted * tstzmultirange(tstzrange(null, $2)) - pulled - lost as spans
    from harvester_data.coverage where feed_id = $1
) gone
where c.feed_id = $1
returning (select sum(upper(span) - lower(span)) from unnest(gone.spans) as span) as lost
"""

_IN_TURN = """
select from harvester_data.coverage where feed_id = any ($1::int[]) order by feed_id
for no key update
"""

_FAILED = """
update harvester_data.feed
set failure = $2, failing_since = coalesce(failing_since, $3)
where feed_id = $1 and failure is distinct from $2
"""

_LAST_SUCCESS = """
select succeeded_at from harvester_data.job where tenant_id = $1 and stream = $2
"""

_SUCCEEDED = """
insert into harvester_data.job (tenant_id, stream, succeeded_at) values ($1, $2, $3)
on conflict (tenant_id, stream) do update set succeeded_at = excluded.succeeded_at
"""


@dataclass(frozen=True, slots=True)
class DueFeed:
    """A feed with all that a plan needs, and the devices that a discovery named. `missing` ends at
    the `now` it was asked with.

    `accounts` are those that see it. `exclusive`: no other feed serves its devices, nor does
    it go over what others tell.
    """

    feed_id: int
    feed: Feed
    accounts: tuple[int, ...]
    exclusive: bool
    missing: Spans
    provisional: Spans
    looked_at: datetime | None
    kept_since: datetime | None = None
    """When its history began anew, as it was moved: what is missing before may be gone."""


async def due(
    pool: Pool, tenant_id: int, stream: Stream, now: datetime, after: int, last: int = LAST
) -> list[DueFeed]:
    """The next page of a tenant's feeds: those with `after` < feed_id <= `last`."""
    with translated():
        rows = await pool.fetch(_DUE, tenant_id, stream, now, after, last, PAGE)
    return [
        DueFeed(
            feed_id=row["feed_id"],
            feed=Feed(
                stream,
                row["key"],
                tuple(row["devices"] or ()),
                every=row["every"],
                place=row["place"],
            ),
            accounts=tuple(row["accounts"] or ()),
            exclusive=row["exclusive"],
            missing=from_multirange(row["missing"]),
            provisional=from_multirange(row["provisional"]),
            looked_at=row["looked_at"],
            kept_since=row["kept_since"],
        )
        for row in rows
    ]


async def want(pool: Pool, lease: Lease, stream: Stream, until: datetime) -> None:
    """Want feeds with `every` up to that instant, as soon as it is so much more than before.

    Raises Fenced, StoreUnavailable.
    """
    async with writing(pool, lease) as connection:
        await connection.execute(_WANTED, lease.tenant_id, stream, until)


async def lose(pool: Pool, lease: Lease, stream: Stream, before: datetime) -> list[timedelta]:
    """Give up what is missing before an instant; how much of each feed that lost something.

    Raises Fenced, StoreUnavailable.
    """
    async with writing(pool, lease) as connection:
        rows = await connection.fetch(_LOST, lease.tenant_id, stream, before)
    return [row["lost"] for row in rows]


async def gone(pool: Pool, lease: Lease, feed_id: int, before: datetime) -> timedelta:
    """Give up what is missing of one feed before an instant; how much that is.

    Raises Fenced, StoreUnavailable.
    """
    async with writing(pool, lease) as connection:
        lost: timedelta | None = await connection.fetchval(_GONE, feed_id, before)
    return lost or timedelta()


async def in_turn(connection: Connection, feed_ids: Sequence[int]) -> None:
    """Lock the coverage of feeds until the transaction ends.

    Always in the same order: whoever changes that of many else waits for one who waits for him.
    """
    await connection.execute(_IN_TURN, feed_ids)


async def failed(pool: Pool, lease: Lease, feed_id: int, failure: str, now: datetime) -> None:
    """Keep why a feed's last pull failed; the next window that is covered clears it."""
    async with writing(pool, lease) as connection:
        await connection.execute(_FAILED, feed_id, failure, now)


async def last_success(pool: Pool, tenant_id: int, stream: Stream) -> datetime | None:
    """When a tick last did all that was due."""
    with translated():
        found: datetime | None = await pool.fetchval(_LAST_SUCCESS, tenant_id, stream)
        return found


async def succeeded(pool: Pool, lease: Lease, stream: Stream, now: datetime) -> None:
    """A tick that began at `now` did all that was due."""
    async with writing(pool, lease) as connection:
        await connection.execute(_SUCCEEDED, lease.tenant_id, stream, now)
