"""DeviceHive: what is asked of a device's notifications, and what each of them becomes."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from told import Told, ToldApi

from harvester.errors import Forbidden, Malformed, ServerFailed
from harvester.model import BEGINNING, FOREVER, Feed, Said, Sample, Window
from harvester.platforms.devicehive import BATCH, Adapter
from harvester.platforms.devicehive.options import DeviceHiveOptions

DEVICE = "gh-07-probe-a"
PATH = f"/device/{DEVICE}/notification"
FEED = Feed("readings", DEVICE, (DEVICE,))
WINDOW = Window(BEGINNING, FOREVER)
INSTANT = datetime(2026, 3, 4, 5, 6, 7, 89_000, tzinfo=UTC)
OPTIONS = DeviceHiveOptions(base_url="https://dh.example/api/rest")


def notification(parameters: object, name: object = "t", **more: object) -> dict[str, Any]:
    """As the platform documents it, unless `more` says otherwise."""
    return {
        "id": 570084350,
        "notification": name,
        "deviceId": DEVICE,
        "networkId": 7,
        "deviceTypeId": 1,
        "timestamp": "2026-03-04T05:06:07.089",
        "parameters": parameters,
    } | more


async def samples(*told: object) -> list[Said]:
    api = ToldApi({PATH: list(told)})
    return [each async for said in Adapter(OPTIONS).readings(api, FEED, WINDOW) for each in said]


async def values(parameters: object, name: str = "t") -> dict[str, object]:
    said = await samples(notification(parameters, name))
    return {each.channel: each.value for each in said if isinstance(each, Sample)}


async def test_the_documented_notification_is_read() -> None:
    said = await samples(notification({"value": 21.5}, "temperature"))
    assert said == [Sample(DEVICE, "temperature", INSTANT, 21.5, "0570084350")]


async def test_the_whole_cache_is_asked_for_whatever_the_window() -> None:
    api = ToldApi({PATH: []})
    window = Window(INSTANT, INSTANT.replace(hour=6))
    assert [each async for each in Adapter(OPTIONS).readings(api, FEED, window)] == []
    asked = {"take": 10_000, "skip": 0, "sortField": "timestamp", "sortOrder": "ASC"}
    assert api.asked == [(PATH, asked)]


async def test_a_device_is_named_in_the_path_whatever_it_is_called() -> None:
    name = "a/b?c=ü %2F#"
    path = "/device/a%2Fb%3Fc%3D%C3%BC%20%252F%23/notification"
    api = ToldApi({path: [notification({"value": 1})]})
    [[sample]] = [
        each async for each in Adapter(OPTIONS).readings(api, Feed("readings", name), WINDOW)
    ]
    assert isinstance(sample, Sample) and sample.device == name


@pytest.mark.parametrize(
    ("name", "parameters", "expected"),
    [
        # As devices of the vendor's samples, firmware and tests send it.
        ("temperature", {"value": 21.5}, {"temperature": 21.5}),
        ("adc/int", {"0": "0.0566"}, {"adc/int.0": "0.0566"}),
        (
            "gpio/int",
            {"caused": ["0"], "state": {"0": 0, "1": 1}, "tick": 123456},
            {
                "gpio/int.caused.0": "0",
                "gpio/int.state.0": 0,
                "gpio/int.state.1": 1,
                "gpio/int.tick": 123456,
            },
        ),
        ("uart/int", {"data": "aGVsbG8="}, {"uart/int.data": "aGVsbG8="}),
        (
            "accelerometer",
            {"SensorTag": "a0:e6", "Value": {"x": 0.1, "abs": 1.0}},
            {
                "accelerometer.SensorTag": "a0:e6",
                "accelerometer.Value.x": 0.1,
                "accelerometer.Value.abs": 1.0,
            },
        ),
        ("humidity", {"Value": 40}, {"humidity": 40}),
        ("any", {"t": "20.0", "p": "29.92"}, {"any.t": "20.0", "any.p": "29.92"}),
        ("any", {"equipment": "pump", "on": 1}, {"any.equipment": "pump", "any.on": 1}),
    ],
)
async def test_values_are_found_wherever_devices_put_them(
    name: str, parameters: object, expected: dict[str, object]
) -> None:
    assert await values(parameters, name) == expected


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"equipment": "temp-1", "temperature": 21.5}, {"temp-1.temperature": 21.5}),
        ({"equipment": "temp-1", "value": 21.5}, {"temp-1.value": 21.5}),
        ({"equipment": "a", "x": {"y": [1]}}, {"a.x.y.0": 1}),
        ({"equipment": "temp-1"}, {}),
        ({"equipment": "", "x": 1}, {"equipment.equipment": "", "equipment.x": 1}),
        ({"equipment": 7, "x": 1}, {"equipment.equipment": 7, "equipment.x": 1}),
        ({"value": 3}, {"equipment": 3}),
        ("on", {"equipment": "on"}),
    ],
)
async def test_equipment_of_old_devices_names_the_channel(
    parameters: object, expected: dict[str, object]
) -> None:
    assert await values(parameters, "equipment") == expected


@pytest.mark.parametrize("parameters", [None, {}, [], {"state": {}}, {"a": [], "b": {"c": {}}}])
async def test_parameters_that_say_nothing_are_no_samples(parameters: object) -> None:
    assert await samples(notification(parameters)) == []


HUGE = "x" * 200_000


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"value": None}, {"t": None}),
        ({"value": True}, {"t": True}),
        ({"value": "NaN"}, {"t": "NaN"}),
        ({"value": float("inf")}, {"t": float("inf")}),
        ({"value": 2**70}, {"t": 2**70}),
        ({"value": HUGE}, {"t": HUGE}),
        ({"value": 1, "unit": "C"}, {"t.value": 1, "t.unit": "C"}),
        ({"value": [1, 2]}, {"t.value.0": 1, "t.value.1": 2}),
        ({"VALUE": 1}, {"t.VALUE": 1}),
        ({"": 1, "a": {"": 2}}, {"t": 1, "t.a.": 2}),
        # Before 3.3.3 parameters were any JSON.
        (21.5, {"t": 21.5}),
        ("21.5", {"t": "21.5"}),
        (False, {"t": False}),
        ([1, {"a": 2}], {"t.0": 1, "t.1.a": 2}),
    ],
)
async def test_values_are_handed_on_as_they_were_said(
    parameters: object, expected: dict[str, object]
) -> None:
    assert await values(parameters) == expected


async def test_what_the_server_itself_notifies_of_is_no_reading() -> None:
    own = [
        notification({"id": DEVICE, "name": "Probe", "isBlocked": False}, name, **nulls)
        for name in ("$device-add", "$device-update", "$device-delete")
        for nulls in ({}, {"networkId": None, "deviceTypeId": None})
    ]
    assert await samples(*own) == []


async def test_what_lies_too_deep_for_a_channel_does_not_vanish() -> None:
    deep: object = 1
    for _ in range(900):
        deep = {"key": [deep]}
    [sample] = await samples(notification(deep))
    assert isinstance(sample, Sample)
    assert 1000 < len(sample.channel) < 1100 and isinstance(sample.value, dict | list)


async def test_a_message_with_any_number_of_values_is_handed_on_in_pieces() -> None:
    api = ToldApi({PATH: [notification([0] * (2 * BATCH + 1))]})
    said = [len(each) async for each in Adapter(OPTIONS).readings(api, FEED, WINDOW)]
    assert said == [BATCH, BATCH, 1]


@pytest.mark.parametrize(
    "odd",
    [None, 7, "x", [], {}, notification(1, None), notification(1, ""), notification(1, 7)],
)
async def test_what_is_out_of_shape_does_not_vanish(odd: object) -> None:
    broken, good = await samples(odd, notification({"value": 1}))
    assert broken == Sample(DEVICE, "", None, odd)
    assert isinstance(good, Sample) and (good.channel, good.value) == ("t", 1)


@pytest.mark.parametrize(
    ("said", "instant"),
    [
        ("2026-03-04T05:06:07.089", INSTANT),
        ("2026-03-04T05:06:07.089Z", INSTANT),
        ("2026-03-04T05:06:07.089z", INSTANT),
        ("2026-03-04T05:06:07.089000", INSTANT),
        ("2026-03-04T07:06:07.089+02:00", INSTANT),
        ("2026-03-04T05:06:07", INSTANT.replace(microsecond=0)),
        ("2026-03-04T05:06:07Z", INSTANT.replace(microsecond=0)),
        ("1970-01-01T00:00:00.000", datetime(1970, 1, 1, tzinfo=UTC)),
        ("2099-01-01T00:00:00.001", datetime(2099, 1, 1, 0, 0, 0, 1000, tzinfo=UTC)),
    ],
)
async def test_an_instant_is_utc_with_or_without_a_zone(said: str, instant: datetime) -> None:
    [sample] = await samples(notification({"value": 1}, timestamp=said))
    assert isinstance(sample, Sample)
    assert (sample.instant, sample.stated_instant) == (instant, None)


async def test_an_instant_is_not_of_this_machines_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    try:
        [sample] = await samples(notification({"value": 1}))
        assert isinstance(sample, Sample) and sample.instant == INSTANT
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    "said",
    [
        *(None, "", "now", 1772600767089, True, [], "2026-03-04", "2026-03-04 05:06:07"),
        *("2026-13-04T05:06:07", "20260304T050607", "0001-01-01T00:00:00+14:00"),
    ],
)
async def test_an_unreadable_instant_is_kept_as_it_was_said(said: object) -> None:
    [sample] = await samples(notification({"value": 1}, timestamp=said))
    assert isinstance(sample, Sample)
    assert (sample.instant, sample.stated_instant) == (None, said)


@pytest.mark.parametrize(
    ("said", "reading_id"),
    [(7, "0000000007"), (2**31 - 1, "2147483647"), (0, "0000000000"), (None, ""), ("x", "")],
)
async def test_ids_are_told_so_that_their_texts_are_in_order(said: object, reading_id: str) -> None:
    [sample] = await samples(notification({"value": 1}, id=said))
    assert isinstance(sample, Sample) and sample.reading_id == reading_id


@pytest.mark.parametrize("told", [None, {}, "x", 7, {"error": 500, "message": ""}])
async def test_an_answer_of_another_shape_does_not_pass_for_silence(told: Told) -> None:
    with pytest.raises(Malformed):
        [each async for each in Adapter(OPTIONS).readings(ToldApi({PATH: told}), FEED, WINDOW)]


@pytest.mark.parametrize("trouble", [Forbidden("", 403), Forbidden("", 404), ServerFailed("")])
async def test_what_befalls_one_device_is_told_of_it_alone(trouble: Exception) -> None:
    api = ToldApi({PATH: trouble, "/device/other/notification": []})
    with pytest.raises(type(trouble)):
        [each async for each in Adapter(OPTIONS).readings(api, FEED, WINDOW)]
    other = Feed("readings", "other", ("other",))
    assert [each async for each in Adapter(OPTIONS).readings(api, other, WINDOW)] == []
