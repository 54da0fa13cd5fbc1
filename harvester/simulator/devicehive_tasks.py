"""The commands that people send to the things of the world, and what the things make of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random

from harvester.simulator import things as models
from harvester.simulator.chance import dice
from harvester.simulator.curves import DAY_MS
from harvester.simulator.tenants import Thing
from harvester.simulator.uplinks import Values

SUCCESS = ("OK", "Ok", "success")
FAILURE = ("Error", "Unknown command")
WORDS = ("fertig", "terminé", "In Arbeit")  # by devices that speak to people
LONGEST_ANSWER_MS = 450_000
"""From a command to the last that is said of it."""
ORDERS = ("valve/open", "reboot", "gpio/write", "config/set")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the thing says at `at_ms`. `readings` are those in the result, by channel."""

    at_ms: int
    status: str
    result: object = None
    readings: Values = ()


@dataclass(frozen=True, slots=True)
class Task:
    """A command that the thing is sent at `at_ms`, number `number` of its day."""

    at_ms: int
    thing: Thing
    number: int
    name: str
    parameters: object
    lifetime: int | None
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Probe:
    """A command that measures: its name, and the one leaf of its result."""

    name: str
    leaf: str
    channel: str


PROBES: Mapping[str, Probe] = {
    models.DOOR.name: Probe(
        "devices/ds18b20/read", "temperature", "devices/ds18b20/read.temperature"
    ),
    models.WATER_METER.name: Probe("adc/read", "0", "adc/read.0"),
    models.LEAK.name: Probe("devices/bmp180/read", "value", "devices/bmp180/read"),
}
"""By the model of the thing that knows it."""


def tasks_of_day(seed: object, thing: Thing, day: int, rate: float) -> Iterator[Task]:
    """By instant; `rate` is how many there are to an uplink."""
    if thing.model.gateway or not thing.active or not rate:
        return
    chance = dice(seed, thing.uuid, day, "commands")
    pause = thing.every_ms / rate
    at_ms, number = day * DAY_MS + int(pause * chance.random()), 0
    while at_ms < (day + 1) * DAY_MS:
        yield _task(at_ms, thing, number, chance)
        at_ms += int(pause * chance.uniform(0.5, 1.5))
        number += 1


def _task(at_ms: int, thing: Thing, number: int, chance: Random) -> Task:
    probe = PROBES.get(thing.model.name)
    lifetime = chance.choice((None, 60))
    if probe and chance.random() < 0.6:
        answers = tuple(_measured(probe, at_ms, chance))
        return Task(at_ms, thing, number, probe.name, {"pin": number % 4}, lifetime, answers)
    parameters = chance.choice((None, {}, {"line": 3}, {"to": {"level": [0, 1]}}))
    name = chance.choice(ORDERS)
    return Task(at_ms, thing, number, name, parameters, lifetime, tuple(_life(at_ms, chance)))


def _measured(probe: Probe, at_ms: int, chance: Random) -> Iterator[Answer]:
    """At most one answer: a second would take the place of the first, readings and all."""
    done_ms, fate = at_ms + _soon(chance), chance.random()
    if fate < 0.8:
        value = f"{chance.uniform(15, 25):.4f}"
        readings = ((probe.channel, value),)
        yield Answer(done_ms, chance.choice(SUCCESS), {probe.leaf: value}, readings)
    elif fate < 0.9:
        yield Answer(done_ms, "Error", {"reason": "no such sensor"})


def _life(at_ms: int, chance: Random) -> Iterator[Answer]:
    """None or some answers. The platform refuses one of whose command it knows no more."""
    done_ms, fate = at_ms + _soon(chance), chance.random()
    if fate < 0.5:
        yield Answer(done_ms, chance.choice(SUCCESS), chance.choice((None, {"opened": True})))
    elif fate < 0.6:
        yield Answer(at_ms + int(chance.uniform(60_000, 300_000)), chance.choice(SUCCESS))
    elif fate < 0.7:
        yield Answer(done_ms, chance.choice(FAILURE), chance.choice((None, {"code": 7})))
    elif fate < 0.8:
        yield Answer(done_ms, chance.choice(WORDS))
    elif fate < 0.9:
        yield Answer(done_ms, "Error", {"code": 7})
        again_ms = done_ms + chance.choice((20_000, 60_000, 400_000))
        yield Answer(again_ms, "OK", {"tries": 2})


def _soon(chance: Random) -> int:
    return int(chance.uniform(500, 30_000))
