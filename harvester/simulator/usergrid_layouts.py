"""Where a tenant of the fake Usergrid keeps readings, and what readings are in an entity there.

Usergrid knows of none: each tenant has a design of its own. This one has several at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from harvester.simulator.uplinks import number
from harvester.simulator.usergrid_entities import Entity, Version
from harvester.simulator.world import instant

Key = tuple[str, str, datetime]  # device, channel, instant

RESERVED = frozenset({"uuid", "type", "name", "created", "modified", "metadata"})
"""No readings, whatever an entity says there."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A collection of entities with readings, and the path at which they are asked for.

    `time` is the property of a reading's instant, `device` that of who sends: where there is none,
    it is whoever the entity is connected with. With `channel` there is one reading, of `value`.
    """

    path: str
    collection: str
    time: str
    unit: Literal["ms", "s", "iso"]
    device: str | None = None
    exclude: tuple[str, ...] = ()
    channel: str | None = None
    value: str = "value"

    def options(self) -> dict[str, object]:
        """As a tenant's configuration says it."""
        told: dict[str, object] = {"path": self.path, "time": self.time, "time_unit": self.unit}
        told |= {"device": self.device} if self.device else {}
        told |= {"exclude": list(self.exclude)} if self.exclude else {}
        return told | ({"channel": self.channel, "value": self.value} if self.channel else {})


READINGS = Layout("readings", "readings", "ts", "ms", device="device", exclude=("seq",))
SAMPLES = Layout("devices/{device}/sends/samples", "samples", "at", "iso")
METERS = Layout("meters", "meters", "read_at", "s", "meter.id", channel="volume", value="value.m3")
LAYOUTS = (READINGS, SAMPLES, METERS)


def readings(layout: Layout, entity: Entity, version: Version) -> Iterator[tuple[Key, float | str]]:
    """The readings in a version of an entity, where it says of whom and of when they are."""
    told = dict(_leaves("", version.properties))
    at = _instant(told.pop(layout.time, None), layout.unit)
    named = told.pop(layout.device, None) if layout.device else None
    devices = [named] if isinstance(named, str) else entity.sources
    if at is None:
        return
    for device in devices:
        for channel, value in _channels(layout, told):
            kept = number(value)
            yield (device, channel, at), str(value) if kept is None else kept


def _channels(
    layout: Layout, told: dict[str, bool | float | str]
) -> Iterator[tuple[str, bool | float | str]]:
    if layout.channel:
        yield from ((layout.channel, told[name]) for name in told if name == layout.value)
    else:
        beside = RESERVED.union(layout.exclude)
        yield from ((name, told[name]) for name in told if name not in beside)


def _instant(told: object, unit: str) -> datetime | None:
    if unit == "iso":
        at = datetime.fromisoformat(told) if isinstance(told, str) else None
        return at if at and at.tzinfo else None
    if isinstance(told, bool) or not isinstance(told, int):
        return None
    return instant(told if unit == "ms" else 1000 * told)


def _leaves(name: str, value: object) -> Iterator[tuple[str, bool | float | str]]:
    """Scalars by dotted names; what is in a list is no reading."""
    if isinstance(value, dict):
        for part, inner in value.items():
            if name or part not in RESERVED:
                yield from _leaves(f"{name}.{part}" if name else part, inner)
    elif isinstance(value, bool | int | float | str):
        yield name, value
