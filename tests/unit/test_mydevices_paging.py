"""myDevices: an answer that was cut in silence is found out, and the rest is asked for.

The platform here is naive, and what the adapter knows of it is not more than the vendor documents:
neither its cap nor its order, nor which bounds it includes.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import example, given, settings, strategies as st
from told import ToldApi

from harvester.errors import Truncated
from harvester.model import Feed, Window
from harvester.platforms.base import Api, Params
from harvester.platforms.mydevices import Adapter
from harvester.platforms.mydevices.options import MyDevicesOptions
from harvester.simulator.chance import dice

SINCE = datetime(2026, 3, 1, tzinfo=UTC)
BASE = int(SINCE.timestamp() * 1000)
PATH = "/v1.0/things/thing/readings"
ADAPTER = Adapter(MyDevicesOptions(client_id="u"))


@dataclass
class Naive:
    """A platform that gives at most `cap` uplinks, and says no word of it."""

    instants: list[int]  # ms after BASE, one an uplink; its number is its place in the list
    cap: int | None
    oldest_first: bool = False
    listed_upside_down: bool = False
    in_no_order: bool = False
    start_inclusive: bool = True
    end_inclusive: bool = True
    asked: int = 0

    async def get(self, path: str, params: Params | None = None) -> object:
        self.asked += 1
        assert params, path
        first = int(params["start_ts"]) - BASE + (not self.start_inclusive)
        last = int(params["end_ts"]) - BASE - (not self.end_inclusive)
        found = [(ms, n) for n, ms in enumerate(self.instants) if first <= ms <= last]
        found.sort(reverse=not self.oldest_first)
        if self.in_no_order:
            dice(first, last).shuffle(found)
        kept = found[: self.cap]
        kept = kept[::-1] if self.listed_upside_down else kept
        return {"readings": [said(ms, n) for ms, n in kept]}


def said(ms: int, number: int) -> dict[str, Any]:
    return {"ts": BASE + ms, "sensors": [{"v": number, "channel": "3"}]}


async def pulled(platform: Api, window: Window) -> set[object]:
    feed = Feed("readings", "thing", ("thing",))
    answers = ADAPTER.readings(platform, feed, window)
    return {sample.value async for answer in answers for sample in answer}


def window(since: int, until: int) -> Window:
    """From and until so many microseconds after BASE."""
    return Window(SINCE + timedelta(microseconds=since), SINCE + timedelta(microseconds=until))


def inside(platform: Naive, window: Window) -> set[object]:
    at = {n: SINCE + timedelta(milliseconds=ms) for n, ms in enumerate(platform.instants)}
    return {n for n, instant in at.items() if window.since <= instant < window.until}


@st.composite
def platforms(draw: st.DrawFn) -> Naive:
    """From sparse to so crowded that a cap cuts through the uplinks of one millisecond."""
    count, chance = draw(st.integers(0, 400)), draw(st.randoms(use_true_random=True))
    steps = draw(st.sampled_from([[60_000], [1], [0, 1], [0, 0, 0, 2], [0] * 20 + [1], [0, 9000]]))
    instants = list(accumulate(chance.choices(steps, k=count)))
    chance.shuffle(instants)
    return Naive(
        instants,
        cap=draw(st.sampled_from([None, 50, 64, 100, 128, 150, 200])),
        oldest_first=draw(st.booleans()),
        listed_upside_down=draw(st.booleans()),
        in_no_order=draw(st.booleans()),
        start_inclusive=draw(st.booleans()),
        end_inclusive=draw(st.booleans()),
    )


@st.composite
def windows(draw: st.DrawFn, platform: Naive) -> Window:
    """Some of what there is, with bounds that are whole milliseconds or not."""
    longest = max(platform.instants, default=0) * 1000 + 5000  # µs
    since = draw(st.just(0) | st.integers(-1000, longest - 1))
    return window(since, draw(st.just(longest) | st.integers(since + 1, longest)))


@st.composite
def askings(draw: st.DrawFn) -> tuple[Naive, Window]:
    platform = draw(platforms())
    return platform, draw(windows(platform))


@given(askings())
@example((Naive([0] * 49 + [1] * 49, 50, oldest_first=True), window(0, 2000)))
@example((Naive([0] * 49 + [1] * 49, 50), window(0, 2000)))
@settings(max_examples=300, deadline=None)
async def test_a_window_is_whole_or_the_answer_is_called_cut(asking: tuple[Naive, Window]) -> None:
    platform, wanted = asking
    crowded = max(Counter(platform.instants).values(), default=0) >= 50
    try:
        got = await pulled(platform, wanted)
    except Truncated:
        assert crowded
    else:
        assert inside(platform, wanted) <= got
    assert platform.asked <= 3 + len(platform.instants) / 5


@pytest.mark.parametrize("uplinks", [50, 64, 100, 128, 1000])
async def test_an_answer_that_is_just_full_costs_two_more(uplinks: int) -> None:
    platform = Naive([60_000 * n for n in range(uplinks)], cap=uplinks)
    assert len(await pulled(platform, window(0, 10**12))) == uplinks
    assert platform.asked == 3


async def test_an_answer_that_is_not_full_is_believed() -> None:
    platform = Naive([60_000 * n for n in range(99)], cap=None)
    assert len(await pulled(platform, window(0, 10**12))) == 99
    assert platform.asked == 1


@pytest.mark.parametrize("cap", [50, None])
async def test_a_full_answer_of_one_millisecond_cannot_be_proven_whole(cap: int | None) -> None:
    with pytest.raises(Truncated):
        await pulled(Naive([0] * 50, cap), window(-5000, 5000))


async def test_a_platform_that_does_not_filter_at_all_is_not_asked_for_ever() -> None:
    unfiltered = {"readings": [said(ms, ms) for ms in range(100)]}
    with pytest.raises(Truncated):
        await pulled(ToldApi({PATH: unfiltered}), window(10**9, 2 * 10**9))
