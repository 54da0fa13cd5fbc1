"""Usergrid: a window is read until nothing changed, whatever comes and goes between its pages."""

from typing import Any

import pytest
from hypothesis import example, given, settings, strategies as st
from indexed import numbers, pages
from paged import BASE, PATH, Paged, row, uuids, window

from harvester.errors import RequestRefused, ServerFailed, Truncated
from harvester.platforms.usergrid import asking
from harvester.platforms.usergrid.asking import Asking


async def test_a_later_pass_hands_on_only_what_is_new_or_was_changed() -> None:
    api = Paged([row(n, n) for n in range(5)], cap=3)

    def change(count: int) -> None:
        if count == 3:
            api.rows[1] = row(1, 1, modified=99_000)
            api.rows.append(row(9, 2))

    api.between = change
    told = [each for page in await pages(api) for each in page]
    assert [each["uuid"] for each in told].count("u00001") == 2
    assert len(told) == 7 and {each["uuid"] for each in told} == {*uuids(*range(5)), "u00009"}


@pytest.mark.parametrize("appears", [1, 2, 3])
async def test_what_the_index_learns_between_passes_is_handed_on(appears: int) -> None:
    api = Paged([row(1, 5), row(2, 6)], unindexed=["u00001"])

    def learn(count: int) -> None:
        if count > appears:
            api.unindexed = ()

    api.between = learn
    assert set(await numbers(api)) == (set(uuids(*range(1, 3))) if appears < 2 else {"u00002"})


@pytest.mark.parametrize("shuffled", [False, True])
async def test_rows_of_one_instant_in_another_order_are_the_same_rows(shuffled: bool) -> None:
    api = Paged([row(n, n // 4) for n in range(40)], cap=6, shuffled=shuffled)
    assert sorted(await numbers(api)) == uuids(*range(40))


async def test_pages_that_cut_an_instant_elsewhere_each_time_agree() -> None:
    """The last instant filled a page, so that a cursor was followed."""
    api = Paged([row(n, ms) for n, ms in enumerate([1] * 3 + [2] * 3 + [5] * 4)], cap=4)
    api.shuffled = True
    assert sorted(await numbers(api)) == uuids(*range(10))
    assert len(api.asked) == 2 * 4


async def test_passes_that_never_agree_are_no_answer_for_a_young_window() -> None:
    api = Paged([row(n, 5) for n in range(9)], cap=2)
    api.between = lambda count: api.rows.append(row(100 + count, 5))
    with pytest.raises(Truncated):
        await pages(api)


async def test_passes_that_never_agree_are_left_to_the_next_look_of_an_older_window() -> None:
    api = Paged([row(1, 5)], now=BASE + 60_000 + 3_599_999)
    api.between = lambda count: api.rows.append(row(count, 6))
    with pytest.raises(Truncated):
        await pages(api)
    assert len(api.asked) == asking.MOST_PASSES
    api.now = BASE + 60_000 + 3_600_000
    assert len(await numbers(api)) == len(api.rows)
    assert len(api.asked) == 2 * asking.MOST_PASSES


async def test_without_a_servers_time_every_window_is_young() -> None:
    api = Paged([row(1, 5)], now=None)
    api.between = lambda count: api.rows.append(row(count, 6))
    with pytest.raises(Truncated):
        await pages(api)


async def test_what_goes_from_a_window_between_passes_costs_no_more_passes() -> None:
    """What was changed is in a later window by then, and by instants nothing is skipped for it."""
    api = Paged([row(n, n) for n in range(9)])
    api.between = lambda _: api.rows.__delitem__(0)
    assert await numbers(api, axis="modified") == uuids(*range(1, 9))
    assert len(api.asked) == 2


@pytest.mark.parametrize("kind", [RequestRefused("", 400), ServerFailed("")])
async def test_a_cursor_that_is_not_taken_has_the_pass_begin_anew_once(kind: Exception) -> None:
    api = FailsOnCursor([row(n, 5) for n in range(9)], cap=4)
    api.trouble, api.left = kind, 1
    assert sorted(await numbers(api)) == uuids(*range(9))
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


async def test_what_is_remembered_of_a_window_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MOST_REMEMBERED", 5)
    api = Paged([row(n, n) for n in range(9)], cap=4)
    told = await numbers(api)
    assert set(told) == set(uuids(*range(9)))
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
