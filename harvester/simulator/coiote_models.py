"""Data models of the fake Coiote's devices: what each resource said last, and what it is."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from harvester.simulator.coiote_asked import Json
from harvester.simulator.coiote_auth import Token
from harvester.simulator.coiote_objects import (
    APPLICATION,
    CORE,
    OBJECTS,
    QUALITY,
    SILENT,
    TIMESTAMP,
    UNITS,
    Definition,
    Lwm2mObject,
    Measured,
    measured,
    registered,
)
from harvester.simulator.coiote_points import Point, Points
from harvester.simulator.coiote_quirks import Switches
from harvester.simulator.coiote_shapes import stamp
from harvester.simulator.coiote_site import AFTER_ALL, Device, Site
from harvester.simulator.world import World, instant, millis

ACCEPTED = "4"
"""The quality of a measurement that was checked."""

Key = tuple[str, str, datetime]  # device, channel, instant
Asked = tuple[str, str, int]  # device, resource, and the ms at which somebody asked for it


@dataclass(frozen=True, slots=True)
class Entry:
    """A resource of a device, and what it said last, at `ms`; `text` is None where it is unread."""

    object: Lwm2mObject
    instance: int
    definition: Definition
    text: str | None
    ms: int

    @property
    def number(self) -> str:
        return f"{self.object.id}.{self.instance}.{self.definition.id}"


class Models:
    """What answers questions for the latest values, and for definitions.

    A slow value has no history: whoever would have it must ask while it is the latest. So of those
    that came in, those are true that were the latest when somebody asked.
    """

    def __init__(self, world: World, switches: Switches, site: Site, points: Points) -> None:
        self._world = world
        self._switches = switches
        self._site = site
        self._points = points
        self._asked: dict[Asked, Point | None] = {}
        """With what had come in last of it; what is not made out yet is None."""

    def cached(self, token: Token, identifier: str, parameters: Sequence[str]) -> list[Json]:
        """What a device said last, without a word to the device."""
        device = self._site.device(token, identifier)
        entries = list(self._wanted(device, parameters))
        self._note(device, {each.number.replace(".", "/") for each in entries})
        return [self._cached(each) for each in entries]

    def definitions(self, token: Token, identifier: str, parameters: Sequence[str]) -> list[Json]:
        """The objects that a device has, each with its resources."""
        device = self._site.device(token, identifier)
        numbers = sorted({number for number, _ in registered(device.thing.model)})
        objects = [OBJECTS[number] for number in numbers]
        if parameters:
            objects = [each for each in objects if self._is_named(each, parameters)]
        return [self._definition(each) for each in objects]

    def resources(self, token: Token, identifier: str, parameters: Sequence[str]) -> list[Json]:
        """What a device said last, with the definitions of its resources."""
        device = self._site.device(token, identifier)
        entries = list(self._wanted(device, parameters))
        self._note(device, {each.number.replace(".", "/") for each in entries})
        return [self._resource(each) for each in entries if each.text is not None]

    def truth(self, tenant: str) -> dict[Key, float | str]:
        """Of slow resources, what had come in last whenever anybody asked, and what has by now."""
        devices = {each.id: each for each in self._site.of(tenant)}
        asked = [key for key in self._asked if key[0] in devices]
        found = [(key[:2], self._came(devices[key[0]], key)) for key in asked]
        now_ms = millis(self._world.clock.now())
        for device in devices.values():
            for it in measured(device.thing.model):
                if it.is_slow and device.left_ms == AFTER_ALL:
                    point = self._points.latest(device.thing, it, now_ms)
                    found.append(((device.id, it.path), point))
        return {(*of, instant(point.ms)): point.worth for of, point in found if point}

    def _note(self, device: Device, paths: Collection[str]) -> None:
        """Somebody asks for these resources."""
        now_ms = millis(self._world.clock.now())
        for it in measured(device.thing.model):
            if it.is_slow and it.path in paths:
                self._asked.setdefault((device.id, it.path, now_ms), None)

    def _came(self, device: Device, asked: Asked) -> Point | None:
        _, path, ms = asked
        if self._asked[asked] is None and (it := device.measured(path)):
            self._asked[asked] = self._points.latest(device.thing, it, ms)
        return self._asked[asked]

    def _wanted(self, device: Device, parameters: Sequence[str]) -> Iterator[Entry]:
        for each in self._entries(device):
            if not parameters or any(self._meets(each, wanted) for wanted in parameters):
                yield each

    def _meets(self, it: Entry, wanted: str) -> bool:
        """A parameter is a name, the beginning of one with a dot at its end, or a path."""
        if wanted.startswith("/"):
            path = wanted.strip("/").replace("/", ".")
            return f"{it.number}.".startswith(f"{path}.")
        spelled = (self._name(it), it.number)
        return wanted in spelled or (
            wanted.endswith(".") and any(each.startswith(wanted) for each in spelled)
        )

    def _is_named(self, it: Lwm2mObject, parameters: Sequence[str]) -> bool:
        names = {str(it.id), it.name, self._spelled(it.name)}
        return any(each.strip("/.") in names for each in parameters)

    def _entries(self, device: Device) -> Iterator[Entry]:
        now_ms = millis(self._world.clock.now())
        places = {(each.object, each.instance): each for each in measured(device.thing.model)}
        for number, instance in registered(device.thing.model):
            if number != SILENT:
                it = places.get((number, instance))
                point = self._points.latest(device.thing, it, now_ms) if it else None
                for definition in OBJECTS[number].resources:
                    yield self._entry(device, (number, instance), definition, it, point)

    def _entry(
        self,
        device: Device,
        place: tuple[int, int],
        definition: Definition,
        it: Measured | None,
        point: Point | None,
    ) -> Entry:
        number, instance = place
        is_value = it is not None and definition.id == it.resource
        text = point.text if is_value and point else None
        if not is_value:
            text = _beside(device, number, definition.id, it, point)
        ms = point.ms if point else millis(self._world.since)
        return Entry(OBJECTS[number], instance, definition, text, ms)

    def _cached(self, it: Entry) -> Json:
        told: Json = {"name": self._name(it)}
        if it.text is not None:
            told["value"] = it.text
        elif self._switches.nulls == "null":
            told["value"] = None
        return {**told, "updateTime": stamp(it.ms), "type": it.definition.type.lower()}

    def _definition(self, it: Lwm2mObject) -> Json:
        return {
            "id": it.id,
            "name": self._spelled(it.name),
            "objectVersion": it.version,
            "instanceType": "Single" if it.id in CORE else "Multiple",
            "mandatory": False,
            "resourceDefinitions": [self._resource_definition(each) for each in it.resources],
        }

    def _resource_definition(self, it: Definition) -> Json:
        return {
            "id": it.id,
            "name": self._spelled(it.name),
            "operations": ["Read"],
            "instanceType": "Single",
            "mandatory": it.mandatory,
            "type": it.type,
            "range": "",
            "units": it.units,
            "description": "",
        }

    def _resource(self, it: Entry) -> Json:
        numbers = f"/{it.number.replace('.', '/')}"
        return {
            "path": numbers if self._switches.resource_paths == "numbers" else self._name(it),
            "value": {"Single": {"value": it.text}},
            "resourceId": it.definition.id,
            "operations": ["Read"],
            "mandatory": it.definition.mandatory,
            "type": it.definition.type,
            "range": "",
            "units": it.definition.units,
            "description": "",
        }

    def _name(self, it: Entry) -> str:
        if self._switches.names == "numbers":
            return it.number
        return f"{self._spelled(it.object.name)}.{it.instance}.{self._spelled(it.definition.name)}"

    def _spelled(self, name: str) -> str:
        return f"Plant {name.lower()}" if self._switches.names == "own" else name


def _beside(
    device: Device, number: int, resource: int, it: Measured | None, point: Point | None
) -> str | None:
    """What a device says beside its values; None where it says nothing."""
    if number in CORE:
        said = {(3, 0): "Acme Sensors", (3, 1): device.thing.model.name, (4, 0): "7"}
        return said.get((number, resource))
    if resource == UNITS and it:
        return it.unit
    if resource == APPLICATION and it:
        return it.sensor.name
    if resource == QUALITY and point:
        return ACCEPTED
    if resource == TIMESTAMP and point:
        return str(point.ms // 1000)
    return None
