"""What a platform published beside what the database holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from harvester import shown
from harvester.model import FOREVER, Spans
from harvester.store.spans import from_multirange

if TYPE_CHECKING:
    from harvester.store.pool import Pool

Key = tuple[str, str, str, datetime]
"""tenant, device, channel, instant"""
Facts = Mapping[Key, float | str]

_HELD = """
select tenant, device, channel, ts, raw_value, text from harvester.readings where ts >= $1
"""
_ASKED = "select tenant, device, pulled, missing from harvester.devices where feeds <> '{}'"


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


@dataclass(frozen=True, slots=True)
class Asked:
    """Of a device, the time that was asked for, and the time that is still to be.

    For all other time its platform had no answer any more.
    """

    pulled: Spans
    missing: Spans


async def asked(pool: Pool) -> dict[tuple[str, str], Asked]:
    """By tenant and device."""
    return {
        (row["tenant"], row["device"]): Asked(
            from_multirange(row["pulled"]), from_multirange(row["missing"])
        )
        for row in await pool.fetch(_ASKED)
    }


@dataclass(frozen=True)
class Comparison:
    """`before` and `after`: what was published when the run began, and when it was compared. What
    stands in one of them only was taken back, or came later.

    What is not held must have been forgotten, by what was `asked` by tenant and device, or be of
    the time after `edge`, and not asked for yet.
    """

    before: Facts
    after: Facts
    held: Facts
    asked: Mapping[tuple[str, str], Asked] = field(default_factory=dict)
    edge: datetime = FOREVER

    @cached_property
    def differences(self) -> list[str]:
        """What is missing, and what is held that was not published, a line each.

        What was corrected since the run began may be held as it was or as it is.
        """
        differing = [
            *(key for key in self._lacking if not self._is_excused(key)),
            *(key for key, value in self.held.items() if value not in self._said(key)),
        ]
        return [
            f"{_named(key)}: published {self._said(key)}, held {self.held.get(key)!r}"
            for key in sorted(differing)
        ]

    def sentence(self, since: datetime, began: datetime) -> str:
        """How it came out, of what was published from `since` to `began`."""
        forgotten = sum(map(self._is_forgotten, self._lacking))
        to_come = sum(map(self._is_to_come, self._lacking))
        told = [
            f"{len(self._published):,} readings published from {shown.instant(since)} to "
            f"{shown.instant(began)}",
            f"{len(self._published - self._lacking):,} in the database",
            *_some(forgotten, "forgotten before they were asked for"),
            *_some(to_come, "not asked for yet"),
        ]
        verdict = "".join(_some(len(self.differences), "differ")) or "equal"
        return f"{', '.join(told)}: {verdict}."

    @cached_property
    def _published(self) -> set[Key]:
        return self.before.keys() & self.after.keys()

    @cached_property
    def _lacking(self) -> set[Key]:
        return self._published - self.held.keys()

    def _said(self, key: Key) -> list[float | str]:
        return [facts[key] for facts in (self.before, self.after) if key in facts]

    def _is_excused(self, key: Key) -> bool:
        return self._is_forgotten(key) or self._is_to_come(key)

    def _is_forgotten(self, key: Key) -> bool:
        asked = self.asked.get(key[:2])
        return asked is not None and not (_in(asked.pulled, key) or _in(asked.missing, key))

    def _is_to_come(self, key: Key) -> bool:
        asked = self.asked.get(key[:2])
        return asked is not None and key[3] >= self.edge and _in(asked.missing, key)


def _some(count: int, words: str) -> list[str]:
    return [f"{count:,} {words}"] if count else []


def _in(spans: Spans, key: Key) -> bool:
    return any(span.since <= key[3] < span.until for span in spans)


def _named(key: Key) -> str:
    return f"{key[0]} {key[1]} channel {key[2]} at {shown.instant(key[3], 'milliseconds')}"
