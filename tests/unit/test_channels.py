"""What becomes of a sample: a reading, a repetition of one, or a rejection that says why."""

import math
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.channels import (
    EARLIEST,
    FURTHEST_AHEAD,
    LONGEST_NAME,
    LONGEST_TEXT,
    described,
    meaning,
    normalize,
)
from harvester.model import (
    Channel,
    Device,
    Discovered,
    Feed,
    Normalized,
    Reading,
    Rejection,
    Sample,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
THEN = NOW - timedelta(minutes=5)
MICROSECOND = timedelta(microseconds=1)
PARTS = ("x", "y", "z", "lat", "latitude", "lon", "lng", "long", "longitude", "alt", "altitude")


def of(value: object, reading_id: str = "", instant: datetime | None = THEN) -> Sample:
    return Sample("dev", "chan", instant, value, reading_id, stated_instant="as stated")


def kept(*samples: Sample) -> list[tuple[str, float | str]]:
    """Channels and values of the readings, where nothing is rejected."""
    result = normalize(samples, NOW)
    assert result.rejections == []
    return [(reading.channel, reading.value) for reading in result.readings]


def refused(*samples: Sample) -> list[Rejection]:
    """The rejections, where there is no reading."""
    result = normalize(samples, NOW)
    assert result.readings == []
    return result.rejections


def counted(result: Normalized) -> tuple[Counter[Reading], Counter[Rejection], int]:
    return Counter(result.readings), Counter(result.rejections), result.repeated


@pytest.mark.parametrize(
    ("said", "number"),
    [
        (21.5, 21.5),
        (7, 7.0),
        (True, 1.0),
        (False, 0.0),
        (2**53, 2.0**53),
        (10**22, 1e22),
        (-(2**63), -(2.0**63)),
        ("21.5", 21.5),
        (" 7 ", 7.0),
        ("\t-7\n", -7.0),
        ("1e3", 1000.0),
        ("-1.5E-2", -0.015),
        ("+5", 5.0),
        ("5.", 5.0),
        (".5", 0.5),
        ("007", 7.0),
    ],
)
def test_a_number_is_kept_as_a_number_also_where_it_was_said_as_text(
    said: object, number: float
) -> None:
    [(_, value)] = kept(of(said))
    assert (type(value), value) == (float, number)


@pytest.mark.parametrize(
    "said",
    [
        *(
            "",
            " ",
            "open",
            "1_000",
            "0x10",
            "1,5",
            "1 2",
            "1.2.3",
            "--1",
            ".",
            "e3",
            "1e",
            "²",
            "٣",
        ),
        *("1e400", "nano", "information", "true", "21.5 °C", "2026-03-01T12:00:00Z", "\U0001f321"),
    ],
)
def test_other_text_is_kept_as_it_was_said(said: str) -> None:
    assert kept(of(said)) == [("chan", said)]


@pytest.mark.parametrize(
    "said",
    [2**53 + 1, 2**64 - 1, 10**400 + 1, -(2**53) - 1, -(10**4000)],
    ids=["above", "unsigned", "beyond doubles", "below", "endless"],
)
def test_an_integer_that_a_double_cannot_hold_stays_exact_as_text(said: int) -> None:
    assert kept(of(said)) == kept(of(str(said))) == [("chan", str(said))]
    assert kept(of(f" {said} ")) == [("chan", f" {said} ")], "text is kept as it was said"


@given(st.integers() | st.integers(2**53 - 9, 2**53 + 9) | st.integers(-(2**64), 2**64))
def test_no_integer_is_changed(said: int) -> None:
    [(_, value)] = kept(of(said))
    assert int(value) == said


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (None, "null"),
        (math.nan, "not_a_number"),
        (math.inf, "not_a_number"),
        (-math.inf, "not_a_number"),
        ("NaN", "not_a_number"),
        (" nan ", "not_a_number"),
        ("Infinity", "not_a_number"),
        ("-inf", "not_a_number"),
        ([], "structure"),
        ([1], "structure"),
        ({}, "structure"),
        ({"noValue": True}, "structure"),
        ({"x": 1, "w": 2}, "structure"),
        ("a\0b", "unstorable_text"),
        ("\ud83c", "unstorable_text"),
    ],
)
def test_what_is_no_scalar_or_cannot_be_stored_is_rejected(said: object, reason: str) -> None:
    [rejection] = refused(of(said))
    assert (rejection.device, rejection.channel, rejection.reason) == ("dev", "chan", reason)
    assert rejection.stated_instant == THEN.isoformat()


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ([1, "a"], '[1, "a"]'),
        ({"v": None}, '{"v": null}'),
        (None, "null"),
        (math.nan, "NaN"),
        (" nan ", " nan "),
        ("a\0\ud83cb", "a\\0\\ud83cb"),
        (["b" * 5000], '["' + "b" * 998),
    ],
)
def test_a_rejection_shows_the_beginning_of_what_was_said(said: object, shown: str) -> None:
    [rejection] = refused(of(said))
    assert rejection.value == shown


def test_a_structure_is_rejected_however_deep_it_is() -> None:
    said: object = 1
    for _ in range(5000):
        said = [said]
    [rejection] = refused(of(said))
    assert rejection.reason == "structure"


def test_vectors_and_positions_become_channels_of_their_own() -> None:
    vector, position = {"x": 1, "y": "2", "z": True}, {"lat": 48.1, "lng": 11.6, "alt": "high"}
    assert kept(Sample("dev", "accel", THEN, vector), Sample("dev", "gps", THEN, position)) == [
        ("accel.x", 1.0),
        ("accel.y", 2.0),
        ("accel.z", 1.0),
        ("gps.lat", 48.1),
        ("gps.lng", 11.6),
        ("gps.alt", "high"),
    ]


def test_each_part_of_a_vector_is_judged_alone() -> None:
    result = normalize([of({"x": 1, "y": None, "z": {"x": 1}})], NOW)
    assert [(reading.channel, reading.value) for reading in result.readings] == [("chan.x", 1.0)]
    rejected = [(rejection.channel, rejection.reason) for rejection in result.rejections]
    assert rejected == [("chan.y", "null"), ("chan.z", "structure")]


@pytest.mark.parametrize("part", PARTS)
def test_a_part_needs_no_other_parts_beside_it(part: str) -> None:
    assert kept(of({part: 3})) == [(f"chan.{part}", 3.0)]


@pytest.mark.parametrize(
    "instant",
    [
        datetime(1970, 1, 1, tzinfo=UTC),
        EARLIEST - MICROSECOND,
        NOW + FURTHEST_AHEAD + MICROSECOND,
        datetime(2099, 1, 1, tzinfo=UTC),
    ],
)
def test_an_instant_that_no_working_clock_tells_is_rejected(instant: datetime) -> None:
    said = Rejection("dev", "chan", "implausible_instant", instant.isoformat(), "1")
    assert refused(of(1, instant=instant)) == [said]


@pytest.mark.parametrize("instant", [EARLIEST, NOW, NOW + FURTHEST_AHEAD])
def test_instants_from_the_earliest_to_a_clock_somewhat_ahead_are_kept(instant: datetime) -> None:
    result = normalize([of(1, instant=instant)], NOW)
    assert result == Normalized([Reading("dev", "chan", instant, 1.0)])


@pytest.mark.parametrize(
    ("stated", "shown"),
    [("yesterday", "yesterday"), (None, "null"), (-1, "-1"), ({"t": 1}, '{"t": 1}')],
)
def test_without_an_instant_a_sample_is_rejected_with_what_it_said_instead(
    stated: object, shown: str
) -> None:
    sample = Sample("dev", "chan", None, 1, stated_instant=stated)
    assert refused(sample) == [Rejection("dev", "chan", "no_instant", shown, "1")]


@pytest.mark.parametrize("name", ["", "n" * (LONGEST_NAME + 1), "a\0b", "\ud800"])
def test_a_device_or_a_channel_without_a_name_that_can_be_stored_is_rejected(name: str) -> None:
    assert [found.reason for found in refused(Sample(name, "chan", THEN, 1))] == ["no_device"]
    assert [found.reason for found in refused(Sample("dev", name, THEN, 1))] == ["no_channel"]
    assert [found.reason for found in refused(Sample("dev", name, THEN, {"x": 1}))] == [
        "no_channel"
    ]


def test_names_and_text_are_kept_whole_up_to_their_longest() -> None:
    name, text = "ü" * LONGEST_NAME, "ü" * LONGEST_TEXT
    result = normalize([Sample(name, name, THEN, text)], NOW)
    assert result.readings == [Reading(name, name, THEN, text)]


@pytest.mark.parametrize("said", ["t" * (LONGEST_TEXT + 1), "1" * (LONGEST_TEXT + 1)])
def test_endless_text_is_rejected(said: str) -> None:
    assert [found.reason for found in refused(of(said))] == ["unstorable_text"]


def test_an_endless_integer_is_rejected_as_endless_text_is() -> None:
    assert [found.reason for found in refused(of(10**LONGEST_TEXT + 1))] == ["unstorable_text"]


@pytest.mark.parametrize(
    ("loser", "winner"),
    [
        pytest.param(of(9, "id-1"), of(1, "id-2"), id="greater reading id"),
        pytest.param(of("z"), of(1, "id-1"), id="any reading id"),
        pytest.param(of(1), of(2), id="greater number"),
        pytest.param(of(-2), of(-1), id="greater number below zero"),
        pytest.param(of(9), of("a"), id="text over number"),
        pytest.param(of("a"), of("b"), id="greater text"),
    ],
)
def test_of_two_values_of_one_instant_one_holds_and_the_other_is_rejected(
    loser: Sample, winner: Sample
) -> None:
    for samples in ([loser, winner], [winner, loser]):
        result = normalize(samples, NOW)
        assert result.readings == normalize([winner], NOW).readings
        [rejection] = result.rejections
        assert (rejection.reason, rejection.stated_instant) == ("same_instant", THEN.isoformat())
        [lost] = normalize([loser], NOW).readings
        assert rejection.value == str(lost.value)


def test_a_value_that_loses_twice_is_rejected_once_and_repeated_once() -> None:
    result = normalize([of(1), of(2), of(1)], NOW)
    assert [rejection.value for rejection in result.rejections] == ["1.0"]
    assert result.repeated == 1


@pytest.mark.parametrize("again", [of(1), of("1.0"), of(True), of(1, "another id")])
def test_what_says_the_same_once_more_is_repeated(again: Sample) -> None:
    result = normalize([of(1), again, of(1)], NOW)
    assert result == Normalized([Reading("dev", "chan", THEN, 1.0)], repeated=2)


def test_a_value_that_holds_is_not_rejected_where_it_was_said_before_too() -> None:
    result = normalize([of(1, "id-1"), of(2, "id-2"), of(1, "id-3")], NOW)
    assert [reading.value for reading in result.readings] == [1.0]
    assert [rejection.value for rejection in result.rejections] == ["2.0"]
    assert result.repeated == 1


def test_values_of_other_devices_channels_and_instants_do_not_compete() -> None:
    samples = [
        of(1),
        Sample("other", "chan", THEN, 2),
        Sample("dev", "other", THEN, 3),
        of(4, instant=THEN + MICROSECOND),
    ]
    assert [value for _, value in kept(*samples)] == [1, 2, 3, 4]


RIVALS = st.tuples(st.sampled_from(["", "1", "2"]), st.sampled_from([1.0, 2.0, "a", "b"]))


@given(st.lists(RIVALS, min_size=1, max_size=6))
def test_the_greatest_of_all_values_of_an_instant_holds(rivals: list[tuple[str, Any]]) -> None:
    greatest = max(rivals, key=lambda rival: (rival[0], isinstance(rival[1], str), rival[1]))[1]
    result = normalize([of(value, reading_id) for reading_id, value in rivals], NOW)
    assert [reading.value for reading in result.readings] == [greatest]
    losers = {value for _, value in rivals} - {greatest}
    assert sorted(rejection.value for rejection in result.rejections) == sorted(map(str, losers))
    assert result.repeated == len(rivals) - len(losers) - 1


TEXTS = st.text(st.characters(), max_size=9) | st.sampled_from(
    ["1", " 1.0", "-9e999", "NaN", "\0", "\ud800", "t" * (LONGEST_TEXT + 1)]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.just(10**400 + 1)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(TEXTS, inner, max_size=3)
        | st.dictionaries(st.sampled_from(PARTS), inner, max_size=3)
    ),
    max_leaves=5,
)
NAMES = st.sampled_from(["a", "b"]) | TEXTS | st.just("n" * LONGEST_NAME)
INSTANTS = st.sampled_from([THEN, NOW]) | st.none() | st.datetimes(timezones=st.just(UTC))
IDS = st.sampled_from(["", "1", "2"])
SAMPLES = st.builds(Sample, NAMES, NAMES, INSTANTS, VALUES, IDS, VALUES)


@given(st.lists(SAMPLES, max_size=6))
def test_each_sample_and_each_part_of_a_vector_ends_as_exactly_one_thing(
    samples: list[Sample],
) -> None:
    result = normalize(samples, NOW)
    parts = sum(
        len(sample.value)
        if isinstance(sample.value, Mapping) and sample.value and set(sample.value) <= set(PARTS)
        else 1
        for sample in samples
    )
    assert len(result.readings) + len(result.rejections) + result.repeated == parts
    keys = {(reading.device, reading.channel, reading.instant) for reading in result.readings}
    assert len(keys) == len(result.readings)


@given(st.lists(SAMPLES, max_size=6))
def test_whatever_a_platform_says_postgres_can_store_what_comes_out(samples: list[Sample]) -> None:
    result = normalize(samples, NOW)
    for reading in result.readings:
        assert isinstance(reading.value, str) or math.isfinite(reading.value)
        assert 0 < len(reading.device) <= LONGEST_NAME
        assert 0 < len(reading.channel) <= LONGEST_NAME
        assert EARLIEST <= reading.instant <= NOW + FURTHEST_AHEAD
    rows = map(msgspec.structs.astuple, [*result.readings, *result.rejections])
    texts = [text for row in rows for text in row if isinstance(text, str)]
    assert all("\0" not in text and len(text) <= LONGEST_TEXT for text in texts)
    assert all(text == text.encode(errors="replace").decode() for text in texts)


NEAR = st.builds(
    Sample,
    device=st.just("dev"),
    channel=st.sampled_from(["chan", "chan.x"]),
    instant=st.sampled_from([THEN, NOW]),
    value=st.sampled_from([1, 2, True, "1", "a", None, {"x": 1}, {"x": 2, "y": 1}]),
    reading_id=IDS,
)


@given(st.data(), st.lists(NEAR, max_size=6))
def test_the_order_in_which_samples_come_decides_nothing(
    data: st.DataObject, samples: list[Sample]
) -> None:
    reordered = data.draw(st.permutations(samples))
    assert counted(normalize(samples, NOW)) == counted(normalize(reordered, NOW))


def test_of_a_discovered_device_only_what_can_be_stored_is_kept() -> None:
    too_long = "n" * (LONGEST_NAME + 1)
    names = ["t", "", "a\0b", "\ud800", too_long]
    channels = tuple(Channel(name, "a\0b", too_long, None) for name in names)
    feeds = tuple(Feed("readings", key, ("dev",)) for key in ["f", "a\0b", "\ud800", too_long])
    found = described(Discovered(Device("dev", "\ud800", "kind", channels), feeds, "ann"))
    kept_channel = Channel("t", "a\\0b", too_long[1:], None)
    device = Device("dev", "\\ud800", "kind", (kept_channel,))
    assert found == Discovered(device, feeds[:1], "ann")


@pytest.mark.parametrize("identifier", ["", "n" * (LONGEST_NAME + 1), "a\0b", "\ud800"])
def test_a_discovered_device_whose_identifier_cannot_be_stored_is_left_out(identifier: str) -> None:
    assert described(Discovered(Device(identifier))) is None


@pytest.mark.parametrize(
    ("stated", "raw", "quantity", "canonical", "unit"),
    [
        (("temp", "c"), 21.5, "temperature", 21.5, "Cel"),
        (("temp", "f"), 72, "temperature", 22 + 2 / 9, "Cel"),
        (("temp", "f"), -40, "temperature", -40, "Cel"),
        (("temp", "k"), 300, "temperature", 26.85, "Cel"),
        (("rel_hum", "p"), 45, "relative_humidity", 45, "%RH"),
        (("rel_hum", "r"), 0.45, "relative_humidity", 45, "%RH"),
        (("bp", "pa"), 101325, "air_pressure", 101325, "Pa"),
        (("bp", "hpa"), 1013.25, "air_pressure", 101325, "Pa"),
        (("lum", "lux"), 300, "illuminance", 300, "lx"),
        (("co2", "ppm"), 420, "co2", 420, "ppm"),
        (("batt", "p"), 80, "battery_level", 80, "%EL"),
        (("batt", "v"), 3.6, "battery_voltage", 3.6, "V"),
        (("voltage", "v"), 12, "voltage", 12, "V"),
        (("voltage", "mv"), 3300, "voltage", 3.3, "V"),
        (("rssi", "dbm"), -97, "rssi", -97, "dBm"),
        (("snr", "db"), 7.5, "snr", 7.5, "dB"),
        (("digital_sensor", "d"), 1, "digital_input", 1, "/"),
    ],
)
def test_a_stated_type_and_unit_mean_a_quantity_in_its_canonical_unit(
    stated: tuple[str, str], raw: float, quantity: str, canonical: float, unit: str
) -> None:
    found = meaning(*stated)
    assert found is not None
    assert (found.quantity, found.unit) == (quantity, unit)
    assert raw * found.scale + found.offset == pytest.approx(canonical)


def test_a_meaning_is_found_however_the_platform_writes_its_letters() -> None:
    assert meaning("TEMP", "F") == meaning("temp", "f")
    assert meaning("bp", "hPa") == meaning("BP", "hpa")


@pytest.mark.parametrize(
    "stated", [(None, None), ("temp", None), (None, "c"), ("temp", "pa"), ("", ""), ("gps", "m")]
)
def test_what_we_do_not_know_means_nothing(stated: tuple[str | None, str | None]) -> None:
    assert meaning(*stated) is None
