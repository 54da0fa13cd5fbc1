"""Usergrid: settings that read nothing of what is there are told, and cost no history."""

from datetime import UTC, datetime
from typing import Any

import pytest
from paged import Paged, Row, row, window
from sourced import FEED, LIVE, Moved, adapter, paged

from harvester.errors import Malformed, ServerFailed
from harvester.model import Feed, Sample
from harvester.platforms.usergrid import Adapter
from harvester.platforms.usergrid.fitting import FEWEST

CHANGED = Feed("readings", "readings by modified")
SWEPT = Feed("readings", "readings by graph")
MEASURED = 1_772_620_000


def reading(**settings: object) -> Adapter:
    return adapter(readings=[{"path": "readings", "device": "d", "time": "ts"} | settings])


def rows(count: int, **properties: object) -> list[Row]:
    told = {"d": "pump", "ts": MEASURED * 1000, "v": 1} | properties
    return [row(n, 500_000 + n) | told for n in range(count)]


async def pulled(usergrid: Adapter, api: Any, feed: Feed = FEED) -> tuple[int, str]:
    """How many samples there were, and how the settings were found wrong."""
    count = 0
    try:
        async for batch in usergrid.readings(api, feed, window(*LIVE)):
            count += sum(isinstance(each, Sample) for each in batch)
    except Malformed as error:
        return count, str(error)
    return count, ""


@pytest.mark.parametrize(
    ("settings", "there"),
    [
        ({"time": "tz"}, {}),
        ({"time_unit": "iso"}, {}),
        ({"time_unit": "s"}, {}),
        ({}, {"ts": MEASURED}),
        ({}, {"ts": "2026-03-04T10:30"}),
    ],
)
@pytest.mark.parametrize("feed", [FEED, CHANGED])
async def test_a_window_in_which_nothing_has_an_instant_is_not_covered(
    settings: dict[str, object], there: dict[str, object], feed: Feed
) -> None:
    """And what is rejected of it is handed on all the same."""
    count, told = await pulled(reading(**settings), paged(*rows(FEWEST, **there)), feed)
    assert count >= FEWEST
    assert told.startswith("readings: none of 10 entities has its instant in 't")
    assert told.endswith("check readings.time and readings.time_unit")


@pytest.mark.parametrize("there", [{"d": None}, {"d": " "}, {"d": {"id": 7}}])
async def test_a_window_in_which_nothing_has_a_device_is_not_covered(there: dict[str, Any]) -> None:
    count, told = await pulled(reading(), paged(*rows(FEWEST, **there)))
    assert count >= FEWEST
    assert told == "readings: none of 10 entities has its device in 'd': check readings.device"


async def test_a_few_that_cannot_be_read_are_no_wrong_setting() -> None:
    """Nor are many, where one is right; nor entities without any reading."""
    wrong: dict[str, object] = {"ts": None}
    for there in (
        rows(FEWEST - 1, **wrong),
        [*rows(50, **wrong), row(99, 500_100, ts=MEASURED * 1000, d="x", v=1)],
        [row(n, 500_000 + n) for n in range(50)],
    ):
        assert (await pulled(reading(), paged(*there)))[1] == ""


@pytest.mark.parametrize("at", [datetime(1970, 1, 9, tzinfo=UTC), datetime(2001, 1, 1, tzinfo=UTC)])
async def test_a_clock_that_was_never_set_is_no_wrong_setting(at: datetime) -> None:
    there = rows(FEWEST, ts=int(at.timestamp() * 1000))
    assert await pulled(reading(), paged(*there)) == (FEWEST, "")


async def test_a_path_of_one_device_needs_no_property_that_names_it() -> None:
    usergrid = adapter(readings=[{"path": "devices/{device}/sends/readings"}])
    feed = Feed("readings", "devices/u1/sends/readings", ("u1",))
    api = Moved(Paged(rows(FEWEST)))
    assert (await pulled(usergrid, api, feed))[1] == ""


async def test_a_sweep_never_tells_of_wrong_settings() -> None:
    """It meets what is old, which may have been designed otherwise."""
    there = paged(*rows(FEWEST, ts=None))
    assert await pulled(reading(), there, SWEPT) == (FEWEST, "")


async def test_what_is_read_past_an_index_that_is_away_is_looked_at_too() -> None:
    api = Moved(paged(*rows(FEWEST, ts=None)), asc=ServerFailed("503"))
    assert "readings.time" in (await pulled(reading(), api))[1]
