"""Where a platform keeps the history of feeds, and what is not proven of one that was moved.

An answer does not tell where it came from. So what was asked for since a feed was last found at its
place may have been asked for after a move, and what was to be looked at again is gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from harvester.store import feeds
from harvester.store.leases import Lease, writing

if TYPE_CHECKING:
    from harvester.store.pool import Connection, Pool

_WITH_PLACES = """
select array_agg(feed_id) from harvester_data.feed where tenant_id = $1 and place is not null
"""

_ASKED = """
update harvester_data.coverage set asked = settled
where feed_id = any ($1::int[]) and asked <> settled
"""

_MOVED = """
update harvester_data.coverage c
set pulled = c.pulled * c.proven, settled = c.settled * c.proven, asked = c.asked * c.proven,
    kept_since = $3
from harvester_data.feed f, unnest($1::int[], $2::text[]) as said(feed_id, place)
where c.feed_id = said.feed_id and f.feed_id = said.feed_id and f.place <> said.place
"""

_PROVEN = """
update harvester_data.coverage c
set proven = case when f.place is null then c.settled else c.asked end
from harvester_data.feed f, unnest($1::int[], $2::text[]) as said(feed_id, place)
where c.feed_id = said.feed_id and f.feed_id = said.feed_id
  and coalesce(f.place, said.place) = said.place
  and c.proven <> case when f.place is null then c.settled else c.asked end
"""

_PLACED = """
update harvester_data.feed f set place = said.place
from unnest($1::int[], $2::text[]) as said(feed_id, place)
where f.feed_id = said.feed_id and f.place is distinct from said.place
"""


async def about_to_ask(pool: Pool, lease: Lease) -> None:
    """Note what is settled before the accounts are asked where their feeds are: it is proven by
    their answers, and what is pulled while they are waited for is not.

    Raises Fenced, StoreUnavailable.
    """
    async with writing(pool, lease) as connection:
        ids = await connection.fetchval(_WITH_PLACES, lease.tenant_id) or []
        await feeds.in_turn(connection, ids)
        await connection.execute(_ASKED, ids)


async def save(connection: Connection, found: Mapping[int, str], answered_at: datetime) -> None:
    """Keep in which places feeds were found. What is not proven of one that was moved is to be
    pulled again; what is gone of it is lost then."""
    ids, places = list(found), list(found.values())
    await feeds.in_turn(connection, ids)
    await connection.execute(_MOVED, ids, places, answered_at)
    await connection.execute(_PROVEN, ids, places)
    await connection.execute(_PLACED, ids, places)
