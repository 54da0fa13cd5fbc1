"""Usergrid: which of an entity's properties is what, and what becomes of those that are odd."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from harvester.channels import normalize
from harvester.model import Sample
from harvester.platforms.usergrid.entities import samples
from harvester.platforms.usergrid.options import ReadingsIn

UUID = "f0a1d7c0-3422-11ee-b9d1-0242ac120002"
CREATED = 1_691_301_600_412
ID = f"0001691301600412 {UUID}"
INSTANT = datetime(2023, 8, 6, 5, 59, 58, tzinfo=UTC)
NOW = datetime(2023, 8, 7, tzinfo=UTC)


def entity(**properties: object) -> dict[str, Any]:
    """As the platform documents one, of a pump, unless `properties` say otherwise."""
    return {
        "uuid": UUID,
        "type": "reading",
        "name": "pump-3-000118",
        "created": CREATED,
        "modified": CREATED,
        "device": "pump-3",
        "ts": 1_691_301_598_000,
        "metadata": {"path": f"/readings/{UUID}", "size": 342},
    } | properties


def read(said: object, path_of: str | None = None, **options: Any) -> list[Sample]:
    given = {"path": "readings", "time": "ts", "device": "device", **options}
    return list(samples(said, ReadingsIn.model_validate(given), path_of))


def values(said: object, **options: Any) -> dict[str, object]:
    return {each.channel: each.value for each in read(said, **options)}


def test_the_documented_entity_is_read() -> None:
    told = entity(temperature=21.5, rssi=-71, sensors={"v": {"supply": 23.9}})
    assert read(told) == [
        Sample("pump-3", "temperature", INSTANT, 21.5, ID),
        Sample("pump-3", "rssi", INSTANT, -71, ID),
        Sample("pump-3", "sensors.v.supply", INSTANT, 23.9, ID),
    ]


def test_what_the_platform_says_of_an_entity_is_no_reading() -> None:
    assert read(entity()) == []
    inner = dict.fromkeys(("type", "name", "uuid", "created", "modified", "metadata"), 1)
    assert values(entity(a=inner)) == {f"a.{name}": 1 for name in inner}
    assert values(entity(timestamp=5)) == {"timestamp": 5}


@pytest.mark.parametrize(
    "value", [1, 1.5, -0.0, "21.6", "on", "", True, None, 10**30, [1, 2], [{"a": 1}], {}]
)
def test_a_property_may_be_of_any_type_from_one_entity_to_the_next(value: object) -> None:
    [sample] = read(entity(t=value))
    assert (sample.channel, sample.value) == ("t", value)


@pytest.mark.parametrize(
    "name", ["a.b", "Ä ö", "温度", "T", "t", "x" * 900, "", ".", "a..b", "*", "[0]"]
)
def test_names_are_kept_as_they_are(name: str) -> None:
    assert values(entity(**{name: 1})) == {name: 1}
    assert values(entity(o={name: 1})) == {f"o.{name}": 1}


def test_objects_nested_without_end_are_not_gone_into() -> None:
    nested: dict[str, object] = {"a": 1}
    for _ in range(100_000):
        nested = {"a": nested}
    [sample] = read(entity(**nested))
    assert len(sample.channel) < 1010
    assert normalize([sample], NOW).rejections[0].reason == "no_channel"


@pytest.mark.parametrize(
    ("options", "channels"),
    [
        ({}, ["t", "u", "o.a", "o.b"]),
        ({"include": ["t", "o.*"]}, ["t", "o.a", "o.b"]),
        ({"exclude": ["o.*", "u"]}, ["t"]),
        ({"include": ["o.*"], "exclude": ["*.b"]}, ["o.a"]),
        ({"include": ["o"]}, []),
        ({"include": ["T"]}, []),
        ({"include": ["[tu]"]}, ["t", "u"]),
    ],
)
def test_channels_are_chosen_by_patterns(options: dict[str, object], channels: list[str]) -> None:
    assert list(values(entity(t=1, u=2, o={"a": 3, "b": 4}), **options)) == channels


@pytest.mark.parametrize(
    ("unit", "said", "expected"),
    [
        ("ms", 1_691_301_598_000, INSTANT),
        ("ms", "1691301598000", INSTANT),
        ("ms", 1_691_301_598_000.0, INSTANT),
        ("ms", 1_691_301_598_123, INSTANT.replace(microsecond=123_000)),
        ("s", 1_691_301_598, INSTANT),
        ("s", "1691301598", INSTANT),
        ("s", 1_691_301_598.25, INSTANT.replace(microsecond=250_000)),
        ("s", "1691301598.25", INSTANT.replace(microsecond=250_000)),
        ("iso", "2023-08-06T05:59:58Z", INSTANT),
        ("iso", "2023-08-06T07:59:58.000+02:00", INSTANT),
        ("iso", "2023-08-06 05:59:58.5+00:00", INSTANT.replace(microsecond=500_000)),
    ],
)
def test_the_instant_is_in_the_configured_unit(unit: str, said: object, expected: datetime) -> None:
    [sample] = read(entity(ts=said, t=1), time_unit=unit)
    assert (sample.instant, sample.stated_instant) == (expected, None)


ODD_TIMES: list[object] = [None, True, "", "soon", [], {}, 10**400, 1e300, "1e9", "١٢٣", "9" * 19]


@pytest.mark.parametrize("unit", ["ms", "s", "iso"])
@pytest.mark.parametrize("said", [*ODD_TIMES, "2023-08-06T05:59:58", "2023-08-06"])
def test_an_instant_that_cannot_be_read_is_kept_as_it_was_said(unit: str, said: object) -> None:
    told = read(entity(ts=said, t=1), time_unit=unit)
    by_channel = {each.channel: each for each in told}
    assert by_channel["t"].instant is None and by_channel["t"].stated_instant == said
    assert {each.reason for each in normalize(told, NOW).rejections} == {"no_instant"}


def test_neither_a_unit_nor_a_date_is_guessed_at() -> None:
    assert read(entity(ts="2023-08-06T05:59:58Z", t=1), time_unit="ms")[0].instant is None
    assert read(entity(ts=1_691_301_598, t=1), time_unit="iso")[0].instant is None
    seconds = read(entity(ts=1_691_301_598, t=1), time_unit="ms")
    assert normalize(seconds, NOW).rejections[0].reason == "implausible_instant"


def test_an_entity_without_the_configured_time_is_rejected_in_the_open() -> None:
    told = entity(t=1)
    del told["ts"]
    [sample] = read(told)
    assert (sample.device, sample.instant) == ("pump-3", None)
    assert normalize([sample], NOW).rejections[0].reason == "no_instant"


def test_without_a_configured_time_it_is_when_the_entity_was_created() -> None:
    [first, second] = read(entity(t=1), time="created")
    assert first.instant == datetime(2023, 8, 6, 6, 0, 0, 412_000, tzinfo=UTC)
    assert [first.channel, second.channel] == ["ts", "t"]


def test_the_time_and_the_device_may_lie_deeper() -> None:
    told = entity(at={"utc": 1_691_301_598_000, "zone": 2}, of={"id": "p7", "site": 4})
    found = read(told, time="at.utc", device="of.id", include=["at.*", "of.*"])
    assert [(each.channel, each.value) for each in found] == [("at.zone", 2), ("of.site", 4)]
    assert {(each.device, each.instant) for each in found} == {("p7", INSTANT)}


NO_DEVICES: list[object] = [None, "", " ", True, 1.5, [], {"a": 1}]


@pytest.mark.parametrize(
    ("said", "path", "device"),
    [
        ("p", None, "p"),
        ("p", "of the path", "p"),
        (118, None, "118"),
        (" P 3 ", None, " P 3 "),
        *((odd, "of the path", "of the path") for odd in NO_DEVICES),
        *((odd, None, "") for odd in NO_DEVICES),
    ],
)
def test_the_device_is_the_propertys_or_else_the_paths(
    said: object, path: str | None, device: str
) -> None:
    assert read(entity(device=said, t=1), path)[-1].device == device


def test_without_a_device_it_is_rejected_in_the_open() -> None:
    told = entity(t=1)
    del told["device"]
    assert normalize(read(told), NOW).rejections[0].reason == "no_device"
    plain = ReadingsIn(path="devices/{device}/sends/readings", time="ts")
    assert [each.device for each in samples(told, plain, "of the path")] == ["of the path"]


@pytest.mark.parametrize(
    ("told", "value"),
    [
        ({"value": 21.5}, 21.5),
        ({"value": "on"}, "on"),
        ({"value": {"x": 1}}, {"x": 1}),
        ({}, None),
    ],
)
def test_with_a_channel_an_entity_is_one_reading(told: dict[str, object], value: object) -> None:
    [sample] = read(entity(**told, other=7), channel="volume")
    assert (sample.channel, sample.value, sample.instant) == ("volume", value, INSTANT)


def test_the_one_value_may_lie_deeper() -> None:
    [sample] = read(entity(value={"m3": 4.2, "unit": "m3"}), channel="volume", value="value.m3")
    assert (sample.channel, sample.value) == ("volume", 4.2)


@pytest.mark.parametrize("odd", [None, 7, "x", [], [entity()], True])
def test_what_is_no_entity_is_rejected_in_the_open(odd: object) -> None:
    assert read(odd) == [Sample("", "", None, odd)]
    assert read(odd, "d") == [Sample("d", "", None, odd)]


def test_of_two_values_of_one_instant_the_one_that_was_modified_later_holds() -> None:
    """Whatever the order, and else the one of the greater UUID."""
    old = entity(t=3)
    new = entity(t=2, modified=CREATED + 1, uuid="0")
    other = entity(t=1, uuid="f1")
    for told, expected in (([old, new], 2.0), ([new, old], 2.0), ([other, old], 1.0)):
        found = normalize([each for said in told for each in read(said)], NOW)
        assert [each.value for each in found.readings] == [expected]


@pytest.mark.parametrize("odd", [None, "x", True, [], -5, 10**400])
def test_an_entity_that_does_not_say_when_it_was_modified_is_read_all_the_same(odd: object) -> None:
    [sample] = read(entity(t=1, modified=odd, uuid=odd))
    assert sample.value == 1 and sample.reading_id.startswith("0000000000000000 ")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["ts", "device", "uuid", "modified", "a", "b"]), JSON))
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_an_entity_holds_is_a_reading_or_is_rejected(said: dict[str, object]) -> None:
    for unit in ("ms", "s", "iso"):
        told = read(said, time_unit=unit)
        found = normalize(told, NOW)
        assert len(found.readings) + len(found.rejections) + found.repeated >= len(told)
