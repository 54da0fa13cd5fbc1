"""Coiote: which resources of a device are read, and what is stated of them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs
from told import Told, ToldApi
from told_coiote import DEFINITIONS, DETAILS, ROOT, adapter

from harvester.channels import described
from harvester.errors import Forbidden, RequestRefused
from harvester.model import Channel, Credentials, Discovered, Feed, Sample, Window
from harvester.platforms.coiote import Adapter

CACHED = f"{ROOT}cachedDataModels/"
OWN = Credentials(None)
TASKS = Discovered(None, (Feed("task_reports", "task reports of (client)"),))


def listed(*devices: tuple[str, str]) -> dict[str, Told]:
    """Devices by their ids, each with the objects that it registers."""
    rows = [
        {"id": name, "domain": "/a/", "properties": {"registeredObjects": objects}}
        for name, objects in devices
    ]
    return {DETAILS: {"devices": rows}}


def definition(number: int, name: str, *resources: dict[str, Any]) -> dict[str, Any]:
    return {"id": number, "name": name, "resourceDefinitions": list(resources)}


def resource(number: int, name: str, **more: object) -> dict[str, Any]:
    return {"id": number, "name": name, "operations": ["Read"], "type": "Float", **more}


TEMPERATURE = definition(
    3303, "Temperature", resource(5700, "Sensor Value"), resource(5701, "Sensor Units")
)


def cached(*names: str) -> str:
    query = "&".join(f"parameters={name.replace(' ', '%20')}" for name in names)
    return f"{CACHED}a?{query}"


def latest(name: str, value: object = "x") -> dict[str, object]:
    return {"name": name, "value": value, "updateTime": "2026-03-04T05:20:00.250Z"}


async def found(api: ToldApi, it: Adapter) -> list[Discovered]:
    return [each async for each in it.discover(api, OWN)]


async def keys(answers: dict[str, Told], **options: object) -> list[str]:
    told = await found(ToldApi(answers), adapter(**options))
    return [feed.key for each in told for feed in each.feeds if feed.stream == "readings"]


def channels(told: list[Discovered]) -> tuple[Channel, ...]:
    assert told[0].device
    return told[0].device.channels


async def test_sensors_are_found_by_the_objects_that_a_device_registers() -> None:
    objects = "/0/0,/1/0,/3,/3/0,/4/0,/5/0,/6/0,/3303/0,/3303/1,/3313/0,/3332/0,/26241/0"
    told = await found(ToldApi(listed(("a", objects))), adapter())
    assert told[1:] == [TASKS]
    feeds = {feed.key.removeprefix("a ") for feed in told[0].feeds}
    locations = {f"/6/0/{number}" for number in (0, 1, 2, 3, 6)}
    accelerations = {f"/3313/0/{number}" for number in (5702, 5703, 5704)}
    others = {"/3303/0/5700", "/3303/1/5700", "/3332/0/5705", "latest:3/0/9,4/0/2"}
    assert feeds == locations | accelerations | others
    assert {feed.devices for feed in told[0].feeds} == {("a",)}


async def test_a_history_has_a_place_and_the_latest_values_have_none() -> None:
    told = await found(ToldApi(listed(("a", "/3/0,/3303/0"))), adapter())
    assert told[0].feeds == (
        Feed("readings", "a /3303/0/5700", ("a",), place="/a/"),
        Feed("readings", "a latest:3/0/9", ("a",)),
    )


async def test_an_id_may_hold_blanks() -> None:
    assert await keys(listed(("a b latest:", "/3303/0"))) == ["a b latest: /3303/0/5700"]


async def test_definitions_say_which_resources_there_are() -> None:
    push = definition(3347, "Push button", resource(5500, "Digital Input State"))
    answers = listed(("a", "/3347/0,/3303/0"), ("b", "/3347/0"))
    answers[f"{DEFINITIONS}a"] = [push]
    told = ["a /3303/0/5700", "a /3347/0/5500", "b /3347/0/5500"]
    assert await keys(answers) == told
    assert await keys(listed(("a", "/3347/0"))) == ["a /3347/0/5500", "a /3347/0/5501"]


async def test_devices_of_one_kind_are_defined_once() -> None:
    api = ToldApi(
        listed(*((name, "/3303/0") for name in "abc")) | {f"{DEFINITIONS}a": [TEMPERATURE]}
    )
    await found(api, adapter())
    assert [path for path, _ in api.asked if path.startswith(DEFINITIONS)] == [f"{DEFINITIONS}a"]


async def test_objects_of_a_tenants_own_are_read_as_they_are_defined() -> None:
    texts = definition(
        26241,
        "Status Text",
        resource(1, "Text", type="String"),
        resource(2, "Key", type="Opaque"),
        resource(3, "Reset", operations=["Execute"]),
        resource(4, "Level", units="cm"),
    )
    answers = listed(("a", "/26241/0,/26241/1")) | {f"{DEFINITIONS}a": [texts]}
    told = ["/26241/0/1", "/26241/0/4", "/26241/1/1", "/26241/1/4"]
    assert await keys(answers, objects=[26241]) == [f"a {path}" for path in told]
    assert await keys(answers) == []


async def test_objects_that_nobody_defines_are_told() -> None:
    refusals: list[Told] = [Forbidden("x"), RequestRefused("x", 400), [], {"error": "x"}]
    for answer in refusals:
        with capture_logs() as logs:
            answers = listed(("a", "/26241/0,/3303/0")) | {f"{DEFINITIONS}a": answer}
            assert await keys(answers, objects=[26241]) == ["a /3303/0/5700"]
        assert [(log["reason"], log["objects"]) for log in logs] == [("undefined", [26241])]


async def test_what_a_sensor_states_of_itself_is_read_once() -> None:
    subtree = cached("Temperature.0.")
    told = [latest("Temperature.0.Sensor Units", "Celsius degrees")]
    told += [latest("Temperature.0.Application Type", "Kiln\n"), latest("Temperature.1.Other")]
    api = ToldApi(listed(("a", "/3303/0")) | {subtree: told})
    it = adapter()
    for _ in range(2):
        assert channels(await found(api, it)) == (
            Channel("3303/0/5700", "Kiln", "3303/5700", "Celsius degrees"),
        )
    assert [path for path, _ in api.asked].count(subtree) == 1


async def test_a_sensor_without_a_word_of_its_own_has_the_definitions_unit() -> None:
    power = definition(3305, "Power Measurement", resource(5800, "Active Power", units="W"))
    answers = listed(("a", "/3305/0")) | {f"{DEFINITIONS}a": [power]}
    told = await found(ToldApi(answers), adapter())
    assert channels(told) == (Channel("3305/0/5800", None, "3305/5800", "W"),)


async def test_an_installations_own_names_are_learned() -> None:
    own = json.loads(json.dumps(TEMPERATURE).replace("Temperature", "Teplota. v2"))
    answers = listed(("a", "/3303/0")) | {f"{DEFINITIONS}a": [own]}
    answers[cached("Teplota. v2.0.")] = [latest("Teplota. v2.0.Sensor Units", "K")]
    assert channels(await found(ToldApi(answers), adapter()))[0].unit == "K"


@pytest.mark.parametrize("odd", [None, "", 7])
async def test_a_definition_that_names_nothing_leaves_what_the_registry_has(odd: object) -> None:
    rows = [row | {"units": odd} for row in TEMPERATURE["resourceDefinitions"]]
    unnamed = TEMPERATURE | {"name": odd, "resourceDefinitions": rows}
    answers = listed(("a", "/3303/0")) | {f"{DEFINITIONS}a": [unnamed]}
    assert channels(await found(ToldApi(answers), adapter()))[0].unit is None
    answers[cached("Temperature.0.")] = [latest("Temperature.0.Sensor Units", "K")]
    assert channels(await found(ToldApi(answers), adapter()))[0].unit == "K"


async def test_numbers_may_stand_in_the_place_of_names() -> None:
    answers = listed(("a", "/3303/0")) | {cached("Temperature.0."): []}
    answers[cached("3303.0.")] = [latest("3303.0.5701", "K"), latest("3303.0.5700", "290.1")]
    assert channels(await found(ToldApi(answers), adapter()))[0].unit == "K"


async def test_the_keys_in_a_data_model_are_never_asked_for() -> None:
    api = ToldApi(listed(("a", "/0/0,/1/0,/3303/0"), ("b", "/0/0,/1/0")))
    await found(api, adapter())
    models = [path for path, _ in api.asked if path.startswith(CACHED)]
    assert models and all("?parameters=" in path for path in models)


async def test_what_is_read_by_its_latest_value_is_a_setting() -> None:
    told = await keys(listed(("a", "/3/0,/3303/0,/3304/0")), latest=["3303/0/5700", "3/0/9"])
    assert told == ["a /3304/0/5700", "a latest:3303/0/5700,3/0/9"]


async def test_no_feed_of_latest_values_has_a_name_too_long_to_be_kept() -> None:
    paths = [f"3303/0/{number}" for number in range(6000, 6040)]
    told = await found(ToldApi(listed(("a" * 150, "/3303/0"))), adapter(latest=paths))
    kept = described(told[0])
    assert kept and kept.feeds == told[0].feeds
    named = [feed.key.rpartition("latest:")[2].split(",") for feed in kept.feeds[1:]]
    assert [path for each in named for path in each] == paths and len(named) == 14


async def test_quality_and_time_of_a_measurement_are_series_where_they_are_wanted() -> None:
    wanted = ["3303/0/6042", "3303/0/5518"]
    api, it = ToldApi(listed(("a", "/3303/0"))), adapter(latest=wanted)
    told = await found(api, it)
    assert [each.name for each in channels(told)] == ["3303/0/5700", *wanted]
    names = ("Temperature.0.Measurement Quality Indicator", "Temperature.0.Timestamp")
    api.answers = {**api.answers, cached(*names): [latest(names[0], "4"), latest(names[1], "1")]}
    now = datetime(2026, 3, 4, 6, tzinfo=UTC)
    it.begin("readings", now)
    said = it.readings(api, told[0].feeds[-1], Window(now - timedelta(hours=1), now))
    values = [each.value async for some in said for each in some if isinstance(each, Sample)]
    assert values == ["4", "1"]
