"""Every sensor of the world has a place of its own among a fake Coiote's objects."""

import pytest

from harvester.simulator.coiote_objects import OBJECTS, measured, registered
from harvester.simulator.things import GATEWAY, OFFICE_AIR, REPORTING, Model, Sensor


@pytest.mark.parametrize("model", REPORTING, ids=lambda model: model.name)
def test_each_sensor_is_a_resource_that_its_thing_registers(model: Model) -> None:
    places = measured(model)
    assert [each.sensor for each in places] == list(model.sensors)
    assert len({each.path for each in places}) == len(places)
    assert {(each.object, each.instance) for each in places} <= set(registered(model))
    for each in places:
        assert OBJECTS[each.object].resources[0].id == each.resource


def test_two_sensors_of_one_kind_are_instances_of_one_object() -> None:
    freezer = next(model for model in REPORTING if model.name == "Freezer")
    told = {each.sensor.name: (each.path, each.unit) for each in measured(freezer)}
    assert told["Temperature"] == ("3303/0/5700", "Celsius degrees")
    assert told["Probe"] == ("3303/1/5700", "Celsius degrees")
    assert told["RSSI"] == ("4/0/2", None)


def test_what_was_recorded_is_told_by_generic_sensors() -> None:
    sensors = (Sensor("a", "a", None, None), Sensor("b", "b", None, None))
    paths = [each.path for each in measured(Model("Recorded", sensors))]
    assert paths == ["3300/0/5700", "3300/1/5700"]


def test_some_objects_are_registered_and_measure_nothing() -> None:
    assert registered(GATEWAY) == [(3, 0), (4, 0)]
    assert (3347, 0) in registered(OFFICE_AIR)
