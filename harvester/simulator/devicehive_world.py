"""What the things of the world send to DeviceHive, in all the forms that its devices are known for.

What a notification tells is written down beside it, not read back from it: a mistake in reading
such forms is not made here as well.
"""

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from harvester.simulator import things as models
from harvester.simulator.chance import dice
from harvester.simulator.devicehive_cache import Notification
from harvester.simulator.tenants import Thing
from harvester.simulator.things import Value
from harvester.simulator.uplinks import Uplink, Values, Version


@dataclass(frozen=True, slots=True)
class Sent:
    """A version of an uplink: of `ms`, coming in at `at_ms`.

    It is number `rank` of the `of` that the thing sends of this instant, as they come in.
    """

    at_ms: int
    thing: Thing
    ms: int
    values: Values
    copies: int
    rank: int
    of: int


@dataclass(frozen=True, slots=True)
class Said:
    """A notification, and the readings that are in it, by channel."""

    name: str
    parameters: Mapping[str, object] | None
    readings: Values


def sent(thing: Thing, uplinks: tuple[Uplink, ...]) -> Iterator[Sent]:
    """All that becomes of a thing's uplinks, by instant."""
    for ms, shared in groupby(uplinks, key=lambda uplink: uplink.ms):
        versions = [(version, uplink) for uplink in shared for version in uplink.versions]
        versions.sort(key=_coming)
        for rank, (version, uplink) in enumerate(versions):
            told = (version.published_ms, thing, ms, version.values, uplink.copies)
            yield Sent(*told, rank, len(versions))


def said(it: Sent) -> Iterator[Said]:
    """All notifications of a version, each once; where it was recorded they tell no more."""
    form = FORMS.get(it.thing.model.name)
    if form is None:
        yield from _recorded(it)
        return
    if it.values:
        yield from form(it)
    yield from _beside(it)


def notifications(
    seed: object, ids: int, it: Sent, device: str, network: int
) -> Iterator[Notification]:
    """As they come in, with ids below `ids`.

    Ids are random, but go up from one version to the next: who meets several at once could not
    tell otherwise which of them holds.
    """
    told = [each for each in said(it) for _ in range(it.copies)]
    mine = range(it.rank * ids // it.of, (it.rank + 1) * ids // it.of)
    drawn = dice(seed, it.thing.uuid, it.ms, it.rank).sample(mine, len(told))
    for identifier, each in zip(drawn, told, strict=True):
        yield Notification(
            id=identifier,
            name=each.name,
            device=device,
            network=network,
            timestamp=it.ms,
            parameters=each.parameters,
        )


def _coming(told: tuple[Version, Uplink]) -> tuple[int, str]:
    version, uplink = told
    return version.published_ms, uplink.correlation_id or ""


def _named(it: Sent) -> Iterator[tuple[str, Value]]:
    names = {sensor.channel: sensor.name.lower() for sensor in it.thing.model.sensors}
    return ((names[channel], value) for channel, value in it.values)


def _recorded(it: Sent) -> Iterator[Said]:
    return (Said(channel, {"value": value}, ((channel, value),)) for channel, value in it.values)


def _one_by_one(it: Sent) -> Iterator[Said]:
    for name, value in _named(it):
        yield Said(name, {"value": value}, ((name, value),))


def _one_by_one_in_capitals(it: Sent) -> Iterator[Said]:
    for channel, value in it.values:
        yield Said(channel, {"Value": value}, ((channel, value),))


def _together(it: Sent) -> Iterator[Said]:
    told = dict(_named(it))
    channels = tuple((f"environment.{name}", value) for name, value in told.items())
    yield Said("environment", told, channels)


def _of_pins(it: Sent) -> Iterator[Said]:
    """Nested, with a list, and names that are numbers."""
    state, (cause, _) = dict(it.values), it.values[0]
    channels = tuple((f"gpio/int.state.{pin}", value) for pin, value in it.values)
    beside = (("gpio/int.caused.0", cause), ("gpio/int.tick", it.ms % 10**9))
    parameters = {"caused": [cause], "state": state, "tick": it.ms % 10**9}
    yield Said("gpio/int", parameters, (*beside, *channels))


def _of_a_tag(it: Sent) -> Iterator[Said]:
    """Values beside the word of who measured."""
    address = it.thing.hardware_id
    channels = tuple((f"air.Value.{name}", value) for name, value in _named(it))
    parameters = {"SensorTag": address, "Value": dict(_named(it))}
    yield Said("air", parameters, (("air.SensorTag", address), *channels))


def _of_equipment(it: Sent) -> Iterator[Said]:
    """As before version 3: one name for all, and a code that says whose value it is."""
    for (name, value), (channel, _) in zip(_named(it), it.values, strict=True):
        code = f"{name[:4]}-{channel}"
        parameters = {"equipment": code, name: value}
        yield Said("equipment", parameters, ((f"{code}.{name}", value),))


def _of_a_converter(it: Sent) -> Iterator[Said]:
    channels = tuple((f"adc/int.{pin}", value) for pin, value in it.values)
    yield Said("adc/int", dict(it.values), channels)


def _as_a_list(it: Sent) -> Iterator[Said]:
    told = [value for _, value in it.values]
    channels = tuple((f"leak.samples.{place}", value) for place, value in enumerate(told))
    yield Said("leak", {"samples": told}, channels)


def _beside(it: Sent) -> Iterator[Said]:
    """What comes now and then, and is mostly no reading."""
    seconds = it.ms // 1000
    if seconds % 17 == 0:
        yield Said("alive", None, ())
    if seconds % 19 == 0:
        yield Said("alive", {}, ())
    if seconds % 23 == 0:
        data = b64encode(f"{it.thing.name} since {seconds}".encode()).decode()
        yield Said("uart/int", {"data": data}, (("uart/int.data", data),))


FORMS: Mapping[str, Callable[[Sent], Iterator[Said]]] = {
    models.COLD_ROOM.name: _one_by_one,
    models.FREEZER.name: _together,
    models.DOOR.name: _of_pins,
    models.OFFICE_AIR.name: _of_a_tag,
    models.WEATHER.name: _of_equipment,
    models.WATER_METER.name: _of_a_converter,
    models.PUMP.name: _one_by_one_in_capitals,
    models.LEAK.name: _as_a_list,
}
"""By the model of the thing; those that were recorded have another."""
