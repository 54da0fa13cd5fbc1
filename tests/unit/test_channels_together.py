"""What becomes of many samples: of those that compete one holds, and none is lost."""

import math
from collections.abc import Mapping
from datetime import UTC
from typing import Any

import msgspec
import pytest
from hypothesis import given, strategies as st
from samples import MICROSECOND, NOW, PARTS, THEN, counted, kept, of

from harvester.channels import LONGEST_TEXT, normalize
from harvester.model import (
    Normalized,
    Reading,
    Sample,
)
from harvester.storable import EARLIEST, FURTHEST_AHEAD, LONGEST_NAME


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
