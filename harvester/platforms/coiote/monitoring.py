"""History of one resource: what is asked, and when an answer proves whole.

A window is asked for with its start left out and its end within, and there is no cursor: the next
page begins where the last one ended. It begins a millisecond earlier here, as the page may have
ended among several points of one millisecond: docs/platforms/coiote.md.
"""

from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from harvester.errors import Malformed, Truncated
from harvester.model import Sample, Window
from harvester.platforms.base import Api, Params
from harvester.platforms.coiote import instants
from harvester.platforms.coiote.asking import Asking

HISTORY = ("deviceMonitoring", "data")
LIMIT = 2048
"""Points of a page: what the platform gives at most."""

MOST_PAGES = 10_000

_SIGNS = ("hasNext", "lastPointTimestamp", "metadata")
"""A page without points has one of these: others may be left out where they are null."""


async def pulled(
    asking: Asking, api: Api, device: str, resource: str, window: Window
) -> AsyncIterator[list[Sample]]:
    """The samples of each page, until all of the window is told.

    Raises Truncated where one millisecond fills a page, after all others are told, Malformed, and
    the errors of `Api`.
    """
    paging = Paging(
        instants.first_millis(window.since) - 1, instants.first_millis(window.until) - 1
    )
    while not paging.is_over:
        answer = await _page_of(asking, api, device, resource, paging.params())
        yield list(_samples(device, resource, paging.take(answer)))
    if paging.crowded is not None:
        crowded = instants.stamp(paging.crowded)
        raise Truncated(f"the points of one millisecond fill a page: {crowded}")


async def asked(asking: Asking, api: Api, device: str, resource: str, end: datetime) -> None:
    """Ask for one millisecond. Raises the errors of `Api`."""
    ms = instants.millis(end)
    await _page_of(asking, api, device, resource, Paging(ms - 1, ms).params())


async def _page_of(asking: Asking, api: Api, device: str, resource: str, params: Params) -> object:
    return await asking.get(api, *HISTORY, device, "resourceUrl", f"/{resource}", params=params)


@dataclass(slots=True)
class Paging:
    """Points after `start` and up to `end`, in ms, and what is known from the pages so far."""

    start: int
    end: int
    is_over: bool = field(init=False)
    crowded: int | None = None
    """A millisecond of which there is more than comes at once."""
    _pages: int = 0
    _told: set[str] = field(default_factory=set)
    """Those of the last millisecond of the last page, which come once more."""

    def __post_init__(self) -> None:
        self.is_over = self.start >= self.end  # no millisecond of the platform's is in it

    def params(self) -> Params:
        start, end = instants.stamp(self.start), instants.stamp(self.end)
        return {"timeRangeStart": start, "timeRangeEnd": end, "limit": LIMIT}

    def take(self, answer: object) -> list[object]:
        """What a page brings that was not told yet. Raises Malformed, Truncated."""
        points, goes_on, last = _page(answer)
        fresh = [point for point in points if repr(point) not in self._told]
        if goes_on:
            self._go_on(points, last)
        else:
            self.is_over = True
        return fresh

    def _go_on(self, points: list[object], last: int | None) -> None:
        told = [ms for ms in map(_told_at, points) if ms is not None]
        # The earlier of the two: between them there may be points that were not told yet.
        last = min((ms for ms in (last, max(told, default=None)) if ms is not None), default=None)
        if last is None:
            raise Truncated("a page of history has no last point, and is not the last page")
        if last > self.end:
            raise Truncated("a page of history leads beyond the window")
        self._pages += 1
        if last <= self.start or self._pages == MOST_PAGES:
            raise Truncated("the pages of history have no end")
        if last - 1 > self.start:
            self.start = last - 1
        else:
            self.start = self.crowded = last
        self._told = {repr(point) for point in points if _told_at(point) == last}


def _page(answer: object) -> tuple[list[object], bool, int | None]:
    """The points, whether there are more, and the instant of the last. Raises Malformed."""
    if not isinstance(answer, dict):
        raise Malformed("a page of history is no object")
    points = answer.get("data")
    if points is None and any(sign in answer for sign in _SIGNS):
        points = []
    if not isinstance(points, list):
        raise Malformed("a page of history holds no points")
    last = instants.read(answer.get("lastPointTimestamp"))
    # A full page is not trusted to be the last.
    goes_on = answer.get("hasNext") is True or len(points) >= LIMIT
    return points, goes_on, instants.millis(last) if last else None


def _told_at(point: object) -> int | None:
    at = instants.read(point.get("date")) if isinstance(point, dict) else None
    return instants.millis(at) if at else None


def _samples(device: str, resource: str, points: Iterable[object]) -> Iterator[Sample]:
    """What is out of shape becomes one too, without a channel, so that it is rejected in the
    open and not lost."""
    for point in points:
        if not isinstance(point, dict):
            yield Sample(device, "", None, point)
            continue
        stated = point.get("date")
        at = instants.read(stated)
        unread = stated if at is None else None
        yield Sample(device, resource, at, point.get("value"), "", unread)
