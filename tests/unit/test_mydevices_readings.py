"""myDevices: what is asked for a window, and what each part of an answer becomes."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from told import Told, ToldApi, reply

from harvester.errors import Malformed, ServerFailed, Truncated
from harvester.model import Feed, Sample, Window
from harvester.platforms.mydevices import Adapter
from harvester.platforms.mydevices.options import MyDevicesOptions

THING = "4793db10-cf57-11ed-aaaa-292d59ac7b6c"
PATH = f"/v1.0/things/{THING}/readings"
FEED = Feed("readings", THING, (THING,))
SINCE = datetime(2023, 6, 24, tzinfo=UTC)
WINDOW = Window(SINCE, SINCE + timedelta(days=1))
OPTIONS = MyDevicesOptions(client_id="u")
START, END = 1687564800000, 1687651200000


async def answers(told: Told, window: Window = WINDOW) -> tuple[ToldApi, list[Sequence[Sample]]]:
    api = ToldApi({PATH: told})
    return api, [each async for each in Adapter(OPTIONS).readings(api, FEED, window)]


async def samples(told: Told) -> list[Sample]:
    _, given = await answers(told)
    return [sample for answer in given for sample in answer]


def uplink(ts: object = START, sensors: object = ({"v": 1, "channel": "3"},)) -> dict[str, Any]:
    return {"ts": ts, "sensors": list(sensors) if isinstance(sensors, tuple) else sensors}


async def test_the_documented_answer_is_read() -> None:
    instant = datetime(2023, 6, 24, 23, 43, 41, 820_000, tzinfo=UTC)
    uplink_id = "24856f3a-404f-4b94-adab-72e8a5fc8db9"
    assert await samples(reply("mydevices/readings")) == [
        Sample(THING, "10", instant, 0, uplink_id),
        Sample(THING, "100", instant, -64, uplink_id),
        Sample(THING, "5", instant, 100, uplink_id),
    ]


async def test_a_window_is_asked_for_in_whole_milliseconds_and_one_more() -> None:
    api, _ = await answers([])
    assert api.asked == [(PATH, {"start_ts": START - 1, "end_ts": END})]
    since = SINCE + timedelta(microseconds=1500)
    api, _ = await answers([], Window(since, since + timedelta(microseconds=100)))
    assert api.asked == [(PATH, {"start_ts": START, "end_ts": START + 2})]


@pytest.mark.parametrize(
    "answer", [[], {}, {"readings": None}, {"readings": []}, {"took": 3, "readings": []}]
)
async def test_no_readings_are_no_readings_in_every_form(answer: Told) -> None:
    _, given = await answers(answer)
    assert given == [[]]


async def test_a_bare_array_is_read_as_the_envelope_is() -> None:
    told = reply("mydevices/readings")
    assert await samples(told["readings"]) == await samples(told)


@pytest.mark.parametrize(
    "answer",
    [None, "x", 7, {"readings": {}}, {"readings": "x"}, {"error": "no"}, {"statusCode": 503}],
)
async def test_an_answer_of_another_shape_does_not_pass_for_silence(answer: Told) -> None:
    with pytest.raises(Malformed):
        await answers(answer)


@pytest.mark.parametrize("value", [1, 1.5, True, "21.5", "", None, [1], {"x": 1}, float("inf")])
async def test_a_value_is_handed_on_as_it_was_said(value: object) -> None:
    [sample] = await samples([uplink(sensors=[{"channel": "3", "v": value}])])
    assert (sample.value, type(sample.value)) == (value, type(value))


@pytest.mark.parametrize(
    ("ts", "instant"),
    [
        (1687650221820, datetime(2023, 6, 24, 23, 43, 41, 820_000, tzinfo=UTC)),
        ("1687650221820", datetime(2023, 6, 24, 23, 43, 41, 820_000, tzinfo=UTC)),
        (1687650221820.0, datetime(2023, 6, 24, 23, 43, 41, 820_000, tzinfo=UTC)),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (4_083_955_200_000, datetime(2099, 6, 1, tzinfo=UTC)),
        # Seconds, said where milliseconds are promised, are not guessed at.
        (1687650221, datetime(1970, 1, 20, 12, 47, 30, 221_000, tzinfo=UTC)),
    ],
)
async def test_an_instant_is_read_from_milliseconds(ts: object, instant: datetime) -> None:
    [sample] = await samples([uplink(ts)])
    assert (sample.instant, sample.stated_instant) == (instant, None)


@pytest.mark.parametrize(
    "ts", [None, "", "yesterday", "2023-06-24T00:00:00Z", True, 1.5, [], {}, 10**20, "9" * 5000]
)
async def test_an_unreadable_instant_is_kept_as_it_was_said(ts: object) -> None:
    [sample] = await samples([uplink(ts)])
    assert (sample.instant, sample.stated_instant) == (None, ts)


@pytest.mark.parametrize(
    ("said", "channel"), [("3", "3"), (3, "3"), ("sys:cpu;load", "sys:cpu;load"), ("ping", "ping")]
)
async def test_a_channel_is_a_number_or_a_word(said: object, channel: str) -> None:
    [sample] = await samples([uplink(sensors=[{"channel": said, "v": 1}])])
    assert (sample.channel, sample.value) == (channel, 1)


@pytest.mark.parametrize(
    ("odd", "value"),
    [
        ("an uplink", "an uplink"),
        (None, None),
        (uplink(sensors="none"), "none"),
        (uplink(sensors=["x"]), "x"),
        (uplink(sensors=[{"v": 1}]), {"v": 1}),
        (uplink(sensors=[{"v": 1, "channel": None}]), {"v": 1, "channel": None}),
        (uplink(sensors=[{"v": 1, "channel": True}]), {"v": 1, "channel": True}),
    ],
)
async def test_what_is_out_of_shape_does_not_vanish(odd: object, value: object) -> None:
    broken, good = await samples([odd, uplink()])
    assert (broken.device, broken.channel, broken.value) == (THING, "", value)
    assert (good.channel, good.value) == ("3", 1)


@pytest.mark.parametrize("sensors", [None, []])
async def test_an_uplink_that_says_nothing_is_no_sample(sensors: object) -> None:
    assert await samples([uplink(sensors=sensors)]) == []


async def test_readings_outside_of_the_window_are_handed_on_too() -> None:
    said = [uplink(START - 5), uplink(END + 5)]
    assert len(await samples(said)) == 2


@pytest.mark.parametrize("name", ["timestamp", "cursor", "next"])
async def test_a_cursor_is_followed_until_there_is_none(name: str) -> None:
    pages = {None: (uplink(START), "b"), "b": (uplink(START + 1), 77), 77: (uplink(START + 2), "")}

    def told(params: dict[str, Any]) -> object:
        said, cursor = pages[params.get(name)]
        return {"readings": [said], name: cursor}

    api, given = await answers(told)
    assert [len(answer) for answer in given] == [1, 1, 1]
    assert [params.get(name) for _, params in api.asked] == [None, "b", 77]
    assert {params["start_ts"] for _, params in api.asked} == {START - 1}


@pytest.mark.parametrize(
    "cursors", [["a", "a"], ["a", "b", "a"], [True], [{"page": 2}], [1.5]], ids=str
)
async def test_a_cursor_that_leads_nowhere_is_a_cut_answer(cursors: list[object]) -> None:
    told = iter(cursors)
    instants = iter(range(START, END))
    with pytest.raises(Truncated):
        await answers(lambda _: {"readings": [uplink(next(instants))], "next": next(told)})


@pytest.mark.parametrize("readings", [[], [uplink()]])
async def test_ever_new_cursors_to_nothing_new_are_a_cut_answer(readings: Any) -> None:
    told = iter(range(1, 99))
    with pytest.raises(Truncated):
        await answers(lambda _: {"readings": readings, "timestamp": next(told)})
    assert next(told) == 3


async def test_an_answer_that_fails_ends_the_window() -> None:
    with pytest.raises(ServerFailed):
        await answers(ServerFailed("down"))
