"""Uplinks: what a thing sent, when it was published, and what was published over it later.

An uplink is made whole, with its late publication, corrections and twin, from the seed, the
thing and the day alone. So it cannot depend on who asks for it, in which order, or when.
"""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random

from harvester.simulator.chance import dice, identity
from harvester.simulator.curves import DAY_MS, HOUR_MS
from harvester.simulator.tenants import Thing
from harvester.simulator.things import Model, Sensor, Value

Values = tuple[tuple[str, Value], ...]  # (channel, value), each channel at most once
Span = tuple[int, int]  # epoch ms, both ends included

NUMERIC = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
ODD_WORDS = ("ERR", "probe missing", "n/a", "—")


def _delays(*minutes: int) -> tuple[timedelta, ...]:
    return tuple(timedelta(minutes=m) for m in minutes)


@dataclass(frozen=True, slots=True)
class Habits:
    """How often things go other than simply. Rates are shares of uplinks, unless said otherwise.

    The longest default way, late and then corrected twice, ends 16 h after the reading's instant.
    """

    latency: timedelta = timedelta(seconds=2)  # an uplink is published within this, if not late
    late: float = 0.02
    delays: tuple[timedelta, ...] = _delays(7, 45, 150, 360)
    corrected: float = 0.015
    correction_delays: tuple[timedelta, ...] = _delays(10, 90, 300)
    corrected_to_text: float = 0.3  # share of corrections: a number becomes text, and then returns
    twins: float = 0.01  # a second uplink at the same instant, with another value for one channel
    repeated: float = 0.01  # the very same uplink is listed twice
    anonymous: float = 0.01  # no correlation id
    missing: float = 0.05  # share of values that are left out
    odd_words: float = 0.003  # share of values that are text where a number is usual


QUIET = Habits(
    latency=timedelta(0),
    late=0,
    corrected=0,
    twins=0,
    repeated=0,
    anonymous=0,
    missing=0,
    odd_words=0,
)


@dataclass(frozen=True, slots=True)
class Version:
    """The values of an uplink from the moment of their publication (epoch ms) on."""

    published_ms: int
    values: Values


@dataclass(frozen=True, slots=True)
class Uplink:
    """One message of a thing. `versions` are in order of publication; the first is as sent."""

    ms: int
    correlation_id: str | None
    versions: tuple[Version, ...]
    copies: int = 1

    def as_of(self, ms: int) -> Values | None:
        """Return the values that hold at `ms`, None while nothing is published."""
        held = None
        for version in self.versions:
            if version.published_ms <= ms:
                held = version.values
        return held


@dataclass(slots=True)
class Mishaps:
    """Dice for what goes wrong, apart from those of the curves: new habits, same weather."""

    habits: Habits
    dice: Random

    def strikes(self, rate: float) -> bool:
        return self.dice.random() < rate

    def pick(self, delays: tuple[timedelta, ...]) -> int:
        """Return one of `delays` in ms."""
        return delays[int(self.dice.random() * len(delays))] // timedelta(milliseconds=1)


def number(value: Value) -> float | None:
    """Return what number `value` is: a numeric string its number, a boolean 0 or 1, else None.

    Digits that a float cannot hold, as of a SIM card, are text.
    """
    if isinstance(value, str) and not NUMERIC.fullmatch(value):
        return None
    told = float(value)
    whole = isinstance(value, str) and "." not in value
    return None if math.isinf(told) or (whole and int(told) != int(value)) else told


def uplinks_of_day(seed: object, thing: Thing, day: int, habits: Habits) -> tuple[Uplink, ...]:
    """Return all uplinks of `thing` on `day` (days since the epoch), by instant."""
    if thing.model.gateway or not thing.active:
        return ()
    weather = dice(seed, thing.uuid, day, "weather")
    mishaps = Mishaps(habits, dice(seed, thing.uuid, day, "mishaps"))
    events = _events(thing.model, day, weather)
    made: list[Uplink] = []
    for ms, sensors in _moments(thing, day, events, weather):
        values = _measure(thing.model, sensors, ms, events, weather)
        made += _publish(f"{seed}/{thing.uuid}", ms, _spoil(values, mishaps), mishaps)
    return tuple(made)


def _events(model: Model, day: int, weather: Random) -> list[Span]:
    """Return when the door stood open (pump ran, floor was wet), between 06:00 and 21:30 UTC."""
    count = int(weather.random() * (model.events + 1))
    starts = [day * DAY_MS + int(HOUR_MS * weather.uniform(6, 21)) for _ in range(count)]
    return [(start, start + int(HOUR_MS * weather.uniform(0.01, 0.5))) for start in starts]


def _moments(
    thing: Thing, day: int, events: list[Span], weather: Random
) -> list[tuple[int, tuple[Sensor, ...]]]:
    """Return when the thing sends and which sensors: all by turns, states when they change."""
    states = tuple(sensor for sensor in thing.model.sensors if sensor.curve is None)
    plan = {edge: states for span in events for edge in span}
    plan |= dict.fromkeys(_turns(thing, day, weather), thing.model.sensors)
    return sorted(plan.items())


def _turns(thing: Thing, day: int, weather: Random) -> Iterator[int]:
    ms, end = day * DAY_MS, (day + 1) * DAY_MS
    if thing.model.on_the_round:
        yield from range(ms, end, thing.every_ms)
        return
    ms += int(thing.every_ms * weather.random())
    while ms < end:
        yield ms
        ms += int(thing.every_ms * weather.uniform(0.67, 1.33))


def _measure(
    model: Model, sensors: tuple[Sensor, ...], ms: int, events: list[Span], weather: Random
) -> Values:
    values: list[tuple[str, Value]] = []
    for sensor in sensors:
        value: Value
        if sensor.curve is None:
            value = int(any(start <= ms < end for start, end in events))
        else:
            value = sensor.curve(ms, weather)
        if sensor.share == 1 or weather.random() < sensor.share:
            values.append((sensor.channel, _spell(model, sensor, value)))
    return tuple(values)


def _spell(model: Model, sensor: Sensor, value: Value) -> Value:
    if model.form == "string":
        return str(value)
    if model.form == "boolean" and sensor.curve is None:
        return bool(value)
    return value


def _spoil(values: Values, mishaps: Mishaps) -> Values:
    """Leave some values out, and put a word where a number was."""
    kept: list[tuple[str, Value]] = []
    for channel, value in values:
        left_out = mishaps.strikes(mishaps.habits.missing)
        odd = mishaps.strikes(mishaps.habits.odd_words)
        word = ODD_WORDS[int(mishaps.dice.random() * len(ODD_WORDS))]
        if not left_out:
            kept.append((channel, word if odd else value))
    return tuple(kept)


def _publish(name: str, ms: int, values: Values, mishaps: Mishaps) -> list[Uplink]:
    """Make the uplink, and its twin if it has one; which came first says nothing of the ids."""
    first = _uplink(identity(name, ms, "first"), ms, values, mishaps)
    if values and mishaps.strikes(mishaps.habits.twins):
        altered = _altered(values, mishaps, revised)
        return [first, _uplink(identity(name, ms, "twin"), ms, altered, mishaps)]
    if mishaps.strikes(mishaps.habits.anonymous):
        return [replace(first, correlation_id=None)]
    return [first]


def _uplink(correlation_id: str, ms: int, values: Values, mishaps: Mishaps) -> Uplink:
    habits = mishaps.habits
    delay = int(mishaps.dice.random() * (habits.latency // timedelta(milliseconds=1)))
    if mishaps.strikes(habits.late):
        delay = mishaps.pick(habits.delays)
    versions = [Version(ms + delay, values)]
    if values and mishaps.strikes(habits.corrected):
        versions += _corrections(versions[0], mishaps)
    copies = 2 if mishaps.strikes(habits.repeated) else 1
    return Uplink(ms, correlation_id, tuple(versions), copies)


def _corrections(sent: Version, mishaps: Mishaps) -> list[Version]:
    habits = mishaps.habits
    at = sent.published_ms + mishaps.pick(habits.correction_delays)
    if not mishaps.strikes(habits.corrected_to_text):
        return [Version(at, _altered(sent.values, mishaps, revised))]
    back_at = at + mishaps.pick(habits.correction_delays)
    return [Version(at, _altered(sent.values, mishaps, _retracted)), Version(back_at, sent.values)]


def _altered(values: Values, mishaps: Mishaps, change: Callable[[Value], Value]) -> Values:
    """Return `values` with one of them changed."""
    chosen = int(mishaps.dice.random() * len(values))
    return tuple(
        (channel, change(value) if n == chosen else value)
        for n, (channel, value) in enumerate(values)
    )


def revised(value: Value) -> Value:
    """Return another value of the same form."""
    if isinstance(value, bool):
        return not value
    told = number(value)
    if told is None:
        return f"{value} (revised)"
    other = 1 - told if told in (0, 1) else round(told + 1.5, 3)
    return str(other) if isinstance(value, str) else other


def _retracted(value: Value) -> Value:
    return f"retracted: {value}"
