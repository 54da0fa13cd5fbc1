"""What becomes of a sample: a reading, or a rejection that says why."""

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st
from samples import MICROSECOND, NOW, PARTS, THEN, kept, of, refused

from harvester.channels import LONGEST_TEXT, normalize
from harvester.model import (
    Normalized,
    Reading,
    Rejection,
    Sample,
)
from harvester.storable import EARLIEST, FURTHEST_AHEAD, LONGEST_NAME


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
