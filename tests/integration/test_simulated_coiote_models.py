"""The fake Coiote's data models: latest values under names of people, and what they are."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from simulated_coiote import MILLISECOND, NOW, Play, playing

from harvester.simulator.coiote_objects import OBJECTS
from harvester.simulator.coiote_quirks import Switches
from harvester.simulator.coiote_shapes import stamp
from harvester.simulator.uplinks import QUIET
from harvester.simulator.world import millis

BATTERY, VALUE = "Device.0.Battery Level", "Temperature.0.Sensor Value"
SLOW = {"3/0/9", "4/0/2"}


async def cached(play: Play, model: str, *parameters: str) -> dict[str, Any]:
    """What a device said last, by name."""
    asked = {"parameters": ",".join(parameters)} if parameters else {}
    path = f"cachedDataModels/{play.device(model).id}"
    rows = await play.told(await play.owner(model), path, **asked)
    return {row["name"]: row for row in rows}


async def test_a_latest_value_is_that_of_the_history_with_its_own_instant() -> None:
    async with playing(habits=QUIET) as play:
        device = play.device("Cold room")
        since = NOW - timedelta(hours=6)
        history = await play.history(await play.token(), device.id, "3303/0/5700", since)
        told = await cached(play, "Cold room")
        assert (told[VALUE]["updateTime"], told[VALUE]["value"]) == history[-1]
        assert told[VALUE].keys() == {"name", "value", "updateTime", "type"}
        assert told["Temperature.0.Sensor Units"]["value"] == "Celsius degrees"
        assert told["Temperature.0.Measurement Quality Indicator"]["value"] == "4"
        measured = datetime.fromtimestamp(int(told["Temperature.0.Timestamp"]["value"]), NOW.tzinfo)
        assert NOW - timedelta(hours=1) < measured < NOW
        assert {"Device.0.Battery Level", "Generic Sensor.0.Sensor Value"} <= told.keys()


async def test_what_was_never_said_has_no_value() -> None:
    async with playing() as play:
        assert (await cached(play, "Freezer", BATTERY))[BATTERY]["value"] is None
    async with playing(Switches(nulls="absent")) as play:
        assert "value" not in (await cached(play, "Freezer", BATTERY))[BATTERY]


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        ((VALUE,), {VALUE}),
        ((VALUE, BATTERY), {VALUE, BATTERY}),
        (("Temperature.0.Sensor ",), set()),
        (("Connectivity Monitoring.",), 2),
        (("Temperature.",), 10),
        (("Temperature.1.",), 5),
        (("3303.1.5700",), {"Temperature.1.Sensor Value"}),
        (("/3303/1/5700",), {"Temperature.1.Sensor Value"}),
        (("/3303",), 10),
        (("/3",), 3),
    ],
)
async def test_parameters_are_names_or_beginnings_or_paths(
    parameters: tuple[str, ...], names: set[str] | int
) -> None:
    async with playing() as play:
        told = (await cached(play, "Freezer", *parameters)).keys()
        assert (told if isinstance(names, set) else len(told)) == names


async def test_parameters_may_be_repeated_instead_of_joined() -> None:
    async with playing() as play:
        path = f"cachedDataModels/{play.device('Freezer').id}?parameters=/3/0/9&parameters=/4/0/2"
        rows = await play.told(await play.owner("Freezer"), path)
        assert [row["name"] for row in rows] == [
            BATTERY,
            "Connectivity Monitoring.0.Radio Signal Strength",
        ]


async def test_names_may_be_a_tenants_own_or_numbers_everywhere() -> None:
    async with playing(Switches(names="own")) as play:
        told = await cached(play, "Freezer", "Plant temperature.1.")
        assert "Plant temperature.1.Plant sensor value" in told
        path = f"instantiatedResources/dataModelDefinition/{play.device('Freezer').id}"
        objects = await play.told(await play.owner("Freezer"), path)
        assert {each["id"]: each["name"] for each in objects}[3303] == "Plant temperature"
    async with playing(Switches(names="numbers")) as play:
        assert (await cached(play, "Freezer", "3303.1.")).keys() >= {"3303.1.5700", "3303.1.5701"}


async def test_definitions_are_those_of_the_objects_that_are_registered() -> None:
    async with playing() as play:
        path = f"instantiatedResources/dataModelDefinition/{play.device('Water meter').id}"
        access = await play.owner("Water meter")
        objects = await play.told(access, path)
        assert [each["id"] for each in objects] == [3, 4, 3202, 3300, 26241]
        (text,) = objects[-1]["resourceDefinitions"]
        assert (text["id"], text["type"], text["operations"]) == (1, "String", ["Read"])
        (one,) = await play.told(access, path, parameters="Analog Input")
        assert one["resourceDefinitions"][0]["type"] == "Float"
        for each in objects:
            resources = {it["id"]: it["name"] for it in each["resourceDefinitions"]}
            assert resources == {it.id: it.name for it in OBJECTS[each["id"]].resources}


@pytest.mark.parametrize(("spelled", "path"), [("names", VALUE), ("numbers", "/3303/0/5700")])
async def test_resources_come_with_type_and_unit(spelled: Any, path: str) -> None:
    async with playing(Switches(resource_paths=spelled)) as play:
        url = f"instantiatedResources/resourcesData/{play.device('Freezer').id}"
        rows = await play.told(await play.owner("Freezer"), url)
        by_path = {row["path"]: row for row in rows}
        told = by_path[path]
        assert (told["resourceId"], told["type"]) == (5700, "Float")
        assert float(told["value"]["Single"]["value"]) < 0
        assert {row["units"] for row in rows} == {"", "dBm"}, "the battery was never read"


async def test_what_a_slow_resource_said_is_true_if_somebody_asked_while_it_did() -> None:
    async with playing(habits=QUIET) as play:
        device = play.device("Cold room")

        def slow() -> set[tuple[str, datetime]]:
            facts = play.fake.truth("acme")
            return {
                (each[1], each[2]) for each in facts if each[0] == device.id and each[1] in SLOW
            }

        first = slow()
        assert {path for path, _ in first} == SLOW and len(first) == 2
        told = await cached(play, "Cold room", "Device.", "Connectivity Monitoring.")
        assert stamp(millis(next(iter(first))[1])) == told[BATTERY]["updateTime"]
        play.clock.advance(timedelta(hours=3))
        second = slow() - first
        assert len(second) == 2 and first < slow()
        play.clock.advance(timedelta(hours=3))
        assert slow() & second == set(), "nobody asked"
        await cached(play, "Cold room", VALUE)
        play.clock.advance(timedelta(hours=3))
        assert len(slow()) == 4, "nor for these"


async def test_a_latest_value_follows_a_correction_and_never_goes_back() -> None:
    async with playing(history=timedelta(days=2)) as play:
        before = ""
        for _ in range(12):
            told = (await cached(play, "Office air", VALUE))[VALUE]
            assert before <= told["updateTime"] <= stamp(millis(play.clock.now() + MILLISECOND))
            before = told["updateTime"]
            play.clock.advance(timedelta(minutes=35))
