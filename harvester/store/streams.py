"""How tenants stand: what their feeds lag, miss and have lost, a row a stream."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from harvester.model import Stream
from harvester.store.pool import translated

if TYPE_CHECKING:
    from harvester.store.pool import Pool

_STREAMS = """
select tenant, platform, stream, devices, feeds, failing, unseen, pulled_until, lag, wanted,
       pulled, settled, missing, lost, succeeded_at
from harvester.streams where tenant = any ($1::text[]) order by tenant, stream
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """One row of the view `harvester.streams`, whose columns these are.

    Spans are summed over the feeds. `pulled_until` and `lag` are None where nothing can be pulled.
    """

    tenant: str
    platform: str
    stream: Stream
    devices: int
    feeds: int
    failing: int
    unseen: int
    pulled_until: datetime | None
    lag: timedelta | None
    wanted: timedelta
    pulled: timedelta
    settled: timedelta
    missing: timedelta
    lost: timedelta
    succeeded_at: datetime | None


async def standings(pool: Pool, tenants: list[str]) -> list[Standing]:
    """How these tenants stand, sorted by name and stream. Raises StoreUnavailable."""
    with translated():
        return [Standing(**row) for row in await pool.fetch(_STREAMS, tenants)]
