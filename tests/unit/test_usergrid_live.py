"""Usergrid: what the index does not tell yet is told by the graph, and how far it is behind."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from paged import BASE, Paged, Row, row
from told import Told, ToldApi

from harvester.errors import (
    Forbidden,
    RequestRefused,
    ServerFailed,
    Throttled,
    TooLarge,
    Truncated,
    Unreachable,
)
from harvester.model import Feed, Sample, Window
from harvester.platforms.base import Api, Params
from harvester.platforms.usergrid import Adapter
from harvester.platforms.usergrid.instants import MS, from_millis
from harvester.platforms.usergrid.options import UsergridOptions
from harvester.platforms.usergrid.readings import DEEPEST

PATH = "/acme/plant7/readings"
FEED = Feed("readings", "readings")
NOW = 600_000
"""What the server's clock shows, in milliseconds after BASE."""
LIVE = (480_000, 540_000)
"""A window whose end is as far from now as the index may lag."""
DAY = 24 * 3_600_000


def adapter(**more: object) -> Adapter:
    options: Mapping[str, object] = {
        "base_url": "https://ug.example",
        "organization": "acme",
        "application": "plant7",
        "readings": [{"path": "readings", "device": "uuid"}, {"path": "other", "device": "uuid"}],
    }
    return Adapter(UsergridOptions.model_validate({**options, **more}))


def value(number: int, ms: int, modified: int | None = None) -> Row:
    return row(number, ms, modified, v=number)


async def told(
    adapter: Adapter, api: Api, within: tuple[int, int] = LIVE, feed: Feed = FEED
) -> list[object]:
    """The values of all samples of a window."""
    since, until = within
    asked = Window(from_millis(BASE) + since * MS, from_millis(BASE) + until * MS)
    said = [each async for batch in adapter.readings(api, feed, asked) for each in batch]
    return [each.value for each in said if isinstance(each, Sample)]


async def behind(api: Paged, within: tuple[int, int] = LIVE) -> timedelta | None:
    """What was measured by one window."""
    usergrid = adapter()
    await told(usergrid, api, within)
    return usergrid.behind


def paged(*rows: Row, **more: Any) -> Paged:
    return Paged(list(rows), now=BASE + NOW, **more)


class Moved:
    """An Api at another path than a Paged is made for; or one that fails at some questions."""

    def __init__(self, api: Paged, **troubles: Exception) -> None:
        self.api, self.troubles = api, troubles

    async def get(self, path: str, params: Params | None = None) -> object:
        assert path.startswith("/acme/plant7/")
        ql = str(dict(params or {}).get("ql", "head"))
        if trouble := self.troubles.get(ql.rpartition(" ")[2]):
            self.api.asked.append(dict(params or {}))
            raise trouble
        return await self.api.get(PATH, params)


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
    [(540_000, True), (NOW - 60_000 - 3_599_999, True), (NOW - 60_000 - 3_600_000, False)],
)
async def test_only_a_window_at_the_live_edge_is_measured(until: int, is_live: bool) -> None:
    api = paged(value(1, 590_000))
    assert (await behind(api, (until - 1000, until)) is not None) is is_live
    assert ({"limit": 100} in api.asked) is is_live


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


async def test_a_window_is_read_past_an_index_that_is_away() -> None:
    api = paged(*(value(n, n * 1000) for n in range(600)), cap=100)
    found = await told(adapter(), Moved(api, asc=ServerFailed("503")))
    assert set(range(480, 540)) <= set(found)
    assert len(api.queries) == 1


async def test_what_is_too_deep_waits_for_the_index() -> None:
    rows = [value(n, n) for n in range(2 * DEEPEST)]
    api = Moved(paged(*rows, cap=1), asc=ServerFailed("the index is away"))
    with pytest.raises(ServerFailed, match="the index is away"):
        await told(adapter(), api, (0, 10))
    assert len(api.api.asked) == 1 + DEEPEST


@pytest.mark.parametrize(
    ("key", "trouble"),
    [
        ("readings by modified", ServerFailed("503")),
        ("readings", Throttled("429")),
        ("readings", RequestRefused("400", 400)),
    ],
)
async def test_what_the_graph_cannot_stand_in_for_fails(key: str, trouble: Exception) -> None:
    api = Moved(paged(value(1, 500_000)), asc=trouble)
    with pytest.raises(type(trouble)):
        await told(adapter(), api, feed=Feed("readings", key))
    assert len(api.api.asked) == 1


async def test_the_graph_has_its_own_feed_for_what_the_index_lost() -> None:
    api = paged(*(value(n, n * 1000) for n in range(600)))
    api.unindexed = [each["uuid"] for each in api.rows]
    found = await told(adapter(), api, (0, NOW), feed=Feed("readings", "readings by graph"))
    assert found == list(range(599, -1, -1))
    assert api.queries == []


@pytest.mark.parametrize(
    "key",
    [
        "gone",
        "gone by graph",
        "readings by",
        "readings by modified by graph",
        "devices/u/sends",
        "devices//sends/readings",
        "devices/u/v/sends/readings",
        "old/devices/u/sends/readings",
    ],
)
async def test_a_feed_that_is_configured_no_more_is_not_asked_for(key: str) -> None:
    paths = [{"path": "readings", "device": "uuid"}, {"path": "devices/{device}/sends/readings"}]
    api = paged(value(1, 500_000))
    with pytest.raises(Forbidden, match="not configured"):
        await told(adapter(readings=paths), api, feed=Feed("readings", key))
    assert api.asked == []


@pytest.mark.parametrize("key", ["readings", "readings by modified"])
async def test_passes_that_never_agree_are_told(key: str) -> None:
    api = paged(*(value(n, 500_000) for n in range(5)), cap=2)
    api.between = lambda count: api.rows.append(value(100 + count, 500_000))
    with pytest.raises(Truncated):
        await told(adapter(), api, feed=Feed("readings", key))


@pytest.mark.parametrize("answer", [{"action": "get", "entities": [], "timestamp": "soon"}])
async def test_without_a_servers_time_nothing_is_measured(answer: Told) -> None:
    usergrid = adapter()
    assert await told(usergrid, ToldApi({PATH: answer})) == []
    assert usergrid.behind is None
