"""Two entities of one device, channel and instant: the one that was written last holds."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from fix_postgres import Database
from fix_usergrid import BEGIN, HOUR, Plant, plant

from harvester.simulator.usergrid_quirks import Switches
from harvester.simulator.world import millis

DAY = timedelta(days=1)
AT_ONCE = Switches(index_lag=(timedelta(), timedelta()))
MEASURED = BEGIN - 4 * DAY


def say(it: Plant, value: int, at: datetime, **more: int) -> None:
    """The probe says it at that time, of what it measured four days ago."""
    told = {"device": "probe", "ts": millis(MEASURED), "level": value, **more}
    it.fake.store("acme").put("readings", told, millis(at))


async def level(it: Plant) -> object:
    return (await it.held())["probe", "level", MEASURED]


async def test_a_backfill_leaves_what_was_said_last(database: Database, tmp_path: Path) -> None:
    async with plant(database, tmp_path, AT_ONCE, things=0, history=5 * DAY) as it:
        say(it, 1, BEGIN - 4 * DAY)
        say(it, 2, BEGIN - 2 * DAY)
        await it.tick()
        assert await level(it) == 2


async def test_in_the_end_what_was_said_last_holds_also_across_the_live_edge(
    database: Database, tmp_path: Path
) -> None:
    async with plant(database, tmp_path, AT_ONCE, things=0, history=5 * DAY) as it:
        say(it, 1, BEGIN - 4 * DAY)
        say(it, 2, BEGIN - HOUR)
        await it.tick()
        for _ in range(4):
            await it.beat(8 * HOUR)
        assert await level(it) == 2


async def test_sweeps_do_not_bring_back_what_was_said_first(
    database: Database, tmp_path: Path
) -> None:
    async with plant(database, tmp_path, AT_ONCE, things=0, history=5 * DAY) as it:
        say(it, 1, BEGIN - 2 * DAY)
        begin, many = BEGIN - 2 * DAY + HOUR, {f"c{n}": n for n in range(12)}
        for n in range(2_400):  # more than is written at once
            told = {"device": "other", "ts": millis(begin) + n, **many}
            it.fake.store("acme").put("readings", told, millis(begin) + n)
        say(it, 2, BEGIN - 2 * DAY + 2 * HOUR)
        for _ in range(3):
            await it.beat(7 * HOUR)
        assert await level(it) == 2
