"""LwM2M objects as the fake Coiote's devices have them, and where a thing's sensors stand in them.

Numbers, names and types of objects and resources are those of OMA's registry, save for one object
of a vendor's own, which is for texts. A resource's path is "object/instance/resource".
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from harvester.simulator import things as models
from harvester.simulator.things import Model, Sensor

Kind = Literal["Boolean", "Float", "Integer", "String", "Time"]


@dataclass(frozen=True, slots=True)
class Definition:
    """A resource of an object. `units` is empty where the registry states none."""

    id: int
    name: str
    type: Kind
    units: str = ""
    mandatory: bool = False


@dataclass(frozen=True, slots=True)
class Lwm2mObject:
    """An object; the first of its resources is what it measures."""

    id: int
    name: str
    resources: tuple[Definition, ...]
    version: str = "1.1"

    def resource(self, number: int) -> Definition:
        return next(each for each in self.resources if each.id == number)


@dataclass(frozen=True, slots=True)
class Measured:
    """Where a sensor's values stand. `unit` is what the device says of them in resource 5701."""

    sensor: Sensor
    object: int
    instance: int
    resource: int
    unit: str | None

    @property
    def path(self) -> str:
        return f"{self.object}/{self.instance}/{self.resource}"

    @property
    def type(self) -> Kind:
        return OBJECTS[self.object].resource(self.resource).type

    @property
    def is_slow(self) -> bool:
        """Whether the platform keeps its latest value alone, as it does of what is not tracked."""
        return self.object in CORE


UNITS, TIMESTAMP, APPLICATION, QUALITY = 5701, 5518, 5750, 6042
_BESIDE = (
    Definition(UNITS, "Sensor Units", "String"),
    Definition(APPLICATION, "Application Type", "String"),
    Definition(TIMESTAMP, "Timestamp", "Time"),
    Definition(QUALITY, "Measurement Quality Indicator", "Integer"),
)


def _sensor(number: int, name: str) -> Lwm2mObject:
    value = Definition(5700, "Sensor Value", "Float", mandatory=True)
    return Lwm2mObject(number, name, (value, *_BESIDE))


def _switch(number: int, name: str, resource: str) -> Lwm2mObject:
    value = Definition(5500, resource, "Boolean", mandatory=True)
    return Lwm2mObject(number, name, (value, Definition(APPLICATION, "Application Type", "String")))


DEVICE, CONNECTIVITY, TEXTS = 3, 4, 26241
SILENT = 3347
"""Registered by a thing that has no resource of it."""
CORE = (DEVICE, CONNECTIVITY)
GENERIC = (3300, 5700)

OBJECTS: Mapping[int, Lwm2mObject] = {
    each.id: each
    for each in (
        Lwm2mObject(
            DEVICE,
            "Device",
            (
                Definition(9, "Battery Level", "Integer", "/100"),
                Definition(0, "Manufacturer", "String"),
                Definition(1, "Model Number", "String"),
            ),
        ),
        Lwm2mObject(
            CONNECTIVITY,
            "Connectivity Monitoring",
            (
                Definition(2, "Radio Signal Strength", "Integer", "dBm", mandatory=True),
                Definition(0, "Network Bearer", "Integer", mandatory=True),
            ),
        ),
        _switch(3200, "Digital Input", "Digital Input State"),
        Lwm2mObject(
            3202,
            "Analog Input",
            (
                Definition(5600, "Analog Input Current Value", "Float", mandatory=True),
                Definition(APPLICATION, "Application Type", "String"),
            ),
        ),
        _sensor(3300, "Generic Sensor"),
        _sensor(3301, "Illuminance"),
        _sensor(3303, "Temperature"),
        _sensor(3304, "Humidity"),
        _sensor(3315, "Barometer"),
        _sensor(3316, "Voltage"),
        _sensor(3317, "Current"),
        _sensor(3320, "Percentage"),
        _sensor(3325, "Concentration"),
        _switch(3342, "On/Off switch", "Digital Input State"),
        _switch(SILENT, "Push button", "Digital Input State"),
        Lwm2mObject(TEXTS, "Status Text", (Definition(1, "Text", "String"),), version="1.0"),
    )
}

_PLACES: Mapping[str | None, tuple[int, int]] = {
    "temp": (3303, 5700),
    "rel_hum": (3304, 5700),
    "batt": (DEVICE, 9),
    "rssi": (CONNECTIVITY, 2),
    "voltage": (3316, 5700),
    "current": (3317, 5700),
    "cpu": (3320, 5700),
    "co2": (3325, 5700),
    "lum": (3301, 5700),
    "bp": (3315, 5700),
    "analog_sensor": (3202, 5600),
    "digital_sensor": (3200, 5500),
    "firmware": (TEXTS, 1),
}
"""Object and resource, by what the things of the world call the type of a sensor."""
_OF_THEIR_OWN: Mapping[str, tuple[int, int]] = {"Running": (3342, 5500), "Status": (TEXTS, 1)}
"""The same by a sensor's name, which goes before its type."""
_SPELLINGS = {
    "a": "A",
    "c": "Celsius degrees",
    "db": "dB",
    "hpa": "hPa",
    "mv": "mV",
    "p": "%",
    "pa": "Pa",
}
"""As devices spell units in resource 5701, where the world spells them otherwise."""


@cache
def measured(model: Model) -> tuple[Measured, ...]:
    """Where the sensors of such a thing stand, in their order."""
    return tuple(_measured(model))


def _measured(model: Model) -> Iterator[Measured]:
    instances: dict[int, int] = {}
    for sensor in model.sensors:
        number, resource = _place(sensor)
        instance = instances.get(number, 0)
        instances[number] = instance + 1
        has_unit = any(each.id == UNITS for each in OBJECTS[number].resources)
        unit = _SPELLINGS.get(sensor.unit or "", sensor.unit) if has_unit else None
        yield Measured(sensor, number, instance, resource, unit)


def _place(sensor: Sensor) -> tuple[int, int]:
    """Whatever the world has no type for, as of what was recorded, is a generic sensor's."""
    return _OF_THEIR_OWN.get(sensor.name) or _PLACES.get(sensor.type) or GENERIC


def registered(model: Model) -> list[tuple[int, int]]:
    """Objects and instances that such a thing registers, in the order of their numbers."""
    held = {(each.object, each.instance) for each in measured(model)}
    held |= {(number, 0) for number in CORE}
    if model is models.OFFICE_AIR:
        held.add((SILENT, 0))
    return sorted(held)
