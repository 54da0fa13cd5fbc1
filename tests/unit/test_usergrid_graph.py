"""Usergrid: the path without an index is walked from the newest edge, as far as it must be."""

from contextlib import nullcontext
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from paged import BASE, NOW, PATH, Heavy, Paged, Row, row, uuids, window
from told import ToldApi

from harvester.errors import (
    Forbidden,
    RequestRefused,
    ServerFailed,
    Throttled,
    TooLarge,
    Truncated,
)
from harvester.platforms.base import Api
from harvester.platforms.usergrid.edges import BEYOND
from harvester.platforms.usergrid.graph import MOST_PAGES, Graph, pages


async def walked(
    api: Api, since: int, until: int, graph: Graph | None = None, most: int = MOST_PAGES
) -> list[str]:
    """The UUIDs of all that was met."""
    met: list[Any] = []
    async for told, _ in (graph or Graph()).walk(api, PATH, window(since, until), most):
        met += told.entities
    return [each["uuid"] for each in met]


class Failing:
    """An Api that answers with this instead of the requests of these numbers, from 1 on."""

    def __init__(self, api: Paged, trouble: Exception, *numbers: int) -> None:
        self.api, self.trouble, self.numbers, self.count = api, trouble, numbers, 0

    async def get(self, path: str, params: Any = None) -> object:
        self.count += 1
        if self.count in self.numbers:
            self.api.asked.append(dict(params))
            raise self.trouble
        return await self.api.get(path, params)


async def test_a_walk_asks_without_a_query_and_hands_on_all_that_it_meets() -> None:
    api = Paged([row(n, n) for n in range(8)], cap=3)
    assert await walked(api, 4, 6) == uuids(*range(7, -1, -1))
    assert api.asked[0] == {"limit": 1000}
    assert [set(each) for each in api.asked[1:]] == [{"limit", "cursor"}] * 2


async def test_a_walk_ends_two_pages_beyond_the_first_that_is_older() -> None:
    api = Paged([row(n, n) for n in range(100)], cap=4)
    assert await walked(api, 90, 95) == uuids(*range(99, 75, -1))
    assert len(api.asked) == 6


async def test_a_path_of_nothing_is_walked_in_one_step() -> None:
    api = Paged([])
    assert await walked(api, 0, 9) == []
    assert len(api.asked) == 1


async def test_what_was_imported_at_the_head_does_not_end_a_walk() -> None:
    imported = [row(n, -90_000) for n in range(50, 66)]
    old, new = [row(n, n) for n in range(12)], [row(n, n) for n in range(12, 20)]
    api = Paged([*old, *imported[:8], *new, *imported[8:]], cap=4)
    assert set(uuids(*range(5, 20))) <= set(await walked(api, 5, 20))


async def test_an_import_of_heavy_entities_does_not_end_a_walk_by_its_small_pages() -> None:
    imported = [row(n, -90_000, weight=60) for n in range(100, 200)]
    api = Heavy([*(row(n, n, weight=60) for n in range(20)), *imported])
    assert set(uuids(*range(20))) <= set(await walked(api, 0, 20))


@pytest.mark.parametrize("now", [None, BASE + 20, BASE + 19])
async def test_a_walk_that_began_before_the_window_was_over_does_not_cover_it(
    now: int | None,
) -> None:
    """What comes to be written meanwhile would be met by nobody. What was met is told."""
    api, met = Paged([row(n, n) for n in range(9)], now=now), list[object]()
    with nullcontext() if now != BASE + 19 else pytest.raises(Truncated, match="not over"):
        async for told, _ in Graph().walk(api, PATH, window(0, 20)):
            met += told.entities
    assert len(met) == 9


async def test_what_was_changed_and_so_stands_at_the_head_does_not_end_a_walk() -> None:
    changed = [row(n, -90_000, modified=30) for n in range(50, 90)]
    api = Paged([*(row(n, n) for n in range(20)), *changed], cap=4)
    assert set(uuids(*range(5, 20))) <= set(await walked(api, 5, 20))


async def test_what_was_changed_in_its_old_place_does_not_draw_a_walk_out() -> None:
    rows = [row(n, n, modified=500 if n % 4 == 0 else None) for n in range(400)]
    api = Paged(rows, cap=10)
    assert set(uuids(*range(390, 400))) <= set(await walked(api, 390, 400))
    assert len(api.asked) == 4


async def test_windows_that_are_asked_for_newest_first_walk_once_together() -> None:
    api, graph = Paged([row(n, n) for n in range(400)], cap=10), Graph()
    for since in range(390, -10, -10):
        met = await walked(api, since, since + 10, graph)
        assert set(uuids(*range(since, since + 10))) <= set(met)
        assert len(met) <= 50, "each walk begins where the one before it ended"
    assert len(api.asked) < 5 * 40


@pytest.mark.parametrize("until", [10, 13, 15, 16, 30])
async def test_a_window_that_does_not_join_the_last_one_is_walked_from_the_head(until: int) -> None:
    api, graph = Paged([row(n, n) for n in range(30)], cap=3), Graph()
    await walked(api, 14, 20, graph)
    api.rows.append(row(99, 5))
    assert "u00099" in await walked(api, 5, until, graph)


@pytest.mark.parametrize("trouble", [RequestRefused("", 400), ServerFailed("")])
async def test_a_place_that_is_not_known_any_more_is_found_from_the_head(
    trouble: Exception,
) -> None:
    api, graph = Paged([row(n, n) for n in range(40)], cap=3), Graph()
    await walked(api, 20, 40, graph)
    api.asked.clear()
    met = await walked(Failing(api, trouble, 1), 10, 20, graph)
    assert set(uuids(*range(10, 40))) <= set(met)
    assert ["cursor" in each for each in api.asked[:3]] == [True, False, True]


async def test_a_walk_begins_anew_once_where_a_cursor_is_not_taken() -> None:
    api = Paged([row(n, n) for n in range(20)], cap=3)
    assert set(await walked(Failing(api, ServerFailed(""), 3), 0, 20)) == set(uuids(*range(20)))
    with pytest.raises(ServerFailed):
        await walked(Failing(api, ServerFailed(""), 3, 6), 0, 20)


@pytest.mark.parametrize("trouble", [ServerFailed(""), Throttled(""), Forbidden("")])
async def test_a_head_that_cannot_be_had_is_told_as_it_is(trouble: Exception) -> None:
    api = Paged([])
    with pytest.raises(type(trouble)):
        await walked(Failing(api, trouble, 1), 0, 20)
    assert len(api.asked) == 1


async def test_a_walk_that_failed_goes_on_from_there_and_other_windows_wait() -> None:
    api, graph = Paged([row(n, n) for n in range(40)], cap=3), Graph()
    with pytest.raises(Throttled):
        await walked(Failing(api, Throttled(""), 4), 20, 40, graph)
    api.asked.clear()
    with pytest.raises(Truncated, match="goes on with the next tick"):
        await walked(api, 10, 20, graph)
    assert api.asked == []
    assert set(uuids(*range(20, 28))) <= set(await walked(api, 20, 40, graph))
    assert "cursor" in api.asked[0]
    assert set(uuids(*range(10, 20))) <= set(await walked(api, 10, 20, graph))


async def test_a_page_of_too_many_bytes_is_asked_for_with_fewer_entities() -> None:
    api = Heavy([row(n, n) for n in range(200)])
    api.largest = 99
    assert await walked(api, 0, 200) == uuids(*range(199, -1, -1))
    assert [each["limit"] for each in api.asked[:4]] == [1000, 100, 10, 10]


async def test_an_entity_that_is_too_large_by_itself_is_the_end_of_the_way() -> None:
    api = Heavy([row(n, n, weight=2000 if n == 15 else 1) for n in range(30)])
    met: list[str] = []
    with pytest.raises(Truncated, match="too large"):
        async for told, _ in Graph().walk(api, PATH, window(0, 30)):
            met += [each["uuid"] for each in told.entities if isinstance(each, dict)]
    assert met == uuids(*range(29, 15, -1))


async def test_a_long_walk_is_done_a_part_at_a_time() -> None:
    api, graph = Paged([row(n, n) for n in range(40)], cap=2), Graph()
    with pytest.raises(Truncated, match="goes on with the next tick"):
        await walked(api, 20, 40, graph, most=9)
    assert len(api.asked) == 9
    assert await walked(api, 20, 40, graph, most=9) == uuids(*range(21, 13, -1))
    assert len(await walked(api, 20, 40, most=13)) == 26


@pytest.mark.parametrize("largest", [1000, 100])
async def test_a_full_page_without_a_cursor_is_no_end_of_a_walk(largest: int) -> None:
    """As connections of older servers are told: one list, cut at the limit."""

    def told(asked: dict[str, Any]) -> object:
        rows = [row(n, n) for n in range(min(asked["limit"], there))]
        whole = {"action": "get", "timestamp": NOW, "entities": rows}
        return whole if len(rows) <= largest else TooLarge("")

    there = largest - 1
    assert len(await walked(ToldApi({PATH: told}), -9, 2000)) == there
    there = 2 * largest
    with pytest.raises(Truncated, match="no cursor"):
        await walked(ToldApi({PATH: told}), -9, 2000)


async def test_pages_of_nothing_that_lead_on_do_not_end_a_walk() -> None:
    """Older servers leave out what was deleted, and do not fill up."""
    found: Row = {"action": "get", "timestamp": NOW, "entities": [row(1, 50)]}

    def told(asked: dict[str, Any]) -> Row:
        page = int(asked.get("cursor", 0))
        return found if page == BEYOND + 1 else found | {"entities": [], "cursor": str(page + 1)}

    assert await walked(ToldApi({PATH: told}), 0, 100) == ["u00001"]


async def test_a_path_that_tells_the_same_again_and_again_is_not_walked_for_ever() -> None:
    class Stuck:
        asked = 0

        async def get(self, _path: str, _params: Any = None) -> object:
            self.asked += 1
            return {"action": "get", "entities": [row(1, 5)], "cursor": str(self.asked)}

    api = Stuck()
    with pytest.raises(Truncated, match="leads nowhere"):
        async for _ in pages(api, PATH):
            pass
    assert api.asked < 10


@given(
    st.lists(st.integers(0, 60), max_size=60),
    st.integers(1, 7),
    st.lists(st.integers(1, 30), min_size=1, max_size=5),
    st.lists(st.booleans(), max_size=30),
)
@settings(max_examples=200, deadline=None)
async def test_windows_together_miss_nothing_that_was_there_all_the_time(
    instants: list[int], cap: int, lengths: list[int], comes: list[bool]
) -> None:
    """While new rows come at the head."""
    rows: list[Row] = [row(n, ms) for n, ms in enumerate(sorted(instants))]
    api, graph = Paged(list(rows), cap=cap), Graph()

    def come(count: int) -> None:
        if count <= len(comes) and comes[count - 1]:
            api.rows.append(row(1000 + count, 70 + count))

    api.between = come
    until, met = 70, set[str]()
    for length in lengths:
        met |= set(await walked(api, until - length, until, graph))
        until -= length
    inside = {each["uuid"] for each in rows if each["created"] >= BASE + until}
    assert inside <= met
