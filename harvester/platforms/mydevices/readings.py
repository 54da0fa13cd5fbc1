"""Readings of a thing: what is asked, how an answer is read, and how a cut one is found out.

The platform documents no limit, no order and no kind of bounds: docs/platforms/mydevices.md. So
nothing here relies on them.
"""

from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from harvester.errors import Malformed, Truncated
from harvester.model import Sample, Window
from harvester.platforms.base import Api

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_CURSORS = ("timestamp", "cursor", "next")
_ERRORS = ("error", "statusCode")
_SMALLEST_CAP = 50
_CAPS = (50, 64)
"""Caps are multiples of these: 100, 128, 1000, 1024, 10000."""

Cursor = tuple[str, str | int]


async def pulled(api: Api, thing: str, window: Window) -> AsyncIterator[list[Sample]]:
    """The samples of each answer, until all of the window is answered.

    Some lie just outside of the window. Raises Truncated where an answer cannot be proven
    complete, Malformed where it is no list of readings, and the errors of `Api`.
    """
    path = f"/v1.0/things/{thing}/readings"
    spans = [_widened(window)]
    while spans:
        span = spans.pop()
        while not span.answered:
            uplinks = span.take(await api.get(path, span.params()))
            yield list(_samples(thing, uplinks))
        spans += span.rest()


def _widened(window: Window) -> "_Span":
    """Whole milliseconds that hold the window whether or not the platform includes its bounds."""
    since = (window.since - _EPOCH) // _MS
    until = -((_EPOCH - window.until) // _MS)
    return _Span(since - 1, until)


@dataclass(slots=True)
class _Span:
    """A span of time as it is asked for, in ms, and what is known from its answers so far."""

    start: int
    end: int
    answered: bool = False
    followed: list[Cursor] = field(default_factory=list)
    last: list[object] = field(default_factory=list)
    instants: list[int] = field(default_factory=list)  # inside the span, as they were told

    def params(self) -> dict[str, str | int]:
        bounds: dict[str, str | int] = {"start_ts": self.start, "end_ts": self.end}
        return bounds | dict(self.followed[-1:])

    def take(self, answer: object) -> list[object]:
        """The uplinks of an answer. Raises Malformed, Truncated."""
        uplinks = _uplinks(answer)
        cursor = _cursor(answer)
        stuck = self.followed and uplinks in ([], self.last)
        if cursor and (cursor in self.followed or stuck):
            raise Truncated(f"the cursor {cursor[0]!r} of an answer leads nowhere")
        if cursor:
            self.followed.append(cursor)
        self.answered = cursor is None
        self.last = uplinks
        for ms in map(_told_at, uplinks):
            if ms is not None and self.start <= ms <= self.end:
                self.instants.append(ms)
        return uplinks

    def rest(self) -> list["_Span"]:
        """What must be asked yet: nothing, or what lies before and after an answer that looks full.

        Which end was cut is unknown, and so is whether all of the outermost milliseconds came. An
        answer in no order may lack anything: all of it is asked for again, in two parts.
        Each of the two begins or ends 1 ms inside the answer, for bounds that are exclusive; an
        answer that reaches the very bound has proven that one to be inclusive. So each is
        narrower than this span, and the asking ends. Raises Truncated.
        """
        if not _looks_full(len(self.last)):
            return []
        known = sorted(self.instants)
        if not known or known[0] == known[-1]:
            raise Truncated(f"{len(self.last)} uplinks of one millisecond may not be all of them")
        before, after = known[0], known[-1]
        if self.instants not in (known, known[::-1]):
            before = min(known[len(known) // 2], after - 1)
            after = before + 1
        end = before + 1 if before + 1 < self.end else before
        start = after - 1 if after - 1 > self.start else after
        return [_Span(self.start, end), _Span(start, self.end)]


def _looks_full(uplinks: int) -> bool:
    return uplinks >= _SMALLEST_CAP and any(uplinks % cap == 0 for cap in _CAPS)


def _uplinks(answer: object) -> list[object]:
    """The list of an answer, bare or in its envelope. Raises Malformed."""
    uplinks = answer
    if isinstance(answer, dict):
        uplinks = answer.get("readings")
        # An error under a good status must not pass for silence.
        if uplinks is None and not any(key in answer for key in _ERRORS):
            return []
    if not isinstance(uplinks, list):
        raise Malformed("an answer that should hold readings is no list and holds none")
    return uplinks


def _cursor(answer: object) -> Cursor | None:
    """What leads to the rest of an answer, with its name. Raises Truncated where it cannot."""
    if not isinstance(answer, dict):
        return None
    for name in _CURSORS:
        if said := answer.get(name):
            if isinstance(said, bool) or not isinstance(said, str | int):
                raise Truncated(f"the cursor {name!r} of an answer is of no known kind")
            return name, said
    return None


def _samples(thing: str, uplinks: Iterable[object]) -> Iterator[Sample]:
    """One sample for each value. What is out of shape becomes one too, without a channel, so that
    it is rejected in the open and not lost."""
    for uplink in uplinks:
        if not isinstance(uplink, dict):
            yield Sample(thing, "", None, uplink)
            continue
        ts = uplink.get("ts")
        at = instant(ts)
        stated = ts if at is None else None
        identity = uplink.get("correlation_id")
        reading_id = identity if isinstance(identity, str) else ""
        for sensor in _sensors(uplink):
            channel = _channel(sensor)
            value = sensor.get("v") if channel and isinstance(sensor, dict) else sensor
            yield Sample(thing, channel, at, value, reading_id, stated)


def _sensors(uplink: dict[str, object]) -> list[object]:
    sensors = uplink.get("sensors")
    if isinstance(sensors, list):
        return sensors
    return [] if sensors is None else [sensors]


def _channel(sensor: object) -> str:
    """The channel's name: digits as a string or a number, or a word; "" where there is none."""
    said = sensor.get("channel") if isinstance(sensor, dict) else None
    if isinstance(said, str):
        return said
    return str(said) if isinstance(said, int) and not isinstance(said, bool) else ""


def _told_at(uplink: object) -> int | None:
    return _ms(uplink.get("ts")) if isinstance(uplink, dict) else None


def _ms(ts: object) -> int | None:
    """Epoch milliseconds: a whole number, or its digits in a string. Seconds are not guessed at."""
    if isinstance(ts, int) and not isinstance(ts, bool):
        return ts
    if isinstance(ts, float):
        return int(ts) if ts.is_integer() else None
    if isinstance(ts, str) and len(ts) <= 20 and ts.isdecimal():
        return int(ts)
    return None


def instant(ts: object) -> datetime | None:
    """The instant of epoch milliseconds, None where they are none."""
    ms = _ms(ts)
    try:
        return None if ms is None else _EPOCH + ms * _MS
    except OverflowError:
        return None
