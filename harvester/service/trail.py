"""The audit trail of token calls, which forgets what is old."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from harvester.errors import StoreUnavailable
from harvester.store import credentials

if TYPE_CHECKING:
    from harvester.store.pool import Pool

AT_ONCE = 10_000
"""Events in one transaction: nobody who adds one waits for it."""


@dataclass(frozen=True, slots=True)
class Trail:
    """Of all tenants; `kept` is for how long."""

    pool: Pool
    kept: timedelta

    async def forget(self) -> None:
        """Delete what is older, as far as the database is there: an outage is told elsewhere."""
        with suppress(StoreUnavailable):
            while await credentials.forget_events(self.pool, self.kept, AT_ONCE) == AT_ONCE:
                pass
