"""Recorded readings: what a CSV may hold, what it may not, and the world that is made of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from harvester.simulator.clock import HandClock
from harvester.simulator.curves import DAY_MS
from harvester.simulator.devicehive_world import said, sent
from harvester.simulator.recording import MOST_TOLD, BadRecording, Recorded, ending, read
from harvester.simulator.replay import Replay
from harvester.simulator.world import instant, millis

NOON = datetime(2021, 3, 4, 12, tzinfo=UTC)
MS = millis(NOON)
HEADER = "device,channel,instant,value\n"
ROW = "a,1,2021-03-04T12:00:00Z,5\n"


def recording(folder: Path, text: str) -> Path:
    path = folder / "readings.csv"
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("21.50", 21.5),
        ("-7", -7.0),
        ("1e3", 1000.0),
        ("open", "open"),
        ('"ajar, wide"', "ajar, wide"),
        ("8944500102198304826", "8944500102198304826"),
        ("9" * 400, "9" * 400),
    ],
)
def test_a_value_is_a_number_or_text_and_the_truth_of_the_world(
    tmp_path: Path, value: str, told: float | str
) -> None:
    path = recording(tmp_path, f"{HEADER}a,1,2021-03-04T13:00:00.1239+01:00,{value}\n")
    assert read(path) == [Recorded("a", "1", MS + 123, told)]
    world = Replay(HandClock(NOON + timedelta(hours=1)), read(path), "recorded")
    assert list(world.truth("recorded").values()) == [told]


def test_devicehive_tells_of_what_was_recorded_and_of_no_more(tmp_path: Path) -> None:
    path = recording(
        tmp_path,
        HEADER + "".join(f"a b,{n % 3},2021-03-04T12:00:{n % 60:02}Z,{n}\n" for n in range(60)),
    )
    world = Replay(HandClock(NOON + timedelta(hours=1)), read(path), "recorded")
    [thing] = world.things("recorded")
    told = {
        (thing.uuid, channel, instant(it.ms)): value
        for it in sent(thing, world.uplinks(thing, MS // DAY_MS))
        for each in said(it)
        for channel, value in each.readings
    }
    assert told == world.truth("recorded")


def test_columns_may_be_many_and_in_any_order(tmp_path: Path) -> None:
    text = "\ufeffunit,value,instant,channel,device\nCel,5,2021-03-04 12:00:00+00,1,Kühlraum\n\n"
    assert read(recording(tmp_path, text)) == [Recorded("Kühlraum", "1", MS, 5.0)]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", ["readings.csv: the file has no header"]),
        (HEADER, ["readings.csv: there is no reading"]),
        ("device,channel,ts,value\n", ["line 1: the column instant is missing"]),
        ("device,channel,value,value,instant\n", ["line 1: the column value stands there twice"]),
        (HEADER + ROW.replace("Z", ""), ['line 2: instant "2021-03-04T12:00:00" has no zone']),
        (HEADER + ROW.replace("2021-03-04T", "yesterday "), ["line 2", "no date with a time"]),
        (HEADER + ROW.replace("2021", "0001"), ["line 2", "before 1970"]),
        (HEADER + ROW + "b,1,2021-03-04T12:00:00Z,5\n" + ROW, ["line 4", "of line 2 again"]),
        (HEADER + ROW.replace("5", "NaN"), ['line 2: value "NaN" was not measured']),
        (HEADER + ROW.replace("5", ""), ["line 2: value is empty"]),
        (HEADER + ROW.replace("5", "5,7"), ["line 2: has 5 fields where the header has 4"]),
        (HEADER + 'a,1,2021-03-04T12:00:00Z,"5\n', ["after line 2", "no CSV"]),
        (HEADER + ",1,x,5\n" + ROW.replace("a", ""), ["line 2: device", "line 3: device"]),
    ],
)
def test_what_is_wrong_is_told_with_its_line(
    tmp_path: Path, text: str, sentences: list[str]
) -> None:
    with pytest.raises(BadRecording) as told:
        read(recording(tmp_path, text))
    assert all(sentence in str(told.value) for sentence in sentences), told.value


def test_of_many_mistakes_the_first_are_told(tmp_path: Path) -> None:
    with pytest.raises(BadRecording) as told:
        read(recording(tmp_path, HEADER + "a,1,never,5\n" * 1000))
    assert len(str(told.value).splitlines()) == MOST_TOLD


def test_readings_of_one_device_and_instant_are_one_uplink() -> None:
    recorded = [
        Recorded("a", "1", MS, 5.0),
        Recorded("b", "1", MS, 6.0),
        Recorded("a", "2", MS, "open"),
        Recorded("a", "1", MS + 1, 7.0),
    ]
    world = Replay(HandClock(NOON + timedelta(hours=1)), recorded, "recorded")
    first, second = world.things("recorded")
    rows = [(row.ms, row.values) for row in world.readings(first, 0, 2 * MS, 2 * MS)]
    assert rows == [(MS, (("1", 5.0), ("2", "open"))), (MS + 1, (("1", 7.0),))]
    assert (first.name, second.name) == ("a", "b")
    assert {user.name for user in world.users("recorded")} == first.seen_by == second.seen_by


def test_a_device_that_is_named_by_a_uuid_keeps_it(tmp_path: Path) -> None:
    name = "2E4D1A60-0000-4000-8000-00000000000A"
    text = HEADER + ROW.replace("a,", f"{name},") + ROW
    world = Replay(HandClock(NOON), read(recording(tmp_path, text)), "recorded")
    first, second = world.things("recorded")
    assert (first.uuid, second.name) == (str(UUID(name)), "a")


def test_shifted_readings_end_now_and_keep_their_distances() -> None:
    recorded = [Recorded("a", "1", MS + n, 0.0) for n in (5, 1005, 5)]
    now = datetime(2026, 1, 1, tzinfo=UTC)
    shifted = ending(recorded, now)
    second = timedelta(seconds=1)
    assert [instant(each.ms) for each in shifted] == [now - second, now, now - second]
