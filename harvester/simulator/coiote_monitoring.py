"""The history of resources at the fake Coiote, in pages; and what is true of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from harvester.simulator import coiote_asked as asked
from harvester.simulator.chance import dice
from harvester.simulator.coiote_asked import Json, Query
from harvester.simulator.coiote_auth import Token
from harvester.simulator.coiote_errors import Coded
from harvester.simulator.coiote_objects import measured
from harvester.simulator.coiote_points import Point, Points, Span
from harvester.simulator.coiote_quirks import Switches
from harvester.simulator.coiote_shapes import stamp
from harvester.simulator.coiote_site import BEFORE_ALL, Device, Site
from harvester.simulator.world import World, instant, millis

MOST = 2048
"""Points of an answer."""
IN_A_LOOP = 3
"""So many refusals with 5031 of one resource within a minute are more than a mistake."""

Key = tuple[str, str, datetime]  # device, channel, instant


@dataclass(frozen=True, slots=True)
class Asked:
    """A window `(start, end]`, in the platform's time, and how many points of it are wanted."""

    start: datetime
    end: datetime
    limit: int


class Monitoring:
    """What answers questions for history, and notes what a good client would not ask."""

    def __init__(self, world: World, switches: Switches, site: Site, violations: list[str]) -> None:
        self._world = world
        self._switches = switches
        self._site = site
        self._violations = violations
        self.points = Points(world, switches)
        self._ends: dict[tuple[str, str, str], tuple[datetime, int]] = {}
        self._refused: dict[tuple[str, str, int], int] = {}
        self._truths: dict[str, tuple[list[int], dict[Key, float | str]]] = {}

    def now(self) -> datetime:
        """The time as the platform has it."""
        return self._world.clock.now() + self._switches.clock_skew

    def data(self, token: Token, identifier: str, url: str, query: Query) -> Json:
        """A page of a resource's history."""
        path = asked.resource(url)
        window = self._asked(query)
        device = self._site.device(token, identifier)
        self._check_monitored(device, path)
        self._note_skips((token.account, device.id, path), window)
        points = list(self._points(device, path, window))
        most = min(window.limit, self._switches.point_cap or MOST)
        page, has_next = points[:most], len(points) > most
        if has_next:
            self._ends[token.account, device.id, path] = (window.end, page[-1].ms)
        last = page if self._switches.last_point == "page" else points
        return self._told(page, has_next, last[-1].ms if page else None)

    def truth(self, tenant: str) -> dict[Key, float | str]:
        """All that came in of what is monitored, whatever is still to be had of it.

        It is made anew only when time moved on, or a device.
        """
        now_ms = millis(self._world.clock.now())
        known_ms = [min(now_ms, device.left_ms) for device in self._site.of(tenant)]
        if self._truths.get(tenant, ([],))[0] != known_ms:
            self._truths[tenant] = (known_ms, self._true(tenant, known_ms))
        return dict(self._truths[tenant][1])

    def _true(self, tenant: str, known_ms: list[int]) -> dict[Key, float | str]:
        held: dict[Key, Point] = {}
        for device, by_ms in zip(self._site.of(tenant), known_ms, strict=True):
            span = Span(BEFORE_ALL, by_ms, by_ms)
            for it in measured(device.thing.model):
                for point in () if it.is_slow else self.points.of(device.thing, it, span):
                    key = (device.id, it.path, instant(point.ms))
                    if key not in held or held[key].rank < point.rank:
                        held[key] = point
        return {key: point.worth for key, point in held.items()}

    def _asked(self, query: Query) -> Asked:
        now, end = self.now(), asked.instant(query, "timeRangeEnd")
        try:
            limit = asked.whole(query, "limit", MOST, range(1, MOST + 1), 4001)
        except Coded:
            self._violations.append(f"a limit of {query['limit']}")
            raise
        start = asked.instant(query, "timeRangeStart")
        if end is not None and end > now:
            self._violations.append("a window that ends in the future")
        if start is None or start >= (end or now) or (end or now) > now:
            raise Coded(4000, "Time range has to be in the past, and its start before its end")
        return Asked(start, end or now, limit)

    def _check_monitored(self, device: Device, path: str) -> None:
        if device.is_monitored:
            return
        key = (device.id, path, millis(self.now()) // 60_000)
        self._refused[key] = self._refused.get(key, 0) + 1
        if self._refused[key] == IN_A_LOOP:
            self._violations.append(f"asked again and again what is not monitored: {device.id}")
        raise Coded(5031, "Device monitoring is not enabled")

    def _note_skips(self, of: tuple[str, str, str], window: Asked) -> None:
        """The start is exclusive: who goes on a millisecond later skips what comes then."""
        end, last_ms = self._ends.pop(of, (None, 0))
        if window.end == end and millis(window.start) == last_ms + 1:
            self._violations.append(
                "a page that begins 1 ms after the last point of the one before"
            )

    def _points(self, device: Device, path: str, window: Asked) -> Iterator[Point]:
        it = device.measured(path)
        if it is None or it.is_slow:
            return
        now_ms = millis(self._world.clock.now())
        oldest_ms = millis(self.now() - self._switches.retention)
        first_ms = max(millis(window.start) + 1, oldest_ms)
        span = Span(first_ms, millis(window.end), now_ms, device.wiped_ms)
        yield from self.points.of(device.thing, it, span)

    def _told(self, page: list[Point], has_next: bool, last_ms: int | None) -> Json:
        last = None if last_ms is None else stamp(last_ms)
        if self._switches.shuffled:
            dice(self._world.seed, last).shuffle(page)
        told: Json = {"hasNext": has_next, "metadata": {}}
        if last or self._switches.nulls == "null":
            told["lastPointTimestamp"] = last
        return {**told, "data": [{"date": stamp(it.ms), "value": it.text} for it in page]}
