"""Usergrid: a window is asked of the index, page by page, until its end is proven."""

from collections.abc import Callable
from typing import Any

import pytest
from indexed import numbers, pages
from paged import BASE, NOW, PATH, Heavy, Paged, Row, row, uuids, window
from told import Told, ToldApi

from harvester.errors import (
    Forbidden,
    Malformed,
    RequestRefused,
    ServerFailed,
    Throttled,
    TooLarge,
    Truncated,
)
from harvester.platforms.usergrid.asking import Asking


async def test_a_window_is_asked_for_in_unquoted_milliseconds_until_two_passes_agree() -> None:
    api = Paged([row(1, 0), row(2, 59_999), row(3, 60_000)])
    assert await numbers(api) == uuids(*range(1, 3))
    ql = f"select * where created >= {BASE} and created < {BASE + 60_000} order by created asc"
    assert api.asked == [{"ql": ql, "limit": 1000}] * 2


async def test_a_window_in_which_nothing_is_costs_one_question() -> None:
    api = Paged([row(1, 60_000)])
    assert await pages(api) == [[]]
    assert len(api.asked) == 1


@pytest.mark.parametrize(
    ("since", "until", "found"),
    [
        (5, 6, range(1, 2)),
        (4.001, 5.001, range(1, 2)),
        (5.001, 7, range(0)),
        (4.5, 5, range(0)),
    ],
)
async def test_windows_that_meet_within_a_millisecond_have_it_once(
    since: float, until: float, found: range
) -> None:
    assert await numbers(Paged([row(1, 5)]), window(since, until)) == uuids(*found)


async def test_a_window_without_a_whole_millisecond_is_not_asked_for() -> None:
    api = Paged([row(1, 5)])
    assert await pages(api, window(4.2, 4.9)) == []
    assert api.asked == []


async def test_what_was_changed_is_asked_for_by_that() -> None:
    api = Paged([row(1, -9, modified=7), row(2, 5)])
    assert await numbers(api, axis="modified") == ["u00002", "u00001"]
    assert " modified >= " in api.asked[0]["ql"] and "order by modified asc" in api.asked[0]["ql"]


async def test_the_next_page_begins_at_the_last_instant_and_not_at_an_offset() -> None:
    api = Paged([row(n, n // 2) for n in range(10)], cap=4)
    assert await numbers(api) == uuids(*range(10))
    assert not any("cursor" in each for each in api.asked)
    assert [int(each["ql"].split()[5]) - BASE for each in api.asked] == [0, 1, 2, 3, 4] * 2


async def test_only_an_instant_that_fills_a_page_is_gone_through_by_its_cursor() -> None:
    api = Paged([row(1, 1), *(row(n, 5) for n in range(2, 12)), row(12, 9)], cap=4)
    assert await numbers(api) == uuids(*range(1, 13))
    followed = [each for each in api.asked if "cursor" in each]
    assert {each["ql"] for each in followed} == {
        f"select * where created >= {BASE + 5} and created < {BASE + 60_000} order by created asc"
    }
    assert {each["limit"] for each in followed} == {1000}


@pytest.mark.parametrize("count", [3, 4, 8, 9])
async def test_a_full_last_page_has_a_cursor_that_leads_to_nothing(count: int) -> None:
    assert await numbers(Paged([row(n, 5) for n in range(count)], cap=4)) == uuids(*range(count))
    assert await numbers(Paged([row(n, n) for n in range(count)], cap=4)) == uuids(*range(count))


async def test_a_short_page_with_a_cursor_is_not_the_last() -> None:
    first = {"action": "get", "entities": [row(1, 1)], "cursor": "OikK", "timestamp": NOW}
    rest = {"action": "get", "entities": [row(1, 1), row(2, 2)], "timestamp": NOW}
    api = ToldApi({PATH: lambda asked: first if f">= {BASE} " in asked["ql"] else rest})
    assert await numbers(api) == uuids(*range(1, 3))


@pytest.mark.parametrize(
    "rows",
    [
        [row(1, 3, modified=50), row(2, 3, modified=9), row(3, 4)],
        [row(1, 3), row(2, 3, modified=70_000), row(3, 4)],
        [row(1, -7, modified=-2), row(2, 3), row(3, 4)],
        [row(1) | {"modified": None}, row(2) | {"modified": "x"}, row(3, 4)],
    ],
)
async def test_a_page_in_no_order_is_followed_by_its_cursor(rows: list[Row]) -> None:
    """As where the index still tells of an entity that was changed since."""
    answers = [
        {"action": "get", "entities": rows[:2], "cursor": "a", "timestamp": NOW},
        {"action": "get", "entities": rows[2:], "timestamp": NOW},
    ]
    api = ToldApi({PATH: lambda asked: answers["cursor" in asked]})
    assert await numbers(api, axis="modified") == uuids(*range(1, 4))
    assert [each.get("cursor") for _, each in api.asked] == [None, "a"] * 2


@pytest.mark.parametrize(
    "trouble",
    [RequestRefused("", 400), ServerFailed(""), Throttled(""), Forbidden("")],
)
async def test_other_trouble_is_not_hidden(trouble: Exception) -> None:
    api = ToldApi({PATH: trouble})
    with pytest.raises(type(trouble)):
        await pages(api)
    assert len(api.asked) == 1


async def test_what_is_too_large_is_asked_for_with_fewer_entities() -> None:
    api = Heavy([row(n, n) for n in range(200)])
    api.largest = 99
    assert await numbers(api) == uuids(*range(200))
    assert [each["limit"] for each in api.asked[:4]] == [1000, 100, 10, 10]


async def test_an_instant_of_large_entities_is_gone_through_anew_with_fewer() -> None:
    """A cursor goes with the limit that it was given for."""
    api = Heavy([row(n, 5, weight=1 if n < 100 else 11) for n in range(300)], cap=100)
    assert sorted(await numbers(api)) == uuids(*range(300))
    begun = [each["limit"] for each in api.asked if "cursor" not in each]
    assert begun == [1000, 1000, 100, 100, 10, 10, 10, 10]
    limits = [each["limit"] for each in api.asked]
    assert limits == sorted(limits, reverse=True)


async def test_an_entity_that_is_too_large_by_itself_comes_after_what_is_before_it() -> None:
    api = Heavy([row(1, 1), row(2, 5, weight=2000), row(3, 9)])
    told: list[Any] = []
    with pytest.raises(TooLarge):
        async for page in Asking(api, PATH, "created", window()).pages():
            told += page
    assert [each["uuid"] for each in told] == ["u00001"]
    assert [each["limit"] for each in api.asked[:4]] == [1000, 100, 10, 1]


async def test_a_window_that_is_not_over_by_the_servers_clock_is_told_and_no_more() -> None:
    assert await numbers(Paged([row(1, 5)], now=BASE + 60_000)) == ["u00001"]
    told: list[Any] = []
    with pytest.raises(Truncated, match="the window is not over"):
        api = Paged([row(1, 5)], now=BASE + 59_999)
        async for page in Asking(api, PATH, "created", window()).pages():
            told += page
    assert [each["uuid"] for each in told] == ["u00001"]


def stuck(cursor: Callable[[int], object], *, same: bool = True) -> ToldApi:
    """Pages of one row of one instant, each with a cursor."""
    count = iter(range(1000))

    def told(_: object) -> object:
        number = next(count)
        entities = [row(0 if same else number, 5)]
        return {"action": "get", "entities": entities, "cursor": cursor(number), "timestamp": NOW}

    return ToldApi({PATH: told})


@pytest.mark.parametrize(
    ("cursor", "same"), [(str, True), (lambda _: "OikK", False), (lambda n: str(n % 3), False)]
)
async def test_cursors_that_lead_nowhere_are_not_followed_for_ever(
    cursor: Callable[[int], object], same: bool
) -> None:
    api = stuck(cursor, same=same)
    with pytest.raises(Truncated, match="leads nowhere"):
        await pages(api)
    assert len(api.asked) < 10


@pytest.mark.parametrize("cursor", [7, True, [], {}])
async def test_a_cursor_of_no_known_kind_is_no_end(cursor: object) -> None:
    with pytest.raises(Truncated):
        await pages(stuck(lambda _: cursor))


@pytest.mark.parametrize("most", [1000, 100])
async def test_a_full_page_of_one_instant_without_a_cursor_proves_nothing(most: int) -> None:
    def told(asked: dict[str, Any]) -> object:
        rows = [row(n, 5) for n in range(asked["limit"])]
        if len(rows) > most:
            return TooLarge("more bytes than are taken at once")
        return {"action": "get", "entities": rows, "timestamp": NOW}

    with pytest.raises(Truncated, match="no cursor"):
        await pages(ToldApi({PATH: told}))


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        None,
        7,
        "x",
        [row(1)],
        {"error": "runtime", "timestamp": NOW},
        {"action": "get", "entities": [], "error": "x"},
        {"action": "get", "list": [[1]]},
        {"action": "get", "entities": {}},
        {"action": "get", "entities": "x"},
    ],
)
async def test_what_is_no_list_of_entities_does_not_pass_for_silence(answer: Told) -> None:
    with pytest.raises(Malformed):
        await pages(ToldApi({PATH: answer}))


async def test_a_blank_cursor_leads_nowhere_and_is_the_end() -> None:
    told = {"action": "get", "entities": [row(1, 5), row(2, 6)], "cursor": "", "timestamp": NOW}
    api = ToldApi({PATH: told})
    assert await numbers(api) == uuids(*range(1, 3))
    assert len(api.asked) == 2


@pytest.mark.parametrize("answer", [{"action": "get"}, {"timestamp": NOW, "cursor": None}])
async def test_an_envelope_around_nothing_is_silence(answer: Told) -> None:
    assert await pages(ToldApi({PATH: answer})) == [[]]


async def test_what_is_no_entity_is_handed_on_too_and_once() -> None:
    odd: list[Any] = [{"v": 1}, {"uuid": None, "created": BASE}, {"uuid": 7}]
    told = {"action": "get", "entities": [*odd, row(1, 1)], "timestamp": NOW}
    assert [page for page in await pages(ToldApi({PATH: told})) if page] == [[*odd, row(1, 1)]]
