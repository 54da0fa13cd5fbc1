"""The corridor where a tick cannot do all: out of time, stopped, or a window that fails."""

import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from fix_postgres import Database
from fix_simulator import BEGIN, HISTORY, Play, playing
from structlog.testing import capture_logs

from harvester import harvest
from harvester.harvest import pulling, workers
from harvester.simulator.clock import HandClock
from harvester.simulator.faults import Answer, Fault, html_page, oversized, throttle
from harvester.simulator.mydevices import serve
from harvester.simulator.mydevices_quirks import Switches
from harvester.simulator.world import World, millis

READINGS = "/readings"
IN_COMMON = ("readings feeds", "task_reports feeds")
"""What a platform that is away fails of a tenant."""
_ONE_FEED = "select feed from harvester.coverage where stream = 'readings' order by 1 limit 1"
_MISSING = """
select feed, upper(span) - lower(span) as long
from harvester.coverage, unnest(missing * tstzmultirange(tstzrange(null, $1))) span
"""
ASKED = "GET /v1.0/things/{thing}/readings"


async def looked_at(play: Play) -> list[datetime]:
    rows = await play.house.pool.fetch("select looked_at from harvester.coverage order by 1")
    return [row["looked_at"] for row in rows]


async def test_out_of_time_and_with_a_feed_that_fails_every_feed_has_its_turn(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(harvest, "AT_ONCE", 1)
    assert await play.tick()
    feeds = await play.house.pool.fetch(
        "select feed from harvester.coverage where stream = 'readings'"
    )
    asked: set[str] = set()

    async def slow_and_useless(request: web.Request, _: Answer) -> web.StreamResponse:
        asked.add(request.path)
        play.clock.advance(timedelta(minutes=2))
        return web.Response(text="back soon")

    play.fake.faults.add(Fault(READINGS, slow_and_useless, times=None))
    play.clock.advance(timedelta(minutes=2))
    for _ in feeds:
        assert not await play.tick()
    assert asked == {f"/v1.0/things/{each['feed']}/readings" for each in feeds}


async def test_a_platform_that_is_away_is_told_once_and_not_for_each_feed(play: Play) -> None:
    assert await play.tick()
    away = play.fake.faults.add(Fault(READINGS, throttle(timedelta(hours=2)), times=None))
    play.clock.advance(timedelta(minutes=5))
    with capture_logs() as told:
        for _ in range(3):
            assert not await play.tick()
        away.times = 0
        play.clock.advance(timedelta(hours=2))
        assert await play.tick()
    assert [(each["event"], each["what"]) for each in told] == [
        *(("failing", f"{tenant} {what}") for tenant in ("acme", "globex") for what in IN_COMMON),
        *(
            ("well again", f"{tenant} {what}")
            for tenant in ("acme", "globex")
            for what in IN_COMMON
        ),
    ]


async def test_a_slow_discovery_leaves_the_feeds_their_time(play: Play) -> None:
    async def slow(request: web.Request, honest: Answer) -> web.StreamResponse:
        play.clock.advance(timedelta(minutes=10))
        return await honest(request)

    play.fake.faults.add(Fault("/companies", slow, times=2))
    assert await play.tick()


async def test_a_stop_ends_a_tick_after_the_windows_that_were_begun(play: Play) -> None:
    async def stop(request: web.Request, honest: Answer) -> web.StreamResponse:
        for tenant in play.tenants:
            tenant.stop()
        return await honest(request)

    play.fake.faults.add(Fault(READINGS, stop))
    assert not await play.tick()
    assert await play.held(), "the window in which the stop came is finished"
    assert play.fake.requests[ASKED] <= workers.AT_ONCE
    await play.begin_anew()
    assert await play.tick()
    assert await play.held() == play.published()


async def test_looks_count_as_done_only_when_all_of_them_are(play: Play) -> None:
    assert await play.tick()
    play.clock.advance(timedelta(hours=2))
    play.fake.faults.add(Fault(READINGS, html_page(), times=1))
    assert not await play.tick()
    undone, *done = await looked_at(play)
    assert undone == BEGIN
    assert set(done) == {play.clock.now()}
    assert await play.tick()
    assert set(await looked_at(play)) == {play.clock.now()}


async def test_looks_are_not_done_with_the_first_half_of_an_oversized_one(play: Play) -> None:
    assert await play.tick()
    play.clock.advance(timedelta(hours=2))
    # Two looks go well; the last one is too large, and only its first half is to be had.
    answers = iter([None, None, oversized(17 * 2**20), None, html_page()])

    async def last_in_halves(request: web.Request, honest: Answer) -> web.StreamResponse:
        kind = next(answers)
        return await (kind(request, honest) if kind else honest(request))

    (feed,) = await play.house.pool.fetch(_ONE_FEED)
    play.fake.faults.add(Fault(f"{feed['feed']}/readings", last_in_halves, times=5))
    assert not await play.tick()
    assert min(await looked_at(play)) == BEGIN
    assert await play.tick()
    assert set(await looked_at(play)) == {play.clock.now()}


def too_large(feed: str, instant: int) -> Fault:
    """Whatever holds that instant is too large, however little else it holds."""

    def holds(request: web.Request) -> bool:
        since, until = (int(request.query.get(key, -1)) for key in ("start_ts", "end_ts"))
        return request.path.endswith(f"{feed}/readings") and since <= instant <= until

    return Fault(holds, oversized(17 * 2**20), times=None)


async def test_what_is_too_large_for_ever_costs_its_own_milliseconds(play: Play) -> None:
    assert await play.tick()
    play.clock.advance(timedelta(hours=2))
    (feed,) = await play.house.pool.fetch(_ONE_FEED)
    play.fake.faults.add(too_large(feed["feed"], millis(BEGIN) + 10 * 60_000))
    assert not await play.tick()
    [missing] = await play.house.pool.fetch(_MISSING, play.clock.now())
    assert missing["feed"] == feed["feed"]
    assert missing["long"] <= timedelta(milliseconds=4)
    assert (await play.held()).keys() == play.published().keys()


async def test_looks_are_not_done_with_the_second_half_of_an_oversized_one(play: Play) -> None:
    assert await play.tick()
    play.clock.advance(timedelta(hours=2))
    (feed,) = await play.house.pool.fetch(_ONE_FEED)
    fault = play.fake.faults.add(too_large(feed["feed"], millis(BEGIN) - 50 * 60_000))
    assert not await play.tick()
    assert min(await looked_at(play)) == BEGIN
    play.fake.faults.planned.remove(fault)
    assert await play.tick()
    assert set(await looked_at(play)) == {play.clock.now()}


async def test_rows_committed_ahead_of_a_windows_end_claim_no_coverage(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulling, "BATCH", 10)
    world = World("pages", HandClock(BEGIN), BEGIN - HISTORY, things=4)
    async with (
        serve(world, switches=Switches(page_cap=50)) as fake,
        playing(fake, database, tmp_path) as play,
    ):
        # The first page of each window is whole; what continues it is not to be had.
        later_page = re.compile(rf"end_ts=(?!{millis(BEGIN)})")
        broken = fake.faults.add(Fault(later_page, html_page(), times=None))
        assert not await play.tick()
        assert broken.fired
        held = await play.held()
        assert 0 < len(held) < len(play.published())
        fake.faults.clear()
        assert await play.tick()
        assert await play.held() == play.published()


async def test_a_feed_seen_by_an_account_of_another_instance_only_stops_no_other(
    play: Play,
) -> None:
    assert await play.tick()
    await play.house.pool.execute(
        """with other as (insert into harvester_data.account (tenant_id, user_name)
                          select min(tenant_id), 'configured elsewhere' from harvester_data.tenant
                          returning account_id)
           update harvester_data.sight set account_id = (select account_id from other)
           where (feed_id, account_id) in (select feed_id, account_id from harvester_data.sight
                                           order by 1, 2 limit 1)"""
    )
    play.clock.advance(timedelta(minutes=30))
    await play.tick()
    pulled = await play.house.pool.fetchval(
        "select count(*) from harvester.coverage where upper(pulled) = $1", play.clock.now()
    )
    assert pulled >= len(await looked_at(play)) - 1


async def test_a_feed_that_nobody_sees_any_more_leaves_nothing_undone(play: Play) -> None:
    assert await play.tick()
    await play.house.pool.execute(
        "delete from harvester_data.sight where feed_id = (select min(feed_id) from"
        " harvester_data.feed where stream = 'readings')"
    )
    play.clock.advance(timedelta(minutes=5))
    assert await play.tick()
