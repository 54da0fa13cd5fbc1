"""Coiote: the history of a resource, page by page, and what its points say."""

from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st
from told import ToldApi

from harvester import channels
from harvester.errors import Malformed, Truncated
from harvester.model import Sample, Window
from harvester.platforms.coiote import instants, monitoring
from harvester.platforms.coiote.asking import Asking
from harvester.platforms.coiote.monitoring import LIMIT

DEVICE, RESOURCE = "urn:imei:1", "3303/0/5700"
PATH = "/api/coiotedm/v3/deviceMonitoring/data/urn%3Aimei%3A1/resourceUrl/%2F3303%2F0%2F5700"
START = datetime(2026, 3, 4, 5, tzinfo=UTC)
MS, HOUR = timedelta(milliseconds=1), timedelta(hours=1)
WINDOW = Window(START, START + HOUR)


def point(ms: int, value: object = "21.5", **more: object) -> dict[str, object]:
    """So many milliseconds after the start."""
    return {"date": instants.stamp(instants.millis(START) + ms), "value": value} | more


def page(*points: object, more: bool = False, last: object = None) -> dict[str, object]:
    told = [each for each in points if isinstance(each, dict)]
    return {
        "hasNext": more,
        "lastPointTimestamp": last or (told[-1]["date"] if told else None),
        "metadata": {},
        "data": list(points),
    }


def asked(api: ToldApi, window: Window = WINDOW) -> AsyncIterator[list[Sample]]:
    return monitoring.pulled(Asking(), api, DEVICE, RESOURCE, window)


async def pulled(api: ToldApi, window: Window = WINDOW) -> list[Sample]:
    return [each async for samples in asked(api, window) for each in samples]


async def of(answer: object) -> list[Sample]:
    return await pulled(ToldApi({PATH: answer}))


async def test_the_documented_page_is_read() -> None:
    told = await of(page(point(600_000, "21.5"), point(1_200_250, "21.75")))
    at = [START + timedelta(minutes=10), START + timedelta(minutes=20, milliseconds=250)]
    assert told == [
        Sample(DEVICE, RESOURCE, at[0], "21.5"),
        Sample(DEVICE, RESOURCE, at[1], "21.75"),
    ]


@pytest.mark.parametrize(
    ("since", "until", "asked"),
    [
        (START, START + HOUR, ("04:59:59.999", "05:59:59.999")),
        (START + MS / 1000, START + HOUR + MS / 2, ("05:00:00.000", "06:00:00.000")),
        (START + MS, START + 2 * MS, ("05:00:00.000", "05:00:00.001")),
    ],
)
async def test_a_window_is_asked_for_without_its_start_and_with_its_end(
    since: datetime, until: datetime, asked: tuple[str, str]
) -> None:
    api = ToldApi({PATH: page()})
    await pulled(api, Window(since, until))
    [(_, params)] = api.asked
    assert params == {
        "timeRangeStart": f"2026-03-04T{asked[0]}Z",
        "timeRangeEnd": f"2026-03-04T{asked[1]}Z",
        "limit": LIMIT,
    }


async def test_a_window_without_a_millisecond_is_not_asked_for() -> None:
    api = ToldApi({})
    assert await pulled(api, Window(START + MS / 4, START + MS / 2)) == []
    assert api.asked == []


def server(points: Sequence[dict[str, Any]], most: int) -> ToldApi:
    """What the platform would answer: `(start, end]`, ascending, `most` at once."""
    dates = [each["date"] for each in points]

    def answer(params: dict[str, Any]) -> object:
        first = bisect_right(dates, params["timeRangeStart"])
        end = bisect_right(dates, params["timeRangeEnd"])
        here = points[first : min(first + most, end)]
        return page(*here, more=first + most < end)

    return ToldApi({PATH: answer})


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3)), max_size=60).map(sorted),
    st.integers(2, 9),
)
async def test_no_page_costs_a_point_however_many_share_a_millisecond(
    said: list[tuple[int, int]], most: int
) -> None:
    points, found = [point(ms, str(value)) for ms, value in said], list[Sample]()
    crowded = {ms for ms, _ in said if sum(each[0] == ms for each in said) >= most - 1}
    try:
        async for samples in asked(server(points, most)):
            found += samples
    except Truncated:
        assert crowded, "only a millisecond that fills a page may be given up"
        said = [each for each in said if each[0] not in crowded]
    held = {(each.instant, each.value) for each in found}
    assert held >= {(START + ms * MS, str(value)) for ms, value in said}


async def test_points_that_come_once_more_are_told_once() -> None:
    points = [point(ms, "1") for ms in (1, 2, 2, 3, 5)]
    api = server(points, 3)
    assert [each.instant for each in await pulled(api)] == [
        START + ms * MS for ms in (1, 2, 2, 3, 5)
    ]
    starts = [params["timeRangeStart"][-5:] for _, params in api.asked]
    assert starts == [".999Z", ".001Z", ".002Z"]


@pytest.mark.parametrize("points", [[point(1)] * 3, []])
async def test_pages_that_lead_nowhere_are_not_taken_for_the_end(points: list[object]) -> None:
    with pytest.raises(Truncated):
        await of(page(*points, more=True))


async def test_pages_without_end_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitoring, "MOST_PAGES", 5)
    many = server([point(ms) for ms in range(100)], 3)
    with pytest.raises(Truncated, match="no end"):
        await pulled(many)
    assert len(many.asked) == 5


async def test_a_millisecond_that_fills_a_page_costs_no_more_than_itself() -> None:
    points = [point(ms, str(number)) for number, ms in enumerate([1, *[5] * 9, 6, 7, 90])]
    found: list[Sample] = []
    with pytest.raises(Truncated, match="one millisecond"):
        async for samples in asked(server(points, 4)):
            found += samples
    assert {each.instant for each in found} == {START + ms * MS for ms in (1, 5, 6, 7, 90)}


async def test_a_page_that_leads_beyond_the_window_is_not_followed() -> None:
    with pytest.raises(Truncated, match="beyond"):
        await of(page(point(1), point(3_600_000), more=True))


async def test_a_page_that_ends_in_the_last_millisecond_of_the_window_is_followed() -> None:
    points = [point(1), point(3_599_999, "1"), point(3_599_999, "2")]
    assert [each.value for each in await pulled(server(points, 2))] == ["21.5", "1", "2"]


async def test_without_a_last_point_the_points_tell_where_it_goes_on() -> None:
    answers = [page(point(9), point(4), more=True), page(point(9), point(11))]
    for answer in answers:
        del answer["lastPointTimestamp"]
    api = ToldApi({PATH: lambda _: answers.pop(0)})
    assert len(await pulled(api)) == 3
    assert api.asked[1][1]["timeRangeStart"] == point(8)["date"]


async def test_a_full_page_is_not_trusted_to_be_the_last() -> None:
    answers = [page(*(point(ms) for ms in range(LIMIT))), page(point(LIMIT - 1), point(LIMIT))]
    assert len(await pulled(ToldApi({PATH: lambda _: answers.pop(0)}))) == LIMIT + 1


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("24.57", 24.57),
        ("1.0E-4", 0.0001),
        (str(2**53 + 1), str(2**53 + 1)),
        ("true", "true"),
        ("24,57", "24,57"),
        ("", ""),
        ("3303:0", "3303:0"),
        ("aGVsbG8=", "aGVsbG8="),
        ("</1>;ver=1.1", "</1>;ver=1.1"),
        (24.5, 24.5),
        (True, 1.0),
    ],
)
async def test_a_value_is_what_its_text_says(value: object, kept: object) -> None:
    said = channels.normalize(await of(page(point(1, value))), START)
    assert [each.value for each in said.readings] == [kept]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (point(1, "NaN"), "not_a_number"),
        (point(1, "Infinity"), "not_a_number"),
        (point(1, None), "null"),
        (point(1, {"noValue": True}), "structure"),
        (point(1, date="1970-01-01T00:00:00Z"), "implausible_instant"),
        (point(1, date="2026-03-04T05:00:00"), "no_instant"),
        (point(1, date=1772600767123), "no_instant"),
        ({"value": "1"}, "no_instant"),
        ("21.5", "no_channel"),
        (None, "no_channel"),
    ],
)
async def test_what_is_no_reading_is_rejected_in_the_open(said: object, reason: str) -> None:
    kept = channels.normalize(await of(page(said, point(5))), START)
    assert [each.reason for each in kept.rejections] == [reason]
    assert len(kept.readings) == 1


@pytest.mark.parametrize(
    "answer", [None, 7, [], {}, {"data": None, "code": 1}, {"hasNext": False, "data": "x"}]
)
async def test_what_is_no_page_does_not_pass_for_silence(answer: object) -> None:
    with pytest.raises(Malformed):
        await of(answer)


@pytest.mark.parametrize("answer", [page(), {"hasNext": False}, page() | {"more": 1}])
async def test_an_empty_page_is_silence(answer: object) -> None:
    assert await of(answer) == []
