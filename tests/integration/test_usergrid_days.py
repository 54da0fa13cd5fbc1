"""Three days of a platform whose index lags, while rows come ten in a millisecond, and change and
go between two pages of an answer: what is held is what somebody could know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
from fix_postgres import Database
from fix_usergrid import BEGIN, HOUR, Plant, plant

from harvester.simulator.usergrid_entities import Entity
from harvester.simulator.usergrid_layouts import Key
from harvester.simulator.usergrid_quirks import Switches
from harvester.simulator.usergrid_store import Store
from harvester.simulator.world import millis

DAYS = timedelta(days=3)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
LAGS = [(0.2 * SECOND, SECOND), (5 * SECOND, 50 * SECOND), (MINUTE, 10 * MINUTE)]
VALUES = (21.5, "21.5", 21, True, "on", None, {"deep": 2**40}, [1, 2], 7.25, "7,25")
"""What one property is from row to row."""
EARLIER = millis(BEGIN - HOUR)
MOST_AT_ONCE = 1_050
"""Rows that are written together: more than a page."""


@dataclass(slots=True)
class Trouble:
    """What others do to the readings of a tenant. `kept` are the rows that it may change."""

    it: Plant
    dice: Random
    withdrawn: int = 0
    kept: list[Entity] = field(default_factory=list)

    @property
    def store(self) -> Store:
        return self.it.fake.store("acme")

    @property
    def now_ms(self) -> int:
        return millis(self.it.clock.now())

    def write(self, count: int, per_ms: int) -> None:
        """Rows of one device, so many in a millisecond, each measured at an instant of its own."""
        for n in range(count):
            told: dict[str, object] = {"device": "probe", "ts": EARLIER + len(self.kept)}
            told |= {"level": self.dice.choice(VALUES), "Ä.b": str(n)}
            ms = self.now_ms - (count - n) // per_ms
            self.kept.append(self.store.put("readings", told, ms))

    def strike(self, told: Sequence[Entity]) -> None:
        """Between two pages: a row of the last one is changed, another one goes, one comes."""
        self.it.clock.advance(timedelta(milliseconds=1))
        mine = [each for each in told if each.now.properties.get("device") == "probe"]
        if not mine or self.dice.random() < 0.5:
            return
        changed, gone = self.dice.choice(mine), self.dice.choice(self.kept)
        if not changed.is_deleted:
            self.store.update(changed, {"level": self.dice.choice(VALUES)}, self.now_ms)
        if not gone.is_deleted:
            self.store.delete(gone, self.now_ms)
            self.withdrawn += 1
        self.write(1, 1)


async def three_days(it: Plant, trouble: Trouble, every: timedelta) -> None:
    it.fake.between_pages = trouble.strike
    beats = DAYS // every
    for beat in range(beats):
        it.fake.index_lag = LAGS[3 * beat // beats]
        if beat in (1, beats - 1):
            trouble.write(MOST_AT_ONCE, 10)
        if beat == beats // 2:
            trouble.write(MOST_AT_ONCE, MOST_AT_ONCE)
        trouble.write(10, 10)
        await it.beat(every)
    it.fake.between_pages = None
    for _ in range(3):  # what was told late is looked at again
        assert await it.beat(26 * HOUR)


def differences(held: dict[Key, float | str], truth: dict[Key, float | str]) -> list[str]:
    keys = sorted(held.keys() | truth.keys())
    return [
        f"{key}: {held.get(key)!r}, and not {truth.get(key)!r}"
        for key in keys
        if held.get(key) != truth.get(key)
    ]


WAYS = [
    pytest.param(HOUR),
    pytest.param(5 * MINUTE, marks=pytest.mark.proof),
]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("every", WAYS)
async def test_three_days_end_equal_with_what_was_withdrawn(
    every: timedelta, database: Database, tmp_path: Path
) -> None:
    switches = Switches(drifts=True, index_lag=LAGS[0], clock_skew=7 * MINUTE)
    async with plant(database, tmp_path, switches, things=3, pace=1) as it:
        trouble = Trouble(it, Random("three days"))  # noqa: S311  what befalls rows
        await three_days(it, trouble, every)
        held, truth = await it.held(), dict(it.truth())
        assert differences(held, truth) == []
        assert trouble.withdrawn > 100
        assert it.fake.violations == []
        assert min(key[2] for key in held) >= BEGIN - 2 * HOUR
