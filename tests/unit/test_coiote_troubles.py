"""Coiote: one device's trouble is not that of others, and what fails is not asked for by each."""

import asyncio
import gc
from typing import Any

import pytest
from told import Told, ToldApi
from told_coiote import (
    DAY,
    DETAILS,
    FEED,
    HISTORY,
    HOUR,
    IDS,
    LAST,
    MINUTE,
    NOW,
    ROOT,
    adapter,
    count,
    device,
    keys,
    listed,
    places,
    pulled,
    refusal,
    sensor,
    stamp,
)

from harvester.errors import (
    Forbidden,
    Malformed,
    PlatformError,
    RequestRefused,
    ServerFailed,
    Throttled,
    TooLarge,
    TransientError,
)
from harvester.model import Feed, Window
from harvester.platforms.coiote.devices import MOST_ILL, Seen

ILL = [ServerFailed("500"), Malformed("x"), TooLarge("x")]
TASKS = f"{ROOT}taskReports"
TASK_FEED = Feed("task_reports", "task reports of ana")
UNITS = "?parameters=Temperature.0."


@pytest.mark.parametrize("error", ILL)
async def test_a_device_that_cannot_be_read_does_not_hide_the_others(error: Exception) -> None:
    answers: dict[str, Told] = {IDS: ["a", "b"], f"{IDS}/a": error, f"{IDS}/b": sensor("b")}
    assert await keys(adapter(), ToldApi(answers)) == ["b /3303/0/5700"]
    many = [f"{n}" for n in range(MOST_ILL + 1)]
    answers = {IDS: ["b", *many], f"{IDS}/b": sensor("b")} | {f"{IDS}/{n}": error for n in many}
    with pytest.raises(type(error)):
        await keys(adapter(), ToldApi(answers))
    with pytest.raises(type(error)):
        await keys(adapter(), ToldApi({IDS: ["a"], f"{IDS}/a": error}))


async def test_a_listing_that_was_throttled_goes_on_where_it_ended() -> None:
    names = [f"{n}" for n in range(5)]
    answers: dict[str, Told] = {f"{IDS}/{name}": sensor(name) for name in names}
    answers |= {IDS: [*names], f"{IDS}/2": Throttled("429")}
    told, it = ToldApi(answers), adapter()
    with pytest.raises(Throttled):
        await keys(it, told)
    answers[f"{IDS}/2"] = sensor("2")
    assert await places(it, told) == [None, None, "/acme/", "/acme/", "/acme/"]
    assert [count(told, f"{IDS}/{name}") for name in names] == [1, 1, 2, 1, 1]
    assert await places(it, told) == ["/acme/"] * 5, "once it was whole, all are asked anew"


@pytest.mark.parametrize("error", ILL)
async def test_a_device_that_cannot_be_read_for_once_is_not_proven_to_be_where_it_was(
    error: Exception,
) -> None:
    answers: dict[str, Told] = {IDS: ["a", "b"], f"{IDS}/a": sensor("a"), f"{IDS}/b": sensor("b")}
    told, it = ToldApi(answers), adapter()
    assert await places(it, told) == ["/acme/", "/acme/"]
    answers[f"{IDS}/a"] = error
    assert await places(it, told) == [None, "/acme/"]


async def test_what_a_failed_listing_found_is_not_taken_for_news_much_later() -> None:
    it, many = adapter(), [f"{n}" for n in range(MOST_ILL + 1)]
    units = {f"{ROOT}cachedDataModels/{n}{UNITS}": ServerFailed("500") for n in many}
    told = ToldApi(listed(device("a"), *map(sensor, many)) | units)
    with pytest.raises(ServerFailed):
        await keys(it, told)
    told.answers = listed(device("a"))
    assert await keys(it, told) == []
    told.answers = {IDS: ["a"], f"{IDS}/a": sensor("a")}
    assert await keys(it, told) == ["a /3303/0/5700"]


@pytest.mark.parametrize("error", [ServerFailed("500"), TooLarge("x")])
async def test_a_device_that_does_not_state_its_units_does_not_hide_the_others(
    error: Exception,
) -> None:
    told = ToldApi(listed(sensor("a"), sensor("b")) | {f"{ROOT}cachedDataModels/a{UNITS}": error})
    assert await keys(adapter(), told) == ["a /3303/0/5700", "b /3303/0/5700"]
    many = [f"{n}" for n in range(MOST_ILL + 1)]
    answers = {f"{ROOT}cachedDataModels/{n}{UNITS}": error for n in many}
    with pytest.raises(type(error)):
        await keys(adapter(), ToldApi(listed(*map(sensor, many)) | answers))


async def test_an_identifier_is_asked_for_with_its_blanks() -> None:
    told = ToldApi({IDS: ["a ", "b"], f"{IDS}/a%20": sensor("a "), f"{IDS}/b": sensor("b")})
    assert await keys(adapter(), told) == ["a  /3303/0/5700", "b /3303/0/5700"]


async def test_a_list_that_fails_is_not_asked_for_by_each_feed_of_a_tick() -> None:
    it, told = adapter(), ToldApi({DETAILS: ServerFailed("503")})

    async def one(number: int) -> None:
        with pytest.raises(ServerFailed):
            feed = Feed("readings", f"a /3303/{number}/5700", ("a",), place="/acme/")
            await pulled(it, told, LAST, feed)

    it.begin("readings", NOW)
    await asyncio.gather(*map(one, range(100)))
    assert count(told, DETAILS) == 1
    it.begin("readings", NOW + MINUTE)
    await one(0)
    assert count(told, DETAILS) == 2


async def test_a_tenant_of_which_nothing_is_monitored_is_tried_again_after_a_day() -> None:
    it, told = adapter(), ToldApi(listed(sensor("a")) | {HISTORY: refusal(5031)})
    it.begin("readings", NOW)
    with pytest.raises(RequestRefused):
        await pulled(it, told)
    listings = []
    for hours in range(1, 30):
        it.begin("readings", NOW + hours * HOUR)
        listings.append(FEED.key in await keys(it, told))
    assert listings == [False] * 24 + [True] * 5


async def test_a_range_that_is_never_taken_is_probed_once_a_tick() -> None:
    it, told = adapter(), ToldApi(listed(device()) | {HISTORY: refusal(4000)})
    for _ in range(50):
        with pytest.raises(PlatformError):
            await pulled(it, told)
    assert count(told, HISTORY) <= 50 + 12


@pytest.mark.parametrize(("minutes", "seconds"), [(0, 30), (5, 8 * 60 + 30), (60, 60 * 60 + 30)])
async def test_a_clock_that_was_set_right_is_believed_a_day_later(
    minutes: int, seconds: int
) -> None:
    it, clock = adapter(), {"now": NOW - 60 * MINUTE}

    def answer(params: dict[str, Any]) -> object:
        is_taken = params["timeRangeEnd"] <= stamp(clock["now"])
        return {"hasNext": False, "data": []} if is_taken else refusal(4000)

    told = ToldApi(listed(device("a", None)) | {HISTORY: answer})
    with pytest.raises(TransientError):
        await pulled(it, told)
    for ours in (NOW + 10 * MINUTE, NOW + 2 * DAY):
        clock["now"] = ours - minutes * MINUTE
        until = ours - it.under_way
        assert it.under_way.total_seconds() == 3630
        await pulled(it, told, Window(until - HOUR, until))
    assert it.under_way.total_seconds() == seconds


async def test_devices_that_come_and_go_leave_nothing_behind() -> None:
    it, told = adapter(), ToldApi({})
    for round_ in range(6):
        names = [f"{round_}-{n}" for n in range(50)]
        told.answers = {IDS: names, **{f"{IDS}/{name}": sensor(name) for name in names}}
        await keys(it, told)
        it.begin("readings", NOW + round_ * HOUR)
        for name in names:
            feed = Feed("readings", f"{name} /3303/0/5700", (name,), place="/acme/")
            with pytest.raises(Forbidden):
                await pulled(it, told, LAST, feed)
    gc.collect()
    assert sum(isinstance(each, Seen) for each in gc.get_objects()) <= 100 + len(names)
