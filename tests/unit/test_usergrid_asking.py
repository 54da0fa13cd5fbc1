"""Usergrid: a window is read whole by the index, whatever comes and goes between its pages."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings, strategies as st
from paged import BASE, Paged, Row, row
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
from harvester.model import Window
from harvester.platforms.base import Api
from harvester.platforms.usergrid import asking
from harvester.platforms.usergrid.asking import Asking, Axis
from harvester.platforms.usergrid.instants import MS, from_millis

PATH = "/acme/plant7/readings"


def window(since: float = 0, until: float = 60_000) -> Window:
    """From and until so many milliseconds after BASE."""
    return Window(from_millis(BASE) + since * MS, from_millis(BASE) + until * MS)


async def pages(api: Api, within: Window | None = None, axis: Axis = "created") -> list[list[Row]]:
    asked = Asking(api, PATH, axis, within or window())
    return [[dict(each) for each in page] async for page in asked.pages()]  # type: ignore[call-overload]


async def numbers(api: Api, within: Window | None = None, axis: Axis = "created") -> list[str]:
    """The UUIDs of all that was handed on."""
    return [each["uuid"] for page in await pages(api, within, axis) for each in page]


def uuids(*ranges: range) -> list[str]:
    return [f"u{number:05d}" for each in ranges for number in each]


async def test_a_window_is_asked_for_in_unquoted_milliseconds_until_two_passes_agree() -> None:
    api = Paged([row(1, 0), row(2, 59_999), row(3, 60_000)])
    assert await numbers(api) == uuids(range(1, 3))
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
    assert await numbers(Paged([row(1, 5)]), window(since, until)) == uuids(found)


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
    assert await numbers(api) == uuids(range(10))
    assert not any("cursor" in each for each in api.asked)
    assert [int(each["ql"].split()[5]) - BASE for each in api.asked] == [0, 1, 2, 3, 4] * 2


async def test_only_an_instant_that_fills_a_page_is_gone_through_by_its_cursor() -> None:
    api = Paged([row(1, 1), *(row(n, 5) for n in range(2, 12)), row(12, 9)], cap=4)
    assert await numbers(api) == uuids(range(1, 13))
    followed = [each for each in api.asked if "cursor" in each]
    assert {each["ql"] for each in followed} == {
        f"select * where created >= {BASE + 5} and created < {BASE + 60_000} order by created asc"
    }
    assert {each["limit"] for each in followed} == {1000}


@pytest.mark.parametrize("count", [3, 4, 8, 9])
async def test_a_full_last_page_has_a_cursor_that_leads_to_nothing(count: int) -> None:
    assert await numbers(Paged([row(n, 5) for n in range(count)], cap=4)) == uuids(range(count))
    assert await numbers(Paged([row(n, n) for n in range(count)], cap=4)) == uuids(range(count))


async def test_a_short_page_with_a_cursor_is_not_the_last() -> None:
    first = {"action": "get", "entities": [row(1, 1)], "cursor": "OikK", "timestamp": BASE}
    rest = {"action": "get", "entities": [row(1, 1), row(2, 2)], "timestamp": BASE}
    api = ToldApi({PATH: lambda asked: first if f">= {BASE} " in asked["ql"] else rest})
    assert await numbers(api) == uuids(range(1, 3))


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
        {"action": "get", "entities": rows[:2], "cursor": "a", "timestamp": BASE},
        {"action": "get", "entities": rows[2:], "timestamp": BASE},
    ]
    api = ToldApi({PATH: lambda asked: answers["cursor" in asked]})
    assert await numbers(api, axis="modified") == uuids(range(1, 4))
    assert [each.get("cursor") for _, each in api.asked] == [None, "a"] * 2


async def test_a_later_pass_hands_on_only_what_is_new_or_was_changed() -> None:
    api = Paged([row(n, n) for n in range(5)], cap=3)

    def change(count: int) -> None:
        if count == 3:
            api.rows[1] = row(1, 1, modified=99_000)
            api.rows.append(row(9, 2))

    api.between = change
    told = [each for page in await pages(api) for each in page]
    assert [each["uuid"] for each in told].count("u00001") == 2
    assert len(told) == 7 and {each["uuid"] for each in told} == {*uuids(range(5)), "u00009"}


@pytest.mark.parametrize("appears", [1, 2, 3])
async def test_what_the_index_learns_between_passes_is_handed_on(appears: int) -> None:
    api = Paged([row(1, 5), row(2, 6)], unindexed=["u00001"])

    def learn(count: int) -> None:
        if count > appears:
            api.unindexed = ()

    api.between = learn
    assert set(await numbers(api)) == (set(uuids(range(1, 3))) if appears < 2 else {"u00002"})


@pytest.mark.parametrize("shuffled", [False, True])
async def test_rows_of_one_instant_in_another_order_are_the_same_rows(shuffled: bool) -> None:
    api = Paged([row(n, n // 4) for n in range(40)], cap=6, shuffled=shuffled)
    assert sorted(await numbers(api)) == uuids(range(40))


async def test_pages_that_cut_an_instant_elsewhere_each_time_agree() -> None:
    """The last instant filled a page, so that a cursor was followed."""
    api = Paged([row(n, ms) for n, ms in enumerate([1] * 3 + [2] * 3 + [5] * 4)], cap=4)
    api.shuffled = True
    assert sorted(await numbers(api)) == uuids(range(10))
    assert len(api.asked) == 2 * 4


async def test_passes_that_never_agree_are_no_answer_for_a_young_window() -> None:
    api = Paged([row(n, 5) for n in range(9)], cap=2)
    api.between = lambda count: api.rows.append(row(100 + count, 5))
    with pytest.raises(Truncated):
        await pages(api)


async def test_passes_that_never_agree_are_left_to_the_next_look_of_an_older_window() -> None:
    for age in (3_599_999, 3_600_000):
        api = Paged([row(1, 5)], now=BASE + 60_000 + age)
        api.between = lambda count, api=api: api.rows.append(row(count, 6))  # type: ignore[misc]
        if age < 3_600_000:
            with pytest.raises(Truncated):
                await pages(api)
        else:
            assert len(await numbers(api)) == 5
        assert len(api.asked) == asking.MOST_PASSES


async def test_without_a_servers_time_every_window_is_young() -> None:
    api = Paged([row(1, 5)], now=None)
    api.between = lambda count: api.rows.append(row(count, 6))
    with pytest.raises(Truncated):
        await pages(api)


async def test_what_goes_from_a_window_between_passes_costs_no_more_passes() -> None:
    """What was changed is in a later window by then, and by instants nothing is skipped for it."""
    api = Paged([row(n, n) for n in range(9)])
    api.between = lambda _: api.rows.__delitem__(0)
    assert await numbers(api, axis="modified") == uuids(range(1, 9))
    assert len(api.asked) == 2


@pytest.mark.parametrize("kind", [RequestRefused("", 400), ServerFailed("")])
async def test_a_cursor_that_is_not_taken_has_the_pass_begin_anew_once(kind: Exception) -> None:
    api = FailsOnCursor([row(n, 5) for n in range(9)], cap=4)
    api.trouble, api.left = kind, 1
    assert sorted(await numbers(api)) == uuids(range(9))
    whole = [False, False, True, True]
    assert ["cursor" in each for each in api.asked] == [*whole[:3], *whole, *whole]
    api.left = 2
    with pytest.raises(type(kind)):
        await pages(api)


class FailsOnCursor(Paged):
    """Does not take so many of its cursors."""

    trouble: Exception
    left = 0

    async def get(self, path: str, params: Any = None) -> object:
        answer = await super().get(path, params)
        if "cursor" in params and self.left:
            self.left -= 1
            raise self.trouble
        return answer


@pytest.mark.parametrize(
    "trouble",
    [RequestRefused("", 400), ServerFailed(""), Throttled(""), Forbidden(""), TooLarge("")],
)
async def test_other_trouble_is_not_hidden(trouble: Exception) -> None:
    api = ToldApi({PATH: trouble})
    with pytest.raises(type(trouble)):
        await pages(api)
    assert len(api.asked) == 1


def stuck(cursor: Callable[[int], object], *, same: bool = True) -> ToldApi:
    """Pages of one row of one instant, each with a cursor."""
    count = iter(range(1000))

    def told(_: object) -> object:
        number = next(count)
        entities = [row(0 if same else number, 5)]
        return {"action": "get", "entities": entities, "cursor": cursor(number), "timestamp": BASE}

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


async def test_a_full_page_of_one_instant_without_a_cursor_proves_nothing() -> None:
    rows = [row(n, 5) for n in range(1000)]
    with pytest.raises(Truncated):
        await pages(ToldApi({PATH: {"action": "get", "entities": rows, "timestamp": BASE}}))


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        None,
        7,
        "x",
        [row(1)],
        {"error": "runtime", "timestamp": BASE},
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
    told = {"action": "get", "entities": [row(1, 5), row(2, 6)], "cursor": "", "timestamp": BASE}
    api = ToldApi({PATH: told})
    assert await numbers(api) == uuids(range(1, 3))
    assert len(api.asked) == 2


@pytest.mark.parametrize("answer", [{"action": "get"}, {"timestamp": BASE, "cursor": None}])
async def test_an_envelope_around_nothing_is_silence(answer: Told) -> None:
    assert await pages(ToldApi({PATH: answer})) == [[]]


async def test_what_is_no_entity_is_handed_on_too_and_once() -> None:
    odd: list[Any] = [{"v": 1}, {"uuid": None, "created": BASE}, {"uuid": 7}]
    told = {"action": "get", "entities": [*odd, row(1, 1)], "timestamp": BASE}
    assert [page for page in await pages(ToldApi({PATH: told})) if page] == [[*odd, row(1, 1)]]


async def test_what_is_remembered_of_a_window_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MOST_REMEMBERED", 5)
    api = Paged([row(n, n) for n in range(9)], cap=4)
    told = await numbers(api)
    assert set(told) == set(uuids(range(9)))
    assert told.count("u00000") == 1 and told.count("u00008") == 2


Edit = tuple[str, int, int]
"""What happens to the row of that number: it comes at an instant, or goes."""
Script = tuple[list[int], int, list[list[Edit]]]


GO: list[Edit] = [("go", n, 0) for n in range(3)]
COME: list[Edit] = [("come", n, 5) for n in range(3)]
AWAY_AND_BACK: list[list[Edit]] = [[], [], GO, [], COME, [], [*GO, ("go", 6, 0)]]
"""In both passes the first page is away when the second is asked for."""


@st.composite
def scripts(draw: st.DrawFn) -> Script:
    """Instants, a page's size, and what happens before each answer."""
    instants = draw(st.lists(st.integers(0, 6), max_size=24))
    kinds = st.tuples(st.sampled_from(["come", "go", "go"]), st.integers(0, 40), st.integers(0, 6))
    edits = draw(st.lists(st.lists(kinds, max_size=4), max_size=14))
    return instants, draw(st.integers(1, 6)), edits


@given(scripts())
@example(([5] * 9, 3, [[], [("go", 0, 0), ("go", 1, 0), ("go", 2, 0)]]))
@example(([5] * 9, 3, [[], [("come", 40, 0), ("come", 39, 0)]]))
@example(([0, 5, 5, 5, 5, 6], 3, [[], [], [("go", 0, 0), ("go", 1, 0), ("go", 2, 0)]]))
@example(([5] * 7, 3, AWAY_AND_BACK))
@settings(max_examples=200, deadline=None)
async def test_nothing_that_stayed_in_the_window_is_lost_once_passes_agree(script: Script) -> None:
    instants, cap, edits = script
    api = Paged([row(n, ms) for n, ms in enumerate(instants)], cap=cap)
    stayed = {each["uuid"] for each in api.rows}

    def edit(count: int) -> None:
        for kind, number, ms in edits[count - 1] if count <= len(edits) else ():
            uuid = f"u{number:05d}"
            if kind == "go":
                api.rows[:] = [each for each in api.rows if each["uuid"] != uuid]
                stayed.discard(uuid)
            elif all(each["uuid"] != uuid for each in api.rows):
                # What was away and is back has been changed.
                api.rows.insert(0, row(number, ms, modified=100 + count))

    api.between = edit
    try:
        told = await numbers(api)
    except Truncated:
        assert edits, "nothing changed, and passes do not agree"
    else:
        assert stayed <= set(told)
    assert len(api.asked) <= asking.MOST_PASSES * (len(instants) + 45) * 2


async def test_how_long_ago_a_window_ended_is_by_the_servers_time() -> None:
    api = Paged([row(1, 5)], now=BASE + 61_000)
    asked = Asking(api, PATH, "created", window())
    assert asked.ended_within(0)
    assert [page async for page in asked.pages()]
    assert [asked.ended_within(ms) for ms in (1000, 1001)] == [False, True]
