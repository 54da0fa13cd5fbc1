"""What the database says of one tenant among others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import asyncpg

from harvester.demo.comparison import held
from harvester.model import BEGINNING, Spans, Window
from harvester.store.spans import from_multirange

if TYPE_CHECKING:
    from harvester.store.pool import Pool

Key = tuple[str, str, datetime]
"""device, channel, instant"""
Facts = Mapping[Key, float | str]
Task = tuple[str, str | None, str | None]
"""kind, device, and its state in the platform's word"""

_TASKS = "select identity, kind, device, stated_state from harvester.task_reports where tenant = $1"
_GAPS = "select * from harvester.gaps where tenant = $1 and since < $2"
_LOST = "select feed, lost from harvester.coverage where tenant = $1 and not isempty(lost)"
_ACCOUNTS = """
select state, expires_at - obtained_at as life from harvester.accounts where tenant = $1
"""
_CALLS = 'select "user", at from harvester.auth_events where tenant = $1 order by at'
_REJECTED = """
select distinct reason from harvester_data.rejected
join harvester_data.feed using (feed_id) join harvester_data.tenant using (tenant_id)
where name = $1
"""


@dataclass(frozen=True, slots=True)
class Harvested:
    """Read from the views that people have."""

    pool: Pool
    tenant: str

    async def readings(self) -> Facts:
        facts = await held(self.pool, BEGINNING)
        return {key[1:]: value for key, value in facts.items() if key[0] == self.tenant}

    async def tasks(self) -> dict[str, Task]:
        rows = await self.pool.fetch(_TASKS, self.tenant)
        return {row["identity"]: (row["kind"], row["device"], row["stated_state"]) for row in rows}

    async def gaps(self, before: datetime) -> list[asyncpg.Record]:
        return await self.pool.fetch(_GAPS, self.tenant, before)

    async def lost(self) -> dict[str, list[Spans]]:
        """By key, of the feeds of both streams."""
        found: dict[str, list[Spans]] = defaultdict(list)
        for row in await self.pool.fetch(_LOST, self.tenant):
            found[row["feed"]].append(from_multirange(row["lost"]))
        return found

    async def rejected(self) -> set[str]:
        """Why anything was."""
        return {row["reason"] for row in await self.pool.fetch(_REJECTED, self.tenant)}

    async def accounts(self) -> list[str]:
        """How each stands."""
        return [row["state"] for row in await self.pool.fetch(_ACCOUNTS, self.tenant)]

    async def hasty_calls(self, outage: Window) -> int:
        """Token calls of an account before half the life of a token had passed since the last,
        save those that found nobody there."""
        lives = [row["life"] for row in await self.pool.fetch(_ACCOUNTS, self.tenant)]
        life = min((each for each in lives if each), default=timedelta())
        called: dict[str | None, list[datetime]] = defaultdict(list)
        for row in await self.pool.fetch(_CALLS, self.tenant):
            if not outage.since <= row["at"] < outage.until:
                called[row["user"]].append(row["at"])
        return sum(b - a < life / 2 for each in called.values() for a, b in pairwise(each))
