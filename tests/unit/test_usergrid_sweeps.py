"""Usergrid: a walk that is long is walked a part at a time, however deep it leads."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from paged import PATH, Heavy, Paged, row, uuids, window

from harvester.errors import Forbidden, PlatformError, ServerFailed, Throttled, Truncated
from harvester.platforms.base import Api, Params
from harvester.platforms.usergrid.graph import LONGEST, MOST_PAGES, Graph, pages

MOST = 5
DEEP = 400


class Failing:
    """An Api that fails at these requests, from 1 on."""

    def __init__(self, api: Paged, trouble: Exception, *numbers: int) -> None:
        self.api, self.trouble, self.numbers, self.count = api, trouble, numbers, 0

    async def get(self, path: str, params: Params | None = None) -> object:
        self.count += 1
        if self.count in self.numbers:
            raise self.trouble
        return await self.api.get(path, params)


def deep() -> Paged:
    """A path of 40 pages."""
    return Paged([row(n, n) for n in range(DEEP)], cap=10)


async def part(
    graph: Graph, api: Api, since: int = 0, until: int = DEEP, most: int = MOST
) -> tuple[list[str], bool]:
    """What is met at one time, and whether the window was covered by it."""
    met: list[Any] = []
    try:
        async for told, _ in graph.walk(api, PATH, window(since, until), most):
            met += told.entities
    except (Truncated, Throttled, ServerFailed, Forbidden):
        return [each["uuid"] for each in met], False
    return [each["uuid"] for each in met], True


async def parts(graph: Graph, api: Api, since: int = 0, until: int = DEEP) -> list[str]:
    """All that is met until the window is covered."""
    met: list[str] = []
    for _ in range(DEEP):
        told, is_covered = await part(graph, api, since, until)
        met += told
        if is_covered:
            return met
    raise AssertionError("it never is")


async def test_a_long_walk_goes_on_where_it_was_left() -> None:
    api = deep()
    assert await parts(Graph(), api) == uuids(*range(DEEP - 1, -1, -1))
    assert len(api.asked) == DEEP / api.cap + 1, "no page is asked for twice"


async def test_a_walk_that_began_anew_somewhere_deep_comes_to_its_end() -> None:
    """As after a restart, of a window that lies further back than one part of a walk reaches."""
    assert set(uuids(*range(20, 40))) <= set(await parts(Graph(), deep(), 20, 40))


async def test_other_windows_wait_for_the_walk_and_go_on_from_its_end() -> None:
    api, graph = deep(), Graph()
    _, is_covered = await part(graph, api, 300, 400)
    asked = len(api.asked)
    for since, until in ((200, 300), (400, 500)):
        with pytest.raises(Truncated, match="goes on with the next tick"):
            await anext(graph.walk(api, PATH, window(since, until)))
    assert not is_covered and len(api.asked) == asked, "without a question"
    await parts(graph, api, 300, 400)
    api.asked.clear()
    assert set(uuids(*range(280, 300))) <= set(await parts(graph, api, 280, 300))
    assert len(api.asked) < 10


async def test_a_walk_of_one_path_does_not_hold_up_another() -> None:
    api, graph = deep(), Graph()
    await part(graph, api)
    with pytest.raises(AssertionError, match="elsewhere"):
        await anext(graph.walk(api, "elsewhere", window(0, DEEP)))


@pytest.mark.parametrize("growth", [1, 7, 10])
async def test_a_window_that_grows_while_it_is_walked_is_covered_in_the_end(growth: int) -> None:
    """What came meanwhile is all that is walked then."""
    api, graph, until, met = deep(), Graph(), DEEP, set[str]()
    for _ in range(40):
        told, is_covered = await part(graph, api, until - DEEP, until)
        met |= set(told)
        if is_covered:
            break
        api.rows += [row(n, n) for n in range(until, until + growth)]
        until += growth
    assert is_covered and met == set(uuids(*range(until)))
    assert len(api.asked) < 2 * len(api.rows) / api.cap


async def test_a_window_that_begins_earlier_than_the_walk_goes_on_behind_it() -> None:
    api, graph = deep(), Graph()
    await part(graph, api, 300, 400)
    met, is_covered = await part(graph, api, 100, 400, most=20)
    assert not is_covered
    assert set(uuids(*range(100, 300))) <= set(met) | set(await parts(graph, api, 100, 400))
    assert len(api.asked) < 50


async def test_what_an_older_window_goes_on_behind_is_not_walked_again() -> None:
    api, graph = deep(), Graph()
    await part(graph, api, 300, 390)
    assert not (await part(graph, api, 300, 400, most=20))[1]
    assert not (await part(graph, api, 100, 350))[1]
    assert not (await part(graph, api, 310, 400, most=40))[1], "that of the older one is over"
    api.asked.clear()
    assert (await part(graph, api, 310, 400))[1]
    assert len(api.asked) <= 4


async def test_a_window_that_is_asked_for_again_though_it_was_told_is_told_again() -> None:
    api, graph = deep(), Graph()
    assert set(await parts(graph, api)) == set(await parts(graph, api))


async def test_a_walk_that_failed_for_a_while_goes_on() -> None:
    for trouble, is_kept in ((Throttled(""), True), (Forbidden(""), False)):
        api, graph = deep(), Graph()
        first, _ = await part(graph, Failing(api, trouble, 4))
        second, _ = await part(graph, api)
        assert len(first) == 30
        assert (second[0] == "u00369") is is_kept


async def test_a_platform_that_is_away_for_a_while_costs_no_place() -> None:
    """It might have been for the cursor: so the head is asked too."""
    api, graph = deep(), Graph()
    await part(graph, api)
    away = Failing(api, ServerFailed(""), 1, 2)
    assert await part(graph, away) == ([], False)
    assert away.count == 2
    told, _ = await part(graph, api)
    assert told[0] == "u00349"


async def test_a_walk_that_was_interrupted_begins_anew() -> None:
    """What it met may not have been written."""
    api, graph = deep(), Graph()
    await part(graph, api)
    walk = graph.walk(api, PATH, window(0, DEEP))
    await anext(walk)
    assert isinstance(walk, AsyncGenerator)
    await walk.aclose()
    told, _ = await part(graph, api)
    assert told[0] == f"u{DEEP - 1:05d}"


async def test_an_entity_that_is_too_large_is_asked_for_at_its_place_until_it_is_not() -> None:
    heavy = row(150, 150, weight=2000)
    api, graph = Heavy([*(row(n, n) for n in range(150)), heavy]), Graph()
    api.rows += [row(n, n) for n in range(151, 300)]
    api.largest = 100
    for _ in range(2):
        api.asked.clear()
        with pytest.raises(Truncated, match="too large"):
            async for _ in graph.walk(api, PATH, window(0, 300)):
                pass
    assert {each["cursor"] for each in api.asked} == {"148 u00151="}
    heavy["weight"] = 1
    assert (await parts(graph, api, 0, 300))[:2] == uuids(150, 149)


async def test_a_way_in_a_circle_is_found_though_it_is_longer_than_a_part() -> None:
    class Circle:
        asked = 0

        async def get(self, _path: str, _params: Params | None = None) -> object:
            number = self.asked = self.asked + 1
            cursor = str(number % (3 * MOST))
            return {"action": "get", "entities": [row(number, 5)], "cursor": cursor}

    api, graph, reasons = Circle(), Graph(), list[str]()
    for _ in range(4):
        try:
            async for _ in graph.walk(api, PATH, window(), MOST):
                pass
        except PlatformError as error:
            reasons.append(str(error).rpartition(" ")[2])
    assert reasons == ["tick", "tick", "tick", "nowhere"]


async def test_a_list_may_be_longer_than_a_part_of_a_walk_and_not_without_an_end() -> None:
    class Endless:
        asked = 0

        async def get(self, _path: str, _params: Params | None = None) -> object:
            self.asked += 1
            row_ = row(self.asked, 5)
            return {"action": "get", "entities": [row_], "cursor": str(self.asked)}

    api = Endless()
    with pytest.raises(Truncated, match=f"after {LONGEST} pages"):
        async for _ in pages(api, PATH):
            pass
    assert api.asked == LONGEST > MOST_PAGES


@given(
    st.lists(st.integers(0, 90), max_size=60),
    st.integers(1, 6),
    st.integers(1, 6),
    st.lists(st.integers(0, 20), max_size=8),
)
@settings(max_examples=200, deadline=None)
async def test_whatever_a_window_grows_by_all_of_it_was_met_when_it_is_covered(
    instants: list[int], cap: int, most: int, growths: list[int]
) -> None:
    api = Paged([row(n, ms) for n, ms in enumerate(sorted(instants))], cap=cap)
    graph, since, until, met = Graph(), 10, 90, set[str]()
    for number in range(200):
        told, is_covered = await part(graph, api, since, until, most)
        met |= set(told)
        if is_covered:
            break
        growth = growths[number] if number < len(growths) else 0
        api.rows += [row(1000 + until + n, until + n) for n in range(growth)]
        since, until = since + growth // 2, until + growth
    assert is_covered
    base = window().since
    at = {each["uuid"]: each["created"] - base.timestamp() * 1000 for each in api.rows}
    assert {uuid for uuid, ms in at.items() if since <= ms < until} <= met
