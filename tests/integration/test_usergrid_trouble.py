"""The corridor while a Usergrid's index is away, its paths are long, or its settings are wrong."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web
from fix_postgres import Database
from fix_usergrid import HOUR, Plant, at_work, plant
from prometheus_client import REGISTRY

from harvester import config
from harvester.client import TRIES
from harvester.harvest.workers import AT_ONCE
from harvester.platforms.usergrid import graph
from harvester.simulator.faults import Fault, refuse
from harvester.simulator.usergrid_quirks import Switches

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
MS = timedelta(milliseconds=1)
NO_LAG = Switches(index_lag=(0 * SECOND, 0 * SECOND))
DAY = timedelta(days=1)
_REJECTED = "select count(*) from harvester_data.rejected where reason like 'no\\_%'"
_FAILURES = "select failure from harvester_data.feed where failure is not null"


def put(it: Plant, count: int, ago: timedelta) -> None:
    """As many readings of one device, a second apart, the last of them so long ago."""
    last, store = it.fake.tokens.now_ms() - ago // MS, it.fake.store("acme")
    for ms in range(last - 1000 * (count - 1), last + 1, 1000):
        store.put("readings", {"device": "probe", "ts": ms, "n": 1}, ms)


async def held_of_probe(it: Plant) -> int:
    return sum(device == "probe" for device, _, _ in await it.held())


def asked(it: Plant, *, by_ql: bool) -> list[str]:
    """The paths below which readings are asked for, of the index or of the graph, from now on."""
    paths: list[str] = []

    def note(request: web.Request) -> bool:
        is_of_readings = request.path.endswith(("/readings", "/samples", "/meters"))
        if is_of_readings and by_ql is ("ql" in request.query) and request.query["limit"] != "1":
            paths.append(request.path)
        return False

    it.fake.faults.add(Fault(note, refuse(500)))
    return paths


async def test_an_index_that_is_away_costs_few_questions_and_is_further_behind_each_tick(
    database: Database, tmp_path: Path
) -> None:
    async with plant(database, tmp_path, NO_LAG, things=8) as it:
        await it.tick()
        it.fake.index_down = True
        put(it, 3, 0 * SECOND)
        for minutes in (10, 20):
            paths = asked(it, by_ql=True)
            await it.beat(10 * MINUTE)
            assert max(Counter(paths).values()) <= 2 * TRIES, "by creation, and by change"
            assert len(paths) <= AT_ONCE * TRIES, "all at once, and nobody later"
            measured = REGISTRY.get_sample_value("harvester_index_lag_seconds", {"tenant": "acme"})
            assert measured is not None and measured >= 60 * minutes
        assert await held_of_probe(it) == 3
        it.fake.index_down = False
        assert await it.beat(10 * MINUTE)


async def test_a_long_sweep_gives_way_to_what_is_new_and_comes_to_its_end(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "LIMIT", 10)
    async with plant(database, tmp_path, NO_LAG, things=0) as it:
        await it.tick()
        it.clock.advance(7 * HOUR)
        put(it, 2_400, 3 * HOUR)
        for _ in range(2):
            pages = asked(it, by_ql=False)
            assert not await it.beat(10 * MINUTE)
            assert Counter(pages)["/acme/plant7/readings"] == graph.MOST_PAGES + 1, "and the head"
        assert await it.beat(10 * MINUTE)


@pytest.mark.parametrize(
    ("right", "wrong", "named"),
    [('= "ts"', '= "tz"', "readings.time"), ('= "device"', '= "divice"', "readings.device")],
)
async def test_settings_that_were_wrong_cost_no_history(
    database: Database, tmp_path: Path, right: str, wrong: str, named: str
) -> None:
    async with plant(database, tmp_path, NO_LAG, things=0, history=3 * DAY) as it:
        put(it, 20, 2 * HOUR)
        settings = await asyncio.to_thread(mistaken, tmp_path, right, wrong)
        async with at_work(it.fake, it.clock, settings) as other:
            assert not await other.tick()
            await other.tenant.release()
        failures = [row[0] for row in await it.house.pool.fetch(_FAILURES)]
        assert len(failures) == 2 and all(named in each for each in failures)
        assert await it.house.pool.fetchval(_REJECTED) >= 20
        assert await it.beat(10 * MINUTE)
        assert await held_of_probe(it) == 20
        assert await it.house.pool.fetch(_FAILURES) == []


def mistaken(folder: Path, right: str, wrong: str) -> config.Settings:
    """As it is read with a mistake in the settings. Blocks on files."""
    path = folder / "config.toml"
    text = path.read_text("utf-8")
    assert right in text, text
    path.with_name("mistaken.toml").write_text(text.replace(right, wrong), "utf-8")
    return config.load(path.with_name("mistaken.toml"))
