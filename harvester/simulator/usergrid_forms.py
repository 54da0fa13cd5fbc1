"""What the things of the world write into Usergrid: each kind after a design of its own."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from random import Random

from harvester.simulator import things as models
from harvester.simulator.tenants import Thing
from harvester.simulator.things import Value
from harvester.simulator.uplinks import NUMERIC, Values
from harvester.simulator.usergrid_layouts import METERS, READINGS, SAMPLES, Layout
from harvester.simulator.world import instant


@dataclass(frozen=True, slots=True)
class Row:
    """An entity to be written, and where. A sample is connected with the device that sends it."""

    layout: Layout
    properties: Mapping[str, object]


def rows(thing: Thing, ms: int, values: Values) -> Iterator[Row]:
    """All that an uplink of `ms` is written as, in an order that never changes."""
    form = FORMS.get(thing.model.name, _recorded)
    yield from form(thing, ms, values)


def drifted(properties: Mapping[str, object], chance: Random) -> dict[str, object]:
    """The same, of which a number is text now and then, and text that is a number is one."""
    return {name: _drifted(value, chance) for name, value in properties.items()}


def _drifted(value: object, chance: Random) -> object:
    if isinstance(value, dict):
        return drifted(value, chance)
    if isinstance(value, bool) and chance.random() < 0.5:
        return int(value)
    if isinstance(value, float) and NUMERIC.fullmatch(str(value)) and chance.random() < 0.3:
        return str(value)
    if isinstance(value, str) and NUMERIC.fullmatch(value) and "." in value:
        return float(value)
    return value


def _named(thing: Thing, values: Values) -> dict[str, Value]:
    names = {sensor.channel: sensor.name.lower() for sensor in thing.model.sensors}
    return {names[channel]: value for channel, value in values}


def _reading(thing: Thing, ms: int, told: Mapping[str, object]) -> Row:
    beside = {"device": thing.uuid, READINGS.time: ms, "seq": ms // 1000 % 65536}
    return Row(READINGS, {**beside, **told})


def _sample(ms: int, told: Mapping[str, object]) -> Row:
    at = instant(ms).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Row(SAMPLES, {SAMPLES.time: at, **told})


def _recorded(thing: Thing, ms: int, values: Values) -> Iterator[Row]:
    yield _reading(thing, ms, dict(values))


def _flat(thing: Thing, ms: int, values: Values) -> Iterator[Row]:
    yield _reading(thing, ms, _named(thing, values))


def _nested(thing: Thing, ms: int, values: Values) -> Iterator[Row]:
    """Objects within objects."""
    told = _named(thing, values)
    radio = {name: told.pop(name) for name in ("rssi", "snr") if name in told}
    yield _reading(thing, ms, {"air": told, "sensors": {"v": {"radio": radio}}})


def _connected(thing: Thing, ms: int, values: Values) -> Iterator[Row]:
    yield _sample(ms, _named(thing, values))


def _dotted(thing: Thing, ms: int, values: Values) -> Iterator[Row]:
    """With dots in the names themselves, and letters in any case."""
    yield _sample(ms, {f"Met.{name}": value for name, value in _named(thing, values).items()})


def _by_channel(_thing: Thing, ms: int, values: Values) -> Iterator[Row]:
    """With signs that are nowhere else in a name."""
    yield _sample(ms, {f"{channel} Ä": value for channel, value in values})


def _metered(thing: Thing, ms: int, values: Values) -> Iterator[Row]:
    """The meter has a collection of one value; what is left is a reading as others."""
    told = _named(thing, values)
    if "volume" in told:
        meter = {"id": thing.uuid, "make": "Zähler"}
        value = {"m3": told.pop("volume"), "is_estimate": False}
        yield Row(METERS, {"meter": meter, METERS.time: ms // 1000, "value": value})
    yield _reading(thing, ms, told)


FORMS: Mapping[str, Callable[[Thing, int, Values], Iterator[Row]]] = {
    models.COLD_ROOM.name: _flat,
    models.FREEZER.name: _connected,
    models.DOOR.name: _flat,
    models.OFFICE_AIR.name: _nested,
    models.WEATHER.name: _dotted,
    models.WATER_METER.name: _metered,
    models.PUMP.name: _by_channel,
    models.LEAK.name: _connected,
}
"""By the model of the thing; those that were recorded have another."""
