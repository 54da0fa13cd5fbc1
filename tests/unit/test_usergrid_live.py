"""Usergrid: what the index does not tell yet is told by the graph, and how far it is behind."""

from datetime import timedelta

import pytest
from paged import BASE, PATH, Paged
from sourced import LIVE, NOW, Moved, adapter, paged, told, value
from told import Told, ToldApi

from harvester.errors import Forbidden, ServerFailed, Throttled, TooLarge, Unreachable
from harvester.model import Feed
from harvester.platforms.usergrid.instants import MS

DAY = 24 * 3_600_000


async def behind(api: Paged, within: tuple[int, int] = LIVE) -> timedelta | None:
    """What was measured by one window."""
    usergrid = adapter()
    await told(usergrid, api, within)
    return usergrid.behind


async def test_what_the_index_does_not_know_yet_is_told_by_the_graph() -> None:
    api = paged(value(1, 490_000), value(2, 500_000), value(3, 530_000), unindexed=["u00002"])
    assert await told(adapter(), api) == [1, 3, 2]
    assert {"limit": 100} in api.asked


async def test_all_that_is_met_is_told_though_it_is_of_another_window() -> None:
    """It may be withdrawn before its own window is asked for."""
    api = paged(value(1, 10), value(2, 500_000), value(3, 599_000))
    assert sorted(map(str, await told(adapter(), api))) == ["1", "2", "3"]


async def test_what_stays_at_the_head_is_told_once_and_again_when_it_is_changed() -> None:
    """Or else with its own window, until that is covered."""
    api, usergrid = paged(value(1, 10), value(2, 500_000), unindexed=["u00002"]), adapter()
    assert sorted(map(str, await told(usergrid, api))) == ["1", "2"]
    assert await told(usergrid, api) == [2]
    assert await told(usergrid, api, (540_000, 541_000)) == []
    api.rows[0] = value(7, 10, modified=599_000) | {"uuid": "u00001"}
    assert await told(usergrid, api, (541_000, 542_000)) == [7]


async def test_an_index_that_knows_all_is_not_behind() -> None:
    assert await behind(paged(value(1, 500_000), value(2, 590_000))) == timedelta()
    assert await behind(paged()) == timedelta()
    assert adapter().behind is None


async def test_a_window_of_which_all_was_told_is_measured_by_one_question() -> None:
    api = paged(value(1, 490_000), value(2, 500_000))
    assert await behind(api) == timedelta()
    assert [set(each) for each in api.asked] == [{"ql", "limit"}] * 2 + [{"limit"}]


@pytest.mark.parametrize(
    ("unindexed", "expected"),
    [
        (["u00004"], 1),
        (["u00003", "u00004"], 10),
        (["u00002"], 100),
        (["u00001"], 590),
        (["u00009"], 0),
    ],
)
async def test_the_index_is_as_far_behind_as_the_oldest_that_it_lacks(
    unindexed: list[str], expected: int
) -> None:
    """Also what is younger, or older, than the window is looked for in it."""
    rows = [value(1, 10_000), value(2, 500_000), value(3, 590_000), value(4, 599_000)]
    assert await behind(paged(*rows, unindexed=unindexed)) == timedelta(seconds=expected)


async def test_the_index_is_asked_for_the_span_that_is_in_doubt_and_no_more() -> None:
    api = paged(value(1, 500_000), value(2, 570_000), value(3, 590_000), unindexed=["u00003"])
    assert await behind(api) == timedelta(seconds=10)
    ql = f"select * where created >= {BASE + 570_000} order by created desc"
    assert api.asked[-1] == {"ql": ql, "limit": 100}


async def test_what_was_changed_a_moment_ago_is_missing_since_then() -> None:
    rows = [value(1, 500_000, modified=597_000), value(2, 501_000)]
    assert await behind(paged(*rows, unindexed=["u00001"])) == timedelta(seconds=3)


async def test_what_was_imported_with_an_old_date_tells_of_no_lag() -> None:
    rows = [value(1, 500_000), value(2, NOW - DAY - 1), value(3, NOW - DAY)]
    for unindexed, expected in ((["u00002"], 0), (["u00003"], DAY)):
        assert await behind(paged(*rows, unindexed=unindexed)) == expected * MS


async def test_of_a_full_answer_only_what_had_room_is_known_to_be_missing() -> None:
    rows = [value(n, ms) for n, ms in enumerate([558_000, 557_000, 556_000, 555_000])]
    head = [value(n, ms) for n, ms in enumerate([555_000, 554_000, 553_000, 556_500], 4)]
    assert await behind(paged(*rows, *head[:3], cap=4)) == timedelta()
    api = paged(*rows, *head, cap=4)
    api.unindexed = ["u00007"]
    assert await behind(api) == timedelta(seconds=43.5)


async def test_the_last_of_a_sparse_path_says_no_more_than_how_old_it_is() -> None:
    """What came before it lies minutes back, and was told."""
    rows = [value(n, 540_000 - 60_000 * n) for n in (3, 2, 1)]
    api = paged(*rows, value(4, 599_000), unindexed=["u00004"], cap=3)
    assert await behind(api, (0, 540_000)) == timedelta(seconds=1)


async def test_what_a_measurement_meets_is_told_too() -> None:
    api = paged(value(1, 500_000), value(2, 590_000))

    def come(count: int) -> None:
        if count == 4:
            api.rows.append(value(3, 599_999))

    api.between = come
    assert await told(adapter(), api) == [1, 2, 3]
    assert len(api.asked) == 4


@pytest.mark.parametrize(
    ("until", "is_live"),
    [(540_000, True), (NOW - 3_599_999, True), (NOW - 3_600_000, False)],
)
async def test_only_a_window_at_the_live_edge_is_measured(until: int, is_live: bool) -> None:
    api = paged(value(1, 590_000))
    assert (await behind(api, (until - 1000, until)) is not None) is is_live
    assert ({"limit": 100} in api.asked) is is_live


async def test_a_window_without_a_whole_millisecond_is_not_looked_for() -> None:
    api, usergrid = paged(value(1, 500_000)), adapter()
    assert await told(usergrid, api, (539_999.2, 539_999.9)) == []
    assert (api.asked, usergrid.behind) == ([], None)


async def test_the_live_edge_is_as_far_away_as_the_index_may_lag() -> None:
    usergrid = adapter(index_lag="2h")
    until = NOW - 7_200_000
    await told(usergrid, paged(), (until - 1000, until))
    assert usergrid.behind == timedelta()
    assert usergrid.under_way == timedelta(hours=2)


async def test_the_path_that_is_furthest_behind_counts_for_as_long_as_it_is_measured() -> None:
    usergrid = adapter()
    slow = paged(value(1, 570_000), unindexed=["u00001"])
    other = Feed("readings", "other")
    await told(usergrid, slow)
    await told(usergrid, Moved(paged()), feed=other)
    assert usergrid.behind == timedelta(seconds=30)
    later = paged()
    later.now = BASE + NOW + 3_600_001
    await told(usergrid, Moved(later), (LIVE[0], NOW + 3_540_000), other)
    assert usergrid.behind == timedelta()


@pytest.mark.parametrize(
    "trouble", [ServerFailed(""), Unreachable(""), Throttled(""), TooLarge("")]
)
async def test_a_measurement_that_fails_costs_no_window(trouble: Exception) -> None:
    api = paged(value(1, 500_000), value(2, 590_000))
    usergrid = adapter()
    assert await told(usergrid, Moved(api, desc=trouble)) == [1, 2]
    assert usergrid.behind is None


@pytest.mark.parametrize("trouble", [ServerFailed(""), Forbidden("")])
async def test_a_head_that_cannot_be_had_leaves_the_window_open(trouble: Exception) -> None:
    with pytest.raises(type(trouble)):
        await told(adapter(), Moved(paged(value(1, 500_000)), head=trouble))


async def test_a_head_of_too_many_bytes_is_no_part_of_the_window() -> None:
    api = Moved(paged(value(1, 500_000)), head=TooLarge(""))
    assert await told(adapter(), api) == [1]


async def test_what_was_changed_is_not_looked_for_at_the_live_edge() -> None:
    api = paged(value(1, 500_000))
    usergrid = adapter()
    feed = Feed("readings", "readings by modified")
    assert await told(usergrid, api, feed=feed) == [1]
    assert len(api.queries) == len(api.asked) == 2
    assert usergrid.behind is None


@pytest.mark.parametrize("answer", [{"action": "get", "entities": [], "timestamp": "soon"}])
async def test_without_a_servers_time_nothing_is_measured(answer: Told) -> None:
    usergrid = adapter()
    assert await told(usergrid, ToldApi({PATH: answer})) == []
    assert usergrid.behind is None


async def test_an_index_that_lacks_all_of_the_head_is_as_far_behind_as_what_it_knows_last() -> None:
    """Where many come in, the head reaches back for no more than a moment."""
    rows = [value(n, 590_000 + n) for n in range(1, 151)]
    known = value(200, 100_000)
    everything = [each["uuid"] for each in rows]
    assert await behind(paged(known, *rows, unindexed=everything)) == timedelta(seconds=500)
    assert await behind(paged(*rows, unindexed=everything)) == timedelta(days=1)
