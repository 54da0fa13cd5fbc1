"""The points of the fake Coiote's history: what they say, when they come, and how they go."""

from dataclasses import replace
from datetime import timedelta

import pytest
from simulated_coiote import NOW, playing
from simulated_coiote_history import DAY, SINCE, TEMPERATURE, held, page, true

from harvester.simulator.coiote_points import HUGE
from harvester.simulator.coiote_quirks import AS_DOCUMENTED, BadPoint, Switches, bad_point
from harvester.simulator.faults import Fault
from harvester.simulator.uplinks import QUIET


async def test_history_ends_at_its_retention() -> None:
    async with playing(Switches(retention=timedelta(hours=6)), habits=QUIET) as play:
        device = play.device("Weather station")
        dates = [each["date"] for each in (await page(play, device, SINCE))["data"]]
        assert dates[0] == "2026-03-04T04:30:00.000Z" and len(dates) == 13
        assert len(true(play, device, TEMPERATURE)) == 49
    assert AS_DOCUMENTED.retention == timedelta(days=30)


async def test_a_device_in_another_domain_has_no_history_from_before() -> None:
    async with playing(habits=QUIET) as play:
        device = play.device("Weather station")
        play.clock.advance(timedelta(minutes=10))
        play.fake.move(device.id, "/acme/roof/")
        play.clock.advance(timedelta(hours=1))
        end = play.clock.now().isoformat()
        told = await page(play, device, SINCE, timeRangeEnd=end)
        dates = [each["date"] for each in told["data"]]
        assert dates == ["2026-03-04T11:00:00.000Z", "2026-03-04T11:30:00.000Z"]
        assert len(true(play, device, TEMPERATURE)) == 51, "what was true is true"


async def test_what_comes_late_stands_where_it_belongs_and_a_correction_in_its_place() -> None:
    habits = replace(QUIET, late=0.5, corrected=1)
    async with playing(habits=habits) as play:
        device, access = play.device("Office air"), await play.service()
        before = await play.history(access, device.id, TEMPERATURE, SINCE)
        play.clock.advance(DAY)
        after = await play.history(await play.service(), device.id, TEMPERATURE, SINCE)
        was, now = dict(before), dict(after)
        assert len(was.keys() & now.keys()) == len(was) < len(now)
        assert sum(was[date] != now[date] for date in was) > 0
        facts = true(play, device, TEMPERATURE)
        assert held(after) == {date: facts[date] for date in now}


async def test_what_is_said_twice_stands_there_twice() -> None:
    async with playing(habits=replace(QUIET, repeated=1)) as play:
        device = play.device("Freezer")
        points = [tuple(each.values()) for each in (await page(play, device, SINCE))["data"]]
        assert len(points) == 2 * len(set(points)) == 2 * len(true(play, device, TEMPERATURE))


async def test_of_a_device_that_left_what_it_said_before_is_true() -> None:
    async with playing(habits=QUIET) as play:
        moved, deleted = play.device("Weather station"), play.device("Freezer")
        before = play.fake.truth("acme")
        play.clock.advance(timedelta(minutes=1))
        play.fake.move(moved.id, "/globex/roof/")
        play.fake.delete(deleted.id)
        play.clock.advance(timedelta(hours=3))
        after = play.fake.truth("acme")
        gone = {moved.id, deleted.id}
        left = {key for key in after if key[0] in gone}
        assert left == {
            key for key in before if key[0] in gone and key[1] not in ("3/0/9", "4/0/2")
        }
        assert len(after) > len(before)


async def test_values_are_texts_and_words_and_numbers_are_true() -> None:
    async with playing(habits=QUIET) as play:
        access = await play.service()
        for model, path, kind in (
            ("Door", "3200/0/5500", str),
            ("Office air", TEMPERATURE, float),
            ("Pump", "26241/0/1", str),
            ("Water meter", "3300/0/5700", float),
        ):
            device = play.device(model)
            rows = await play.history(access, device.id, path, SINCE)
            assert all(isinstance(text, str) for _, text in rows)
            assert {type(value) for value in true(play, device, path).values()} == {kind}
        door = await play.history(access, play.device("Door").id, "3200/0/5500", SINCE)
        assert {text for _, text in door} == {"true", "false"}


async def test_odd_spellings_are_of_all_kinds_and_true() -> None:
    async with playing(Switches(spellings="odd"), habits=QUIET) as play:
        access, texts = await play.service(), set[str]()
        for model in ("Office air", "Freezer", "Leak"):
            device = play.device(model)
            rows = await play.history(access, device.id, TEMPERATURE, SINCE)
            assert held(rows) == true(play, device, TEMPERATURE)
            texts |= {text for _, text in rows}
        assert {"", "true", str(HUGE)} <= texts
        assert any("E" in text for text in texts) and any("," in text for text in texts)


@pytest.mark.parametrize(
    ("which", "intruder"),
    [
        ("null", {"date": NOW.isoformat(), "value": None}),
        ("nan", {"date": NOW.isoformat(), "value": "NaN"}),
        ("infinite", {"date": NOW.isoformat(), "value": "-Infinity"}),
        ("structure", {"date": NOW.isoformat(), "value": {"noValue": True}}),
        ("in_1970", {"date": "1970-01-01T00:00:00Z", "value": "21.5"}),
        ("in_2099", {"date": "2099-06-01T00:00:00Z", "value": "21.5"}),
        ("text_date", {"date": "yesterday", "value": "21.5"}),
        ("no_date", {"value": "21.5"}),
        ("no_value", {"date": NOW.isoformat()}),
        ("no_object", "21.5"),
    ],
)
async def test_what_is_no_point_stands_among_the_points(which: BadPoint, intruder: object) -> None:
    async with playing() as play:
        device = play.device("Freezer")
        honest = (await page(play, device, SINCE))["data"]
        play.fake.faults.add(Fault("deviceMonitoring", bad_point(which)))
        told = (await page(play, device, SINCE))["data"]
        told.remove(intruder)
        assert told == honest
