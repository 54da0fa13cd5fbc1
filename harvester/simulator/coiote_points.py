"""What the things of the world tell Coiote: points of resources, each a text at an instant.

What a point is worth is written down beside its text, not read back from it: a mistake in reading
such texts is not made here as well.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from harvester.simulator.chance import dice
from harvester.simulator.coiote_objects import Measured, measured
from harvester.simulator.coiote_quirks import Switches
from harvester.simulator.coiote_site import AFTER_ALL, BEFORE_ALL
from harvester.simulator.curves import DAY_MS, HOUR_MS
from harvester.simulator.tenants import Thing
from harvester.simulator.things import Value
from harvester.simulator.uplinks import Habits, Uplink, Values, Version, number
from harvester.simulator.world import World, millis

MILLISECOND = timedelta(milliseconds=1)
HUGE = 2**53 + 1


@dataclass(frozen=True, slots=True)
class Point:
    """A value of a resource at `ms`, as it is told and as what it is meant."""

    ms: int
    text: str
    worth: float | str

    @property
    def rank(self) -> tuple[bool, float | str]:
        """Of points of one instant the greatest holds, text before numbers: nothing else of them
        differs."""
        return isinstance(self.worth, str), self.worth


@dataclass(frozen=True, slots=True)
class Span:
    """Instants of points, both ends included, and when they came in: after `after_ms`, and by
    `by_ms`."""

    first_ms: int
    last_ms: int
    by_ms: int
    after_ms: int = BEFORE_ALL


@dataclass(slots=True)
class Absence:
    """From when until when nothing of a thing comes in."""

    left_ms: int
    back_ms: int = AFTER_ALL


class Points:
    """All points of all things, made of the world's uplinks each time they are asked for."""

    def __init__(self, world: World, switches: Switches) -> None:
        self._world = world
        self._switches = switches
        self._absences: dict[str, list[Absence]] = {}

    def leave(self, thing: Thing) -> None:
        """From now on nothing of it comes in: it keeps what it would say."""
        now_ms = millis(self._world.clock.now())
        self._absences.setdefault(thing.uuid, []).append(Absence(now_ms))

    def come_back(self, thing: Thing) -> None:
        """All that it kept comes in now, each with the date of its own instant."""
        self._absences[thing.uuid][-1].back_ms = millis(self._world.clock.now())

    def of(self, thing: Thing, it: Measured, span: Span) -> Iterator[Point]:
        """Those of one resource, by instant."""
        for uplink, values in self._uplinks(thing, span):
            for channel, value in values:
                if channel == it.sensor.channel:
                    point = self._point(thing, it, uplink.ms, value)
                    yield from [point] * uplink.copies
                    yield from self._crowd(thing, it, uplink, value)

    def latest(self, thing: Thing, it: Measured, now_ms: int) -> Point | None:
        """What a resource says now: of its newest points that which holds."""
        for day in self._days_back(now_ms):
            span = Span(day * DAY_MS, (day + 1) * DAY_MS - 1, now_ms)
            if points := list(self.of(thing, it, span)):
                newest = max(each.ms for each in points)
                return max((each for each in points if each.ms == newest), key=_rank)
        return None

    def last_contact(self, thing: Thing, now_ms: int) -> int | None:
        """When something of the thing came in last; None before anything did.

        A gateway has nothing to say, but says that it is there.
        """
        if thing.model.gateway:
            return now_ms - now_ms % HOUR_MS
        last: int | None = None
        for day in self._days_back(now_ms):
            if last is not None and (day + 1) * DAY_MS + _longest_delay(self._world.habits) < last:
                break
            for uplink in self._world.uplinks(thing, day):
                came = [self._came_ms(thing, each) for each in uplink.versions]
                if uplink.ms >= millis(self._world.since):
                    last = max((ms for ms in (*came, last) if ms and ms <= now_ms), default=last)
        return last

    def _uplinks(self, thing: Thing, span: Span) -> Iterator[tuple[Uplink, Values]]:
        """With the values that hold of each."""
        first_ms = max(span.first_ms, millis(self._world.since))
        # The platform tells nothing of its future: what is dated ahead, when its instant is over.
        last_ms = min(span.last_ms, span.by_ms - bool(self._switches.ahead))
        for day in range(first_ms // DAY_MS, last_ms // DAY_MS + 1):
            for uplink in self._world.uplinks(thing, day):
                came = [it for it in uplink.versions if self._came_ms(thing, it) <= span.by_ms]
                is_left = came and self._came_ms(thing, came[-1]) > span.after_ms
                if is_left and first_ms <= uplink.ms <= last_ms:
                    yield uplink, came[-1].values

    def _came_ms(self, thing: Thing, it: Version) -> int:
        """When it came in: before its own instant where the clock of the thing is ahead."""
        came_ms = it.published_ms - self._switches.ahead // MILLISECOND
        for absence in self._absences.get(thing.uuid, ()):
            if absence.left_ms < came_ms < absence.back_ms:
                came_ms = absence.back_ms
        return came_ms

    def _days_back(self, now_ms: int) -> range:
        return range(now_ms // DAY_MS, millis(self._world.since) // DAY_MS - 1, -1)

    def _point(self, thing: Thing, it: Measured, ms: int, value: Value) -> Point:
        text, worth = spelled(it, value)
        if self._switches.spellings == "odd" and isinstance(worth, float):
            roll = dice(self._world.seed, thing.uuid, it.path, ms).randrange(40)
            text, worth = oddly(roll, text, worth)
        return Point(ms, text, worth)

    def _crowd(self, thing: Thing, it: Measured, uplink: Uplink, value: Value) -> Iterator[Point]:
        """What comes in the same millisecond, of the first sensor of a thing alone."""
        count = self._switches.crowd
        if not count or it is not measured(thing.model)[0] or isinstance(value, str | bool):
            return
        if uplink is self._world.uplinks(thing, uplink.ms // DAY_MS)[0]:
            for n in range(1, count + 1):
                yield self._point(thing, it, uplink.ms, value + n)


def spelled(it: Measured, value: Value) -> tuple[str, float | str]:
    """A value as the platform tells it, and what it is worth: a Boolean is a word, so a text."""
    if isinstance(value, str):
        told = number(value)
        return value, value if told is None else told
    if it.type == "Boolean":
        word = "true" if value else "false"
        return word, word
    if it.type == "Float":
        return repr(float(value)), float(value)
    return str(value), float(value)


def oddly(roll: int, text: str, worth: float) -> tuple[str, float | str]:
    """The same number in another spelling, or another thing instead; mostly neither."""
    if roll < 4:
        return f"{Decimal(text):E}", worth
    instead = {4: text.replace(".", ","), 5: "", 6: "true", 7: str(HUGE)}
    if roll in instead and instead[roll] != text:
        return instead[roll], instead[roll]
    return text, worth


def _rank(point: Point) -> tuple[bool, float | str]:
    return point.rank


def _longest_delay(habits: Habits) -> int:
    """Between an uplink and the last that comes in of it, in ms."""
    late = max((habits.latency, *habits.delays))
    corrected = 2 * max(habits.correction_delays, default=timedelta())
    return (late + corrected) // MILLISECOND
