"""Usergrid: a sweep hands on what no window tells, and leaves out what they do."""

from typing import Any

import pytest
from paged import BASE, NOW, PATH, Heavy, Paged, Row, row, window
from sourced import Moved, adapter, told

from harvester.errors import (
    Forbidden,
    RequestRefused,
    ServerFailed,
    Throttled,
    TooLarge,
    Unreachable,
)
from harvester.model import Feed
from harvester.platforms.usergrid.edges import BEYOND, LONG
from harvester.platforms.usergrid.graph import Graph
from harvester.platforms.usergrid.pages import LIMIT
from harvester.platforms.usergrid.untold import MOST_PAGES, TOLD_BY

SWEPT = Feed("readings", "readings by graph")
AGES_AGO = -10 * LONG
OLD = NOW - BASE - TOLD_BY - 1
"""The last millisecond after BASE of what the windows have told by now."""


def value(number: int, ms: int, modified: int | None = None) -> Row:
    return row(number, ms, modified, v=number)


async def swept(api: Any) -> list[object]:
    """What a sweep of all that is new hands on."""
    return await told(adapter(), api, (-20 * LONG, NOW - BASE), SWEPT)


async def test_what_windows_have_told_is_left_out_and_what_the_index_lacks_is_not() -> None:
    api = Paged([value(n, OLD - 9 + n) for n in range(8)], unindexed=["u00002", "u00005"])
    assert await swept(api) == [5, 2]
    where = f"created >= {BASE + OLD - 9} and created < {BASE + OLD - 1}"
    ql = f"select * where {where} order by created desc"
    assert api.queries == [{"ql": ql, "limit": 1000}]


async def test_what_is_young_is_handed_on_and_nothing_is_asked_for_it() -> None:
    api = Paged([value(1, OLD + 1), value(2, OLD + 2)])
    assert await swept(api) == [2, 1]
    assert api.queries == []


async def test_what_was_changed_of_late_is_as_young_as_its_change() -> None:
    api = Paged([value(1, OLD), value(2, OLD - 1, modified=OLD + 1)])
    assert await swept(api) == [2]


async def test_what_the_index_knows_in_another_version_is_handed_on() -> None:
    api = Paged([value(1, OLD - 5, modified=OLD), value(2, OLD - 6)])

    def index_is_behind(count: int) -> None:
        if count == 2:
            api.rows[0] = value(7, OLD - 5) | {"uuid": "u00001"}

    api.between = index_is_behind
    assert await swept(api) == [1]


async def test_what_is_met_while_the_index_is_asked_is_handed_on_too() -> None:
    """It may be withdrawn before a window tells of it."""
    api = Paged([value(1, OLD), value(2, OLD - 1)])

    def change(count: int) -> None:
        if count == 2:
            api.rows[1] = value(7, OLD - 1, modified=OLD + 9) | {"uuid": "u00002"}

    api.between = change
    assert sorted(map(str, await swept(api))) == ["2", "7"]


async def test_an_index_that_has_more_of_that_time_is_asked_page_by_page() -> None:
    among = [row(100 + n, OLD - 9 + n) for n in range(9)]
    api = Paged([value(1, OLD - 9), value(2, OLD)], cap=4)
    asked = len(among)

    def hide(count: int) -> None:
        api.rows = [each for each in api.rows if "v" in each] + (among if count > 1 else [])

    api.between = hide
    assert await swept(api) == []
    assert 2 < len(api.queries) < asked


async def test_a_time_of_which_the_index_has_very_much_is_not_gone_through() -> None:
    rows = [row(n, OLD - 5 * MOST_PAGES + n) for n in range(4 * MOST_PAGES)]
    api = Paged([value(500, OLD - 9 * MOST_PAGES), *rows], cap=2)
    found = await swept(api)
    of_one_page = [each for each in api.queries if "created >= " + str(_oldest(api)) in each["ql"]]
    assert len(of_one_page) <= MOST_PAGES
    assert found == []


def _oldest(api: Paged) -> int:
    return min(int(each["created"]) for each in api.rows)


@pytest.mark.parametrize(
    "trouble", [ServerFailed(""), Unreachable(""), Throttled(""), TooLarge("")]
)
async def test_all_is_handed_on_where_the_index_does_not_answer(trouble: Exception) -> None:
    api = Moved(Paged([value(1, OLD), value(2, OLD)]), desc=trouble)
    assert await swept(api) == [2, 1]


@pytest.mark.parametrize("trouble", [Forbidden(""), RequestRefused("", 400)])
async def test_other_trouble_with_the_index_is_told(trouble: Exception) -> None:
    with pytest.raises(type(trouble)):
        await swept(Moved(Paged([value(1, OLD)]), desc=trouble))


async def test_an_index_that_is_away_is_asked_by_one_page_of_a_sweep() -> None:
    api = Moved(Paged([value(n, OLD - n) for n in range(9, 0, -1)], cap=3), desc=ServerFailed(""))
    assert len(await swept(api)) == 9
    assert len(api.api.queries) == 1


async def test_where_no_time_is_told_all_is_handed_on() -> None:
    api = Paged([{"uuid": "u1", "v": 1}])
    assert await swept(api) == [1]
    assert await swept(Paged([value(2, OLD)], now=None)) == [2]
    assert api.queries == []


async def test_what_was_imported_with_old_dates_is_handed_on_though_it_is_indexed() -> None:
    """No window of that time is asked for any more. What was created later lies behind it."""
    imported = [value(n, AGES_AGO) for n in range(3)]
    api = Paged([value(7, OLD - 1), *imported, value(8, OLD)])
    assert sorted(map(str, await swept(api))) == ["0", "1", "2"]


async def test_what_was_imported_is_handed_on_once_a_later_page_proves_it() -> None:
    """Not where more pages lie between. At the end it is where it should be."""
    imported = [value(n, AGES_AGO + n) for n in range((BEYOND + 1) * LIMIT)]
    for pages in (BEYOND, BEYOND + 1):
        api = Paged([value(-1, OLD), *imported[: pages * LIMIT]])
        assert set(await swept(api)) == set(range(BEYOND * LIMIT))
    assert await swept(Paged([*imported, value(-1, OLD)])) == []


async def test_of_small_pages_as_many_entities_are_remembered_as_of_full_ones() -> None:
    imported = [row(n, AGES_AGO + n, v=n, weight=60) for n in range(100)]
    api = Heavy([value(-1, OLD), *imported])
    assert set(await swept(api)) == set(range(100))


async def test_what_was_changed_or_written_a_little_late_was_told_by_windows() -> None:
    rows = [value(1, OLD), value(2, OLD - LONG), value(3, AGES_AGO, modified=OLD - LONG)]
    assert await swept(Paged(rows)) == []
    rows = [value(1, OLD), value(2, OLD - LONG - 1)]
    assert await swept(Paged(rows)) == [2]


async def test_what_says_that_it_will_be_created_later_proves_nothing() -> None:
    assert await swept(Paged([value(1, NOW - BASE + 1), value(2, AGES_AGO)])) == [1]


async def test_one_that_was_written_late_is_told_once() -> None:
    api = Paged([*(value(n, n) for n in range(3, 9)), value(2, AGES_AGO), value(9, 9)], cap=2)
    late: list[Any] = []
    async for _, found in Graph().walk(api, PATH, window(0, 600_000)):
        late += found
    assert [each["v"] for each in late] == [2]
