"""Data models of devices: what resources there are, how they are called, and what they said last.

A resource's latest value comes under a name such as "Temperature.0.Sensor Value", in which object
and resource are called as the installation calls them: its definitions tell.
"""

import re
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from harvester.errors import Forbidden, Malformed, RequestRefused
from harvester.model import Sample
from harvester.platforms.base import Api
from harvester.platforms.coiote import instants
from harvester.platforms.coiote.asking import Asking
from harvester.platforms.coiote.devices import Instance, Seen
from harvester.platforms.coiote.lwm2m import (
    APPLICATION_TYPE,
    OBJECT_NAMES,
    RESOURCE_NAMES,
    UNITS,
    Path,
    text_of,
)

DEFINITIONS = ("instantiatedResources", "dataModelDefinition")
AT_ONCE = 50
"""Names in one question: a URL has an end."""
NOT_TOLD = (Forbidden, Malformed, RequestRefused)
"""Readings are worth having without what stands beside them."""

_NAME = re.compile(r"(.+?)\.(\d{1,5})\.(.+)", re.ASCII | re.DOTALL)
_UNREADABLE = ("Opaque", "None", "Objlnk", "Corelnk")

Wanted = tuple[int, int, int | None]
"""A resource; without one, all that is in the instance of an object."""
Told = tuple[Path, dict[str, Any]]
"""A resource, and what is told of it."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of an object by its definition. `is_value`: it can be read, and is a scalar."""

    id: int
    is_value: bool
    unit: str | None


@dataclass(frozen=True, slots=True)
class Stated:
    """What a device says of one instance of an object: its unit, and what it is for."""

    unit: str | None = None
    label: str | None = None


class Models:
    """What was learned of one installation's objects, and of its devices' sensors."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._definitions: dict[tuple[int, str], tuple[Resource, ...]] = {}
        """By object and version. Empty where the installation has none."""
        self._names = dict(OBJECT_NAMES)
        self._resource_names = dict(RESOURCE_NAMES)
        self._numbers = {name: number for number, name in OBJECT_NAMES.items()}
        self._resources = {(key[0], name): key[1] for key, name in RESOURCE_NAMES.items()}
        self._by_number: bool | None = None
        """Whether numbers stand in the place of names; None until anything was told."""
        self._stated: dict[str, tuple[frozenset[Instance], dict[Instance, Stated]]] = {}

    def begin_anew(self, devices: Collection[str]) -> None:
        """Devices are listed once more: what was not defined may be by now. All others are
        forgotten."""
        self._definitions = {key: known for key, known in self._definitions.items() if known}
        self._stated = {name: said for name, said in self._stated.items() if name in devices}

    def defined(self, seen: Seen, number: int) -> tuple[Resource, ...]:
        """The resources of one of a device's objects; empty where nobody tells."""
        return self._definitions.get(_version(seen, number), ())

    async def learn(self, api: Api, seen: Seen, numbers: Iterable[int]) -> bool:
        """Have the definitions of a device's objects; whether the account may ask for them.

        Devices of one kind are asked once. Raises the errors of `Api` but NOT_TOLD.
        """
        unknown = {_version(seen, number) for number in numbers} - self._definitions.keys()
        if not unknown:
            return True
        try:
            told = _rows(await self._asking.get(api, *DEFINITIONS, seen.identifier))
        except NOT_TOLD as error:
            return not (isinstance(error, Forbidden) and error.status == 403)
        rows = {number: row for row in told if isinstance(number := row.get("id"), int)}
        for number, version in unknown:
            self._define(number, version, rows.get(number, {}))
        return True

    async def stated(
        self, api: Api, seen: Seen, instances: Sequence[Instance]
    ) -> dict[Instance, Stated]:
        """What a device says of its sensors: read once, or until it says anything.

        Raises the errors of `Api` but NOT_TOLD.
        """
        known, told = self._stated.get(seen.identifier, (frozenset[Instance](), {}))
        if known == frozenset(instances):
            return told
        told = {instance: Stated() for instance in instances}
        try:
            found = await self._told(api, seen, [(*each, None) for each in instances])
            for (number, instance, resource), row in found:
                if (number, instance) in told and isinstance(text := row.get("value"), str):
                    place = number, instance
                    told[place] = _with(told[place], resource, text.strip())
        except NOT_TOLD:
            return told
        if set(told.values()) != {Stated()}:
            self._stated[seen.identifier] = frozenset(instances), told
        return told

    def can_tell(self, path: Path) -> bool:
        """Whether the latest value of a resource is known by a name, or may be by its number."""
        return self._by_number is not False or self._name(path) is not None

    async def latest(self, api: Api, device: str, paths: Sequence[Path]) -> list[Sample]:
        """The last values of some resources. One that was never read has none.

        Raises Malformed, and the errors of `Api`.
        """
        found = await self._told(api, Seen(device), paths)
        read = [each for each in found if each[0] in paths and each[1].get("value") is not None]
        return [_sample(device, text_of(path), row) for path, row in read]

    async def _told(self, api: Api, seen: Seen, wanted: Sequence[Wanted]) -> list[Told]:
        """By the installation's names; where these are not known to be any, by numbers too."""
        names = [_number(each) if self._by_number else self._name(each) for each in wanted]
        told = [each async for each in self._rows_of(api, seen, [name for name in names if name])]
        if told and self._by_number is None:
            self._by_number = False
        if told or self._by_number is not None:
            return told
        with suppress(*NOT_TOLD):
            numbers = list(map(_number, wanted))
            told = [each async for each in self._rows_of(api, seen, numbers)]
            self._by_number = True if told else None
        return told

    async def _rows_of(self, api: Api, seen: Seen, names: Sequence[str]) -> AsyncIterator[Told]:
        """By object, instance and resource. Never all: the keys of a device are among them."""
        for first in range(0, len(names), AT_ONCE):
            some = tuple(names[first : first + AT_ONCE])
            answer = await self._asking.get(api, "cachedDataModels", seen.identifier, each=some)
            for row in _rows(answer):
                if place := self._place(row.get("name")):
                    yield place, row

    def _define(self, number: int, version: str, row: dict[str, Any]) -> None:
        said = row.get("resourceDefinitions")
        resources = _rows(said) if isinstance(said, list) else []
        self._definitions[number, version] = tuple(_resources(resources))
        if isinstance(name := row.get("name"), str) and name:
            self._names[number], self._numbers[name] = name, number
        for each in resources:
            key, name = each.get("id"), each.get("name")
            if isinstance(key, int) and isinstance(name, str) and name and not _is_list(each):
                self._resource_names[number, key] = name
                self._resources[number, name] = key

    def _name(self, wanted: Wanted) -> str | None:
        """None where nobody knows how it is called here."""
        number, instance, resource = wanted
        name = "" if resource is None else self._resource_names.get((number, resource))
        known = number in self._names and name is not None
        return f"{self._names[number]}.{instance}.{name}" if known else None

    def _place(self, name: object) -> Path | None:
        """Some installations have the numbers themselves in the place of names."""
        found = _NAME.fullmatch(name) if isinstance(name, str) else None
        if not found:
            return None
        number = int(found[1]) if found[1].isdecimal() else self._numbers.get(found[1], -1)
        last = found[3]
        resource = int(last) if last.isdecimal() else self._resources.get((number, last), -1)
        return (number, int(found[2]), resource) if number >= 0 <= resource else None


def _number(wanted: Wanted) -> str:
    number, instance, resource = wanted
    return f"{number}.{instance}.{'' if resource is None else resource}"


def _version(seen: Seen, number: int) -> tuple[int, str]:
    return number, dict(seen.versions).get(number, "")


def _is_list(row: dict[str, Any]) -> bool:
    """Whether a resource has several instances, each with a value of its own: none is read."""
    return row.get("instanceType") == "Multiple"


def _resources(rows: Iterable[dict[str, Any]]) -> Iterator[Resource]:
    for row in rows:
        number, units = row.get("id"), row.get("units")
        if isinstance(number, int):
            operations = row.get("operations")
            can_read = isinstance(operations, list) and "Read" in operations
            is_value = can_read and not _is_list(row) and row.get("type") not in _UNREADABLE
            yield Resource(number, is_value, units if isinstance(units, str) and units else None)


def _with(stated: Stated, resource: int, text: str) -> Stated:
    if resource == UNITS:
        return replace(stated, unit=text or None)
    return replace(stated, label=text or None) if resource == APPLICATION_TYPE else stated


def _rows(answer: object) -> list[dict[str, Any]]:
    if not isinstance(answer, list):
        raise Malformed("the data model of a device is no list")
    return [row for row in answer if isinstance(row, dict)]


def _sample(device: str, path: str, row: dict[str, Any]) -> Sample:
    told_at = row.get("updateTime")
    at = instants.read(told_at)
    return Sample(device, path, at, row.get("value"), "", told_at if at is None else None)
