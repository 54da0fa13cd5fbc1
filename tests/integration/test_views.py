"""What people see: canonical values beside raw ones, what is covered, what is not, and why."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest
from fix_store import T0, Said, Site, at, batch, finding

from harvester.model import Channel, Meaning
from harvester.store.discovery import Finding

CELSIUS = Channel("temp", "Room", "temp", "c")
FAHRENHEIT = Channel("temp", "Room", "temp", "f")
DOOR = Channel("door", "Door", "digital_sensor", "d")
DAYS = 1440  # minutes


async def understood(site: Site, *said: Said) -> None:
    """Readings of a device `one` whose door and temperature we understand."""
    feed = await site.feed("one")
    door = Meaning("door", "1", enumeration={"0": "shut", "1": "open", "ajar": "open"})
    found = finding("one", CELSIUS, name="Cellar")
    await site.save(
        found, Finding(found.found, None, {DOOR: door, CELSIUS: found.meanings[CELSIUS]})
    )
    await site.write(batch(feed, *said))


async def readings(site: Site) -> list[dict[str, Any]]:
    found = await site.pool.fetch("select * from harvester.readings order by channel, ts")
    return [dict(row) for row in found]


async def latest(site: Site) -> list[dict[str, Any]]:
    found = await site.pool.fetch("select * from harvester.latest_readings order by channel")
    return [dict(row) for row in found]


async def test_a_reading_shows_its_meaning_beside_what_was_said(site: Site) -> None:
    await understood(site, ("one", "temp", 0, 21.5))
    assert await readings(site) == [
        {
            "tenant": site.name,
            "platform": "mydevices",
            "device": "one",
            "device_name": "Cellar",
            "channel": "temp",
            "channel_name": "Room",
            "ts": T0,
            "quantity": "temperature",
            "value": 21.5,
            "unit": "Cel",
            "label": None,
            "text": None,
            "raw_value": 21.5,
            "raw_unit": "c",
        }
    ]


async def test_a_unit_that_changed_is_converted_from_then_on(site: Site) -> None:
    feed = await site.feed("one")
    await site.save(finding("one", CELSIUS), now=at(0))
    await site.save(finding("one", FAHRENHEIT), now=at(10))
    await site.write(batch(feed, *(("one", "temp", minute, 50.0) for minute in (9, 10, 11))))
    found = [(row["value"], row["raw_value"], row["raw_unit"]) for row in await readings(site)]
    assert found == [
        (50.0, 50.0, "c"),
        (pytest.approx(10), 50.0, "f"),
        (pytest.approx(10), 50.0, "f"),
    ]
    assert {row["unit"] for row in await readings(site)} == {"Cel"}


async def test_a_mended_belief_changes_all_of_history_at_once(site: Site) -> None:
    await understood(site, ("one", "temp", 0, 21.5), ("one", "temp", 9, 22.5))
    await site.pool.execute(
        "update harvester_data.interpretation set quantity = 'voltage', unit = 'V', scale = 0.1,"
        " \"offset\" = 1 where stated_type = 'temp'"
    )
    found = await readings(site)
    assert [row["value"] for row in found] == [pytest.approx(3.15), pytest.approx(3.25)]
    assert [row["raw_value"] for row in found] == [21.5, 22.5]


async def test_a_number_that_stands_for_no_measurement_has_no_value(site: Site) -> None:
    await understood(site, ("one", "temp", 0, -127.0), ("one", "temp", 1, 85.0))
    await site.pool.execute("update harvester_data.interpretation set sentinels = '{-127, 999}'")
    found = [(row["value"], row["raw_value"]) for row in await readings(site)]
    assert found == [(None, -127.0), (85.0, 85.0)]


async def test_enumerated_numbers_and_texts_have_labels(site: Site) -> None:
    said: list[float | str] = [0.0, 1.0, 7.0, "ajar", "off"]
    await understood(site, *(("one", "door", minute, value) for minute, value in enumerate(said)))
    found = [(row["value"], row["text"], row["label"]) for row in await readings(site)]
    assert found == [
        (0.0, None, "shut"),
        (1.0, None, "open"),
        (7.0, None, None),
        (None, "ajar", "open"),
        (None, "off", None),
    ]


async def test_what_nobody_understands_is_shown_raw(site: Site) -> None:
    feed = await site.feed("one")
    await site.write(batch(feed, ("one", "x", 0, 1.5), ("one", "y", 0, "text")))
    found = [
        (row["value"], row["text"], row["raw_value"], row["quantity"], row["unit"])
        for row in await readings(site)
    ]
    assert found == [(1.5, None, 1.5, None, None), (None, "text", None, None, None)]


@pytest.mark.parametrize(
    ("scale", "offset", "raw", "value"),
    [
        (100, 0, 1.7976931348623157e308, None),
        (1e30, -1e30, -1e280, None),
        (0.01, 0, 5e-324, None),
        (0.5, 0, 0.0, 0.0),
        (1, -1e30, -1.7976931348623157e308, -1.7976931348623157e308),
        (1, 0, 5e-324, 5e-324),
        (-2, 3, 1e200, -2e200),
    ],
)
async def test_an_absurd_number_does_not_spoil_a_query_over_the_others(
    site: Site, scale: float, offset: float, raw: float, value: float | None
) -> None:
    await understood(site, ("one", "temp", 0, raw))
    await site.pool.execute(
        'update harvester_data.interpretation set scale = $1, "offset" = $2', scale, offset
    )
    for (found,) in (await readings(site), await latest(site)):
        assert (found["value"], found["raw_value"]) == (value, raw)


@pytest.mark.parametrize("scale", [0, 1e31, 1e-31, float("nan"), float("inf")])
async def test_a_scale_that_could_spoil_it_is_refused(site: Site, scale: float) -> None:
    await understood(site)
    for statement in (
        "update harvester_data.interpretation set scale = $1",
        'update harvester_data.interpretation set "offset" = 1e31 + $1',
    ):
        with pytest.raises(asyncpg.CheckViolationError):
            await site.pool.execute(statement, scale)


async def test_the_latest_reading_of_a_series_is_the_newest_number_or_text(site: Site) -> None:
    await understood(
        site,
        ("one", "temp", 0, 1.0),
        ("one", "temp", 40 * DAYS, 3.0),
        ("one", "temp", 9, 2.0),
        ("one", "door", 5, 1.0),
        ("one", "door", 6, "ajar"),
        ("one", "x", 7, "old"),
        ("one", "x", 8, 4.0),
    )
    newest = await latest(site)
    assert [(row["channel"], row["ts"], row["value"], row["text"]) for row in newest] == [
        ("door", at(6), None, "ajar"),
        ("temp", at(40 * DAYS), 3.0, None),
        ("x", at(8), 4.0, None),
    ]
    every = {(row["channel"], row["ts"]): row for row in await readings(site)}
    assert [every[row["channel"], row["ts"]] for row in newest] == newest
