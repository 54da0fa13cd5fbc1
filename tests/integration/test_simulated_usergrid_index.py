"""The index of the fake Usergrid knows later what the graph knows at once, or never."""

from datetime import timedelta
from typing import Literal

import pytest
from simulated_usergrid import Play, playing

from harvester.simulator.usergrid_quirks import Switches

SECOND = timedelta(seconds=1)
AT_ONCE = Switches(index_lag=(0 * SECOND, 0 * SECOND))
BY_INDEX = {"ql": "order by created"}


async def seen(play: Play, bearer: str) -> tuple[list[object], list[object]]:
    """What the index tells, and the graph, oldest first."""
    known = await play.numbers("readings", bearer, ql="select * where created > 0 order by created")
    there = await play.numbers("readings", bearer)
    return known, there[::-1]


async def test_what_was_written_is_in_the_index_after_its_lag() -> None:
    async with playing(Switches(index_lag=(5 * SECOND, 5 * SECOND)), things=0) as play:
        bearer = await play.login()
        play.put(0, 1, apart=2000)
        assert await seen(play, bearer) == ([], [0, 1])
        play.later(2)
        assert await seen(play, bearer) == ([0], [0, 1])
        play.fake.index_lag = (600 * SECOND, 600 * SECOND)
        play.put(2)
        play.later(599)
        assert await seen(play, bearer) == ([0, 1], [0, 1, 2])
        play.later(1)
        assert await seen(play, bearer) == ([0, 1, 2], [0, 1, 2])


async def test_what_was_updated_is_gone_until_the_index_knows_it_as_it_is() -> None:
    async with playing(AT_ONCE, things=0) as play:
        bearer = await play.login()
        row, *_ = play.put(0, 1)
        play.fake.index_lag = (3 * SECOND, 3 * SECOND)
        now = play.fake.tokens.now_ms()
        play.fake.store("acme").update(row, {"n": 7, "more": 1}, now)
        assert (await seen(play, bearer))[0] == [1]
        play.later(3)
        assert (await seen(play, bearer))[0] == [7, 1]
        (again,) = (await play.read("readings", bearer, ql=f"modified >= {now}"))["entities"]
        assert (again["n"], again["modified"], again["created"]) == (7, now, row.created)


async def test_what_was_deleted_is_nowhere_though_the_index_still_knows_it() -> None:
    async with playing(AT_ONCE, things=0) as play:
        bearer = await play.login()
        row, *_ = play.put(0, 1)
        play.fake.index_lag = (3 * SECOND, 3 * SECOND)
        play.fake.store("acme").delete(row, play.fake.tokens.now_ms())
        assert await seen(play, bearer) == ([1], [1])
        status, body = await play.send("GET", f"/acme/plant7/readings/{row.uuid}", bearer)
        assert (status, body["error"]) == (404, "entity_not_found")


async def test_versions_that_overtake_each_other_leave_the_last() -> None:
    async with playing(Switches(index_lag=(9 * SECOND, 9 * SECOND)), things=0) as play:
        bearer = await play.login()
        row, *_ = play.put(0)
        play.fake.index_lag = (1 * SECOND, 1 * SECOND)
        play.fake.store("acme").update(row, {"n": 1}, play.fake.tokens.now_ms())
        for _ in range(2):
            play.later(5)
            assert (await seen(play, bearer))[0] == [1]


async def test_what_the_index_lost_is_found_by_the_graph_until_all_is_indexed_anew() -> None:
    async with playing(AT_ONCE, things=0) as play:
        bearer = await play.login()
        play.fake.index_loses = 1.0
        play.put(0, 1, apart=9)
        play.fake.index_loses = 0.0
        play.put(2)
        play.later(86_400)
        assert await seen(play, bearer) == ([2], [0, 1, 2])
        play.fake.reindex("acme")
        assert await seen(play, bearer) == ([0, 1, 2], [0, 1, 2])


async def test_a_collection_that_is_not_indexed_has_rows_in_the_graph_alone() -> None:
    switches = Switches(index_lag=AT_ONCE.index_lag, unindexed=("readings",))
    async with playing(switches, things=0) as play:
        bearer = await play.login()
        play.put(0, 1)
        assert await seen(play, bearer) == ([], [0, 1])


@pytest.mark.parametrize(("server", "status"), [("2.2", 503), ("2.1.0", 500)])
async def test_an_index_that_is_down_leaves_the_graph(
    server: Literal["2.1.0", "2.2"], status: int
) -> None:
    async with playing(Switches(server=server), things=0) as play:
        bearer = await play.login()
        play.put(0)
        play.fake.index_down = True
        path = "/acme/plant7/readings"
        told, body = await play.send("GET", path, bearer, params=BY_INDEX)
        assert (told, body["error"]) == (status, "search_phase_execution")
        assert await play.numbers("readings", bearer, ql="Select *") == [0]
        play.fake.index_down = False
        assert (await play.send("GET", path, bearer, params=BY_INDEX))[0] == 200


async def test_a_site_may_refuse_to_sort_a_whole_collection() -> None:
    async with playing(Switches(index_lag=AT_ONCE.index_lag, analyzes=True), things=0) as play:
        bearer = await play.login()
        play.put(0)
        status, body = await play.send("GET", "/acme/plant7/readings", bearer, params=BY_INDEX)
        assert (status, body["error"]) == (503, "query_analyzer_violations_enforced")
        assert await seen(play, bearer) == ([0], [0])


async def test_two_blanks_in_a_query_make_it_one_of_the_index() -> None:
    async with playing(Switches(index_lag=(5 * SECOND, 5 * SECOND)), things=0) as play:
        bearer = await play.login()
        play.put(0)
        assert await play.numbers("readings", bearer, ql=" SELECT * ") == [0]
        assert await play.numbers("readings", bearer, ql="select  *") == []
