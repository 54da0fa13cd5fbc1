"""What the platform published beside what the database holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from harvester import shown
from harvester.simulator.world import World

if TYPE_CHECKING:
    from harvester.store.pool import Pool

Key = tuple[str, str, str, datetime]
"""tenant, device, channel, instant"""
Facts = Mapping[Key, float | str]

_HELD = """
select tenant, device, channel, ts, raw_value, text from harvester.readings where ts >= $1
"""


def published(world: World, as_of: datetime) -> dict[Key, float | str]:
    """What the platform had published up to an instant."""
    return {
        (tenant, *key): value
        for tenant in world.tenants
        for key, value in world.truth(tenant, as_of).items()
    }


async def held(pool: Pool, since: datetime) -> dict[Key, float | str]:
    """What the database holds, as its public view shows it. Raises ValueError for a row twice."""
    rows = await pool.fetch(_HELD, since)
    facts = {
        (row["tenant"], row["device"], row["channel"], row["ts"]): (
            row["raw_value"] if row["text"] is None else row["text"]
        )
        for row in rows
    }
    if len(facts) != len(rows):
        raise ValueError(f"{len(rows) - len(facts)} readings are there twice")
    return facts


@dataclass(frozen=True)
class Comparison:
    """`before` and `after`: what was published when the run began, and when it was compared."""

    before: Facts
    after: Facts
    held: Facts

    @cached_property
    def differences(self) -> list[str]:
        """What is missing, and what is held that was not published, a line each.

        What was corrected since the run began may be held as it was or as it is.
        """
        differing = [
            key
            for key in self.before.keys() | self.held.keys()
            if self.held.get(key) not in self._said(key)
        ]
        return [
            f"{_named(key)}: published {self._said(key)}, held {self.held.get(key)!r}"
            for key in sorted(differing)
        ]

    def _said(self, key: Key) -> list[float | str]:
        return [facts[key] for facts in (self.before, self.after) if key in facts]

    def sentence(self, since: datetime, began: datetime) -> str:
        found, differing = sum(key in self.held for key in self.before), len(self.differences)
        verdict = f"{differing} differ" if differing else "equal"
        return (
            f"Published from {shown.instant(since)} to {shown.instant(began)}: "
            f"{len(self.before)} readings; in the database: {found}; {verdict}."
        )


def _named(key: Key) -> str:
    return f"{key[0]} {key[1]} channel {key[2]} at {shown.instant(key[3], 'milliseconds')}"
