"""The corridor with a platform that answers from an index, by a clock of its own."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from befallen import says
from fix_postgres import Database
from fix_usergrid import HOUR, Plant, plant
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from harvester.simulator.faults import Answer, Fault, refuse
from harvester.simulator.usergrid_quirks import Switches

MS = timedelta(milliseconds=1)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
SKEWS = [timedelta(), 7 * MINUTE, -20 * MINUTE, -3 * HOUR]
INDEX_LAG = MINUTE
"""As it comes."""
DAY = 24 * HOUR
NO_LAG = (0 * SECOND, 0 * SECOND)
AT_ONCE = Switches(index_lag=NO_LAG)
_PULLED = "select upper(pulled) from harvester.coverage where feed = 'readings'"
_MISSING = """
select feed, upper(span) - lower(span) as long
from harvester.coverage, unnest(missing * tstzmultirange(tstzrange(null, $1))) span
where feed like 'readings%' and stream = 'readings' order by 1
"""


async def pulled_until(it: Plant) -> datetime:
    found: datetime = await it.house.pool.fetchval(_PULLED)
    return found


def put(it: Plant, count: int) -> None:
    """As many readings of one device, a millisecond apart, from now on."""
    now, store = it.fake.tokens.now_ms(), it.fake.store("acme")
    for ms in range(now, now + count):
        store.put("readings", {"device": "probe", "ts": ms, "n": 1}, ms)


@pytest.mark.parametrize("skew", SKEWS)
async def test_what_the_index_may_not_know_yet_is_not_covered(
    database: Database, tmp_path: Path, skew: timedelta
) -> None:
    switches = Switches(clock_skew=skew, index_lag=NO_LAG)
    async with plant(database, tmp_path, switches, things=1) as it:
        await it.tick()
        edge = it.clock.now() + skew - INDEX_LAG
        assert edge - SECOND <= await pulled_until(it) <= edge


@pytest.mark.parametrize("skew", SKEWS[:3])
async def test_looks_go_by_the_clock_of_the_platform(
    database: Database, tmp_path: Path, skew: timedelta
) -> None:
    switches = Switches(clock_skew=skew, index_lag=(10 * MINUTE, 10 * MINUTE))
    async with plant(database, tmp_path, switches, things=1) as it:
        await it.tick()
        put(it, 2 * 100)  # more than the head of the graph shows
        await it.beat(5 * MINUTE)
        assert await held_of_probe(it) == 100
        await it.beat(HOUR - 10 * MINUTE)
        assert await held_of_probe(it) == 100, "it is not of an hour yet"
        await it.beat(10 * MINUTE)
        assert await held_of_probe(it) == 200


async def held_of_probe(it: Plant) -> int:
    return sum(device == "probe" for device, _, _ in await it.held())


async def test_what_was_told_before_a_window_failed_is_held_and_not_covered(
    database: Database, tmp_path: Path
) -> None:
    async with plant(database, tmp_path, Switches(index_lag=NO_LAG), things=1) as it:
        await it.tick()
        put(it, 1_500)
        it.clock.advance(10 * MINUTE)
        fault = it.fake.faults.add(Fault(second_pages(it), refuse(400), times=None))
        assert not await it.tick()
        assert fault.fired == 2, "by creation, and by change"
        assert 1_000 <= await held_of_probe(it) < 1_500
        assert await pulled_until(it) < it.clock.now() - 10 * MINUTE
        it.fake.faults.planned.remove(fault)
        assert await it.tick()
        assert await held_of_probe(it) == 1_500


def second_pages(it: Plant) -> Callable[[web.Request], bool]:
    """Those that begin where the thousandth of what was put stands."""
    begin = f"%3E%3D%20{it.fake.tokens.now_ms() - 10 * 60_000 + 999}%20"
    return lambda asked: begin in asked.raw_path


async def test_a_platform_that_does_not_tell_its_time_is_read_by_what_it_told_last(
    database: Database, tmp_path: Path
) -> None:
    async with plant(database, tmp_path, Switches(clock_skew=7 * MINUTE), things=1) as it:
        await it.tick()
        it.fake.faults.add(Fault(re.compile("limit=1$"), refuse(400), times=None))
        with capture_logs() as told:
            await it.beat(10 * MINUTE)
        edge = it.clock.now() + 7 * MINUTE - INDEX_LAG
        assert edge - SECOND <= await pulled_until(it) <= edge
        assert "acme time of the platform" in {each.get("what") for each in told}


async def test_an_index_that_is_further_behind_than_it_may_be_is_told(
    database: Database, tmp_path: Path
) -> None:
    lag = (10 * MINUTE, 10 * MINUTE)
    async with plant(database, tmp_path, Switches(index_lag=lag), things=1) as it:
        put(it, 1)
        with capture_logs() as told:
            await it.beat(4 * MINUTE)
            measured = REGISTRY.get_sample_value("harvester_index_lag_seconds", {"tenant": "acme"})
            it.fake.index_lag = NO_LAG
            await it.beat(HOUR)
        assert measured is not None and 240 <= measured < 600
        of_index = [each for each in told if each.get("what") == "acme index"]
        assert [each["event"] for each in of_index] == ["failing", "well again"]
        assert of_index[0]["seconds"] == round(measured)


async def test_an_entity_that_is_too_large_costs_its_own_millisecond(
    database: Database, tmp_path: Path
) -> None:
    async with plant(database, tmp_path, AT_ONCE, things=0) as it:
        it.tenant._client._largest_body = 200_000  # megabytes a hundred times over take long
        await it.tick()
        store, now = it.fake.store("acme"), it.fake.tokens.now_ms()
        store.put("readings", {"device": "probe", "ts": now, "huge": "x" * 200_000}, now)
        it.clock.advance(MINUTE)
        put(it, 200)
        assert not await it.beat(10 * MINUTE)
        missing = await it.house.pool.fetch(_MISSING, it.clock.now() - INDEX_LAG)
        assert [tuple(each) for each in missing] == [("readings", MS), ("readings by modified", MS)]
        assert await held_of_probe(it) == 200


def asked_below(it: Plant, part: str) -> list[web.Request]:
    """The reads of such paths, from now on."""
    asked: list[web.Request] = []

    def note(request: web.Request) -> bool:
        if part in request.path:
            asked.append(request)
        return False

    it.fake.faults.add(Fault(note, refuse(500)))
    return asked


async def test_what_is_quiet_costs_nine_questions_a_tick(
    database: Database, tmp_path: Path
) -> None:
    """The newest window and three looks, by two axes; and once the head of the graph."""
    async with plant(database, tmp_path, AT_ONCE, things=0, history=3 * DAY) as it:
        await it.tick()
        await it.beat(10 * MINUTE)
        asked = asked_below(it, "plant7/readings")
        await it.beat(10 * MINUTE)
        questions = [each.query["limit"] for each in asked if each.query["limit"] != "1"]
        assert sorted(questions) == ["100", *["1000"] * 8]


async def test_a_proxys_refusals_hide_nothing_that_was_seen_before(
    database: Database, tmp_path: Path
) -> None:
    async with plant(database, tmp_path, AT_ONCE, things=1) as it:
        await it.tick()
        page = says("<html>no such route</html>", status=404)
        fault = it.fake.faults.add(Fault("/acme/plant7/", page, times=None))
        await it.beat(HOUR + MINUTE)
        assert fault.fired
        it.fake.faults.planned.remove(fault)
        put(it, 1)
        assert await it.beat(MINUTE + SECOND)
        assert await held_of_probe(it) == 1


async def test_a_device_that_is_no_more_is_asked_for_by_nobody_any_more(
    database: Database, tmp_path: Path
) -> None:
    """Nor by the tenant's own client."""
    async with plant(database, tmp_path, AT_ONCE, things=2) as it:
        await it.tick()
        device = it.fake.store("acme").members("devices")[0]
        asked = asked_below(it, device.uuid)
        await it.beat(10 * MINUTE)
        assert asked
        it.fake.store("acme").delete(device, it.fake.tokens.now_ms())
        await it.beat(HOUR + MINUTE)
        asked.clear()
        assert await it.beat(10 * MINUTE)
        assert asked == []


async def test_feeds_that_tell_of_the_same_rows_are_read_one_after_another(
    database: Database, tmp_path: Path
) -> None:
    under_way: Counter[str] = Counter()
    most: dict[str, int] = {}
    paths: list[int] = []

    async def watched(request: web.Request, honest: Answer) -> web.StreamResponse:
        under_way[request.path] += 1
        most[request.path] = max(most.get(request.path, 0), under_way[request.path])
        paths.append(len(+under_way))
        for _ in range(20):  # others have their turn meanwhile
            await asyncio.sleep(0)
        answer = await honest(request)
        under_way[request.path] -= 1
        return answer

    async with plant(database, tmp_path, Switches(index_lag=NO_LAG), things=3) as it:
        it.fake.faults.add(Fault("order", watched, times=None))
        assert await it.tick()
    assert set(most.values()) == {1}
    assert max(paths) > 1, "different paths are read side by side"
