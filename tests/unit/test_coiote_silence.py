"""Coiote: devices without a contact, and what they tell when they are back."""

from datetime import datetime, timedelta

import pytest
from told import ToldApi
from told_coiote import (
    DAY,
    DETAILS,
    HISTORY,
    HOUR,
    MINUTE,
    NOW,
    adapter,
    count,
    device,
    found,
    history,
    listed,
    point,
    pulled,
)

from harvester.errors import ServerFailed
from harvester.model import Window

MS = timedelta(milliseconds=1)
FRESH = Window(NOW - HOUR, NOW)
LAST_LOOK = Window(NOW - 24 * HOUR - 5 * MINUTE, NOW - 24 * HOUR)


@pytest.mark.parametrize(
    ("window", "contact", "asked"),
    [
        (FRESH, NOW - HOUR - 10 * MINUTE, 1),
        (FRESH, NOW - HOUR - 10 * MINUTE - MS, 0),
        (LAST_LOOK, LAST_LOOK.since - DAY, 1),
        (LAST_LOOK, LAST_LOOK.since - DAY - MS, 0),
    ],
)
async def test_a_device_whose_clock_is_ahead_is_found_out_by_the_last_look(
    window: Window, contact: datetime, asked: int
) -> None:
    it = adapter()
    told = ToldApi({**listed(device("a", contact)), HISTORY: history(point(window.since))})
    it.begin("readings", NOW)
    assert len(await pulled(it, told, window)) == asked
    assert count(told, HISTORY) == asked


async def test_a_look_goes_by_contacts_as_they_are_in_its_own_tick() -> None:
    it = adapter()
    late = history(point(NOW - 62 * MINUTE))
    told = ToldApi({**listed(device("a", NOW - 5 * HOUR)), HISTORY: late})
    it.begin("readings", NOW)
    assert await pulled(it, told, Window(NOW - 10 * MINUTE, NOW)) == []
    told.answers = {**told.answers, **listed(device("a", NOW))}
    it.begin("readings", NOW + 5 * MINUTE)
    assert await pulled(it, told, Window(NOW - 65 * MINUTE, NOW - HOUR))
    assert count(told, DETAILS) == 2


async def silent_for(silence: timedelta, told: ToldApi) -> list[datetime | None]:
    """The instants that come when it is asked for the last hour, back after being silent."""
    it = adapter()
    back = NOW + silence
    told.answers = {**told.answers, **listed(device("a", NOW))}
    it.begin("readings", NOW + 3 * HOUR)
    assert await pulled(it, told, Window(NOW + 2 * HOUR, NOW + 3 * HOUR)) == []
    it.begin("readings", back)
    told.answers = {**told.answers, **listed(device("a", back))}
    samples = await pulled(it, told, Window(back - HOUR, back))
    assert await pulled(it, told, Window(back - HOUR, back)) == [
        each for each in samples if each.instant and each.instant >= back - HOUR
    ]
    return [each.instant for each in samples]


async def test_what_a_device_kept_in_a_long_silence_is_asked_for_when_it_is_back() -> None:
    kept = [NOW + hours * HOUR for hours in (1, 30, 49, 71.5)]
    told = ToldApi({HISTORY: history(*map(point, kept))})
    assert set(await silent_for(3 * DAY, told)) == set(kept)
    assert set(await silent_for(50 * HOUR, told)) == {NOW + 49 * HOUR, *kept[:2]}
    assert set(await silent_for(12 * HOUR, told)) == set(), "the looks are still to come"


async def test_a_silence_is_asked_for_also_where_another_stream_begins_its_tick_meanwhile() -> None:
    it, late = adapter(), point(NOW + HOUR)
    told = ToldApi({**listed(device("a", NOW)), HISTORY: history(late)})
    await pulled(it, told, Window(NOW + 2 * HOUR, NOW + 3 * HOUR))
    back = Window(NOW + 2 * DAY, NOW + 2 * DAY + HOUR)
    told.answers = {**told.answers, **listed(device("a", back.until))}
    it.begin("readings", back.until)
    it.begin("task_reports", back.until + MINUTE)
    assert len(await pulled(it, told, back)) == 1
    assert count(told, DETAILS) == 2


async def test_of_a_silence_nothing_is_asked_for_that_is_not_kept() -> None:
    told = ToldApi({HISTORY: history()})
    await silent_for(40 * DAY, told)
    asked = [params["timeRangeStart"] for path, params in told.asked if path == HISTORY]
    assert min(asked) == point(NOW + 10 * DAY - MS)["date"]


async def test_of_a_silence_what_fails_for_now_is_asked_for_again_and_nonsense_is_not() -> None:
    it, late = adapter(), point(NOW + HOUR)
    told = ToldApi({**listed(device("a", NOW)), HISTORY: history(late)})
    await pulled(it, told, Window(NOW + 2 * HOUR, NOW + 3 * HOUR))
    back = Window(NOW + 2 * DAY, NOW + 2 * DAY + HOUR)
    told.answers = {**told.answers, **listed(device("a", back.until))}
    empty = {"hasNext": False, "data": []}
    answers: list[object] = [empty, ServerFailed("x")]
    told.answers = {**told.answers, HISTORY: lambda _: answers.pop(0)}
    with pytest.raises(ServerFailed):
        await pulled(it, told, back)
    answers += [empty, {"error": "x"}, empty]
    assert await pulled(it, told, back) == await pulled(it, told, back) == []
    assert answers == []


async def test_a_device_that_is_gone_is_forgotten() -> None:
    it = adapter()
    told = ToldApi({**listed(device("a", NOW)), HISTORY: history(point(NOW + HOUR))})
    await pulled(it, told, Window(NOW + 2 * HOUR, NOW + 3 * HOUR))
    told.answers = {**told.answers, **listed(device("b"))}
    for _ in range(2):
        await found(it, told)
    told.answers = {**told.answers, **listed(device("a", NOW + 2 * DAY))}
    assert await pulled(it, told, Window(NOW + 2 * DAY, NOW + 2 * DAY + HOUR)) == []
