"""The entities of a window, by `ql`: how they are paged through, and when that proves complete.

A cursor of the index is an offset: whatever comes or goes before it while it is followed makes it
repeat rows, or skip them. So the next page is asked for by the last instant seen, a cursor is
followed only where one instant fills a page, and all of it is done again until nothing changed.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Literal

from harvester.errors import RequestRefused, ServerFailed, TooLarge, Truncated
from harvester.logs import Failures
from harvester.model import Window
from harvester.platforms.base import Api, Params, Platform
from harvester.platforms.usergrid import instants
from harvester.platforms.usergrid.pages import (
    LIMIT,
    Page,
    Trail,
    identity,
    millis_of,
    page,
    version,
)

FIRST_LOOK = Platform.looks[0] // instants.MS
MOST_PASSES = 4
MOST_REMEMBERED = 50_000
"""Entities of a window that are known again when they come again."""

Axis = Literal["created", "modified"]


class Asking:
    """One window of one path, by when its entities were created or last modified."""

    def __init__(self, api: Api, path: str, axis: Axis, window: Window) -> None:
        self._api = api
        self._path = path
        self._axis = axis
        self._since = instants.first_millis(window.since)
        self._until = instants.first_millis(window.until)
        self._limit = LIMIT
        self._told: set[int] = set()
        self._told_at: int | None = None
        self._agreed: bool | None = None

    async def pages(self) -> AsyncIterator[list[object]]:
        """What each page brings that was not handed on before, or was changed since.

        Passes that never agree are taken as they are, unless the window is so young that it can
        wait: see `tell`. Raises Truncated then, and where pages come to no end; Malformed, and the
        errors of `Api`.
        """
        if self._since == self._until:  # no instant of the platform's is in it
            return
        async for entities in self._agreeing():
            yield entities
        if self._told_at is not None and self._told_at < self._until:
            raise Truncated(f"{self._path}: by the server's clock the window is not over")

    async def _agreeing(self) -> AsyncIterator[list[object]]:
        before: _Pass | None = None
        for _ in range(MOST_PASSES):
            passing, has_news = _Pass(self._path, self._axis, self._since, self._until), False
            async for entities in self._through(passing):
                has_news = has_news or bool(entities)
                yield entities
            if passing.agrees(before) or not (has_news or passing.has_followed):
                self._agreed = True
                return
            before = passing
        if self.ended_within(FIRST_LOOK):
            raise Truncated(f"{self._path} changes faster than it can be read")
        self._agreed = False

    def tell(self, failures: Failures) -> None:
        """Say of a window that was read whether its passes agreed."""
        what = f"{self._path} by {self._axis}"
        if self._agreed is False:
            failures.failing(what, "never_agrees")
        elif self._agreed:
            failures.well(what)

    def unsaid(self, entities: list[object]) -> list[object]:
        """Those that were not handed on before, or were changed since. They are now."""
        return [each for each in entities if self._is_news(each)]

    def holds(self, entity: object) -> bool:
        """Whether it is of the window."""
        at = millis_of(entity, self._axis)
        return at is not None and self._since <= at < self._until

    def ended_within(self, ms: int) -> bool:
        """Whether the window ended in so many milliseconds before the server's time: one that holds
        no instant of the platform's was not asked for, and did not."""
        if self._since == self._until:
            return False
        return self._told_at is None or self._told_at - self._until < ms

    async def _through(self, passing: "_Pass") -> AsyncIterator[list[object]]:
        """To the end; once from the beginning again where a cursor is not taken."""
        may_begin_anew = True
        while not passing.is_over:
            try:
                told = await page(self._api, self._path, passing.params(self._limit))
            except TooLarge:
                if self._limit == 1:
                    raise
                self._limit //= 10
                if passing.cursor:  # it goes with the limit that it was given for
                    passing.begin_anew(self._since)
                continue
            except (RequestRefused, ServerFailed):
                if not (passing.cursor and may_begin_anew):
                    raise
                may_begin_anew = False
                passing.begin_anew(self._since)
                continue
            self._told_at = told.told_at or self._told_at
            yield self.unsaid(told.entities)
            passing.take(told, self._limit)

    def _is_news(self, entity: object) -> bool:
        key = version(entity)
        if key in self._told:
            return False
        _remember(self._told, key)
        return True


@dataclass(slots=True)
class _Pass:
    """Once through a window, from `since` on.

    Where no cursor `has_followed`, nothing that stayed in the window can have been skipped.
    """

    path: str
    axis: Axis
    since: int
    until: int
    cursor: str | None = None
    entities: int = 0
    versions: int = 0
    """Digests, in whatever order they came."""
    is_over: bool = False
    has_followed: bool = False
    _trail: Trail | None = None
    _counted: set[int] = field(default_factory=set)
    """What was counted since `since`: cursors repeat some."""

    def params(self, limit: int) -> Params:
        where = f"{self.axis} >= {self.since} and {self.axis} < {self.until}"
        ql = f"select * where {where} order by {self.axis} asc"
        again = {"cursor": self.cursor} if self.cursor else {}
        return {"ql": ql, "limit": limit, **again}

    def begin_anew(self, since: int) -> None:
        self.entities = self.versions = 0
        self._seek(since)

    def agrees(self, before: "_Pass | None") -> bool:
        """Whether both told the same.

        What was changed may have been away and back, and a cursor have skipped others for it.
        """
        if before is None or self.entities != before.entities:
            return False
        return self.versions == before.versions or not self.has_followed

    def take(self, told: Page, limit: int) -> None:
        """Learn from a page what to ask for next. Raises Truncated."""
        last = self._last(told.entities)
        is_full = told.cursor is not None or len(told.entities) >= limit
        if is_full and last is not None and last > self.since:
            self._count([each for each in told.entities if self._at(each) != last])
            self._seek(last)  # where all of that instant comes once more
            return
        self._count(told.entities)
        if told.cursor:
            self._follow(told.cursor, told.entities)
        elif is_full:
            raise Truncated(f"{self.path}: a full page has no cursor")
        else:
            self.is_over = True

    def _last(self, entities: list[object]) -> int | None:
        """The last instant of a page that keeps to the window and its order; of another, None."""
        known = [at for at in map(self._at, entities) if at is not None]
        if not known or known != sorted(known):
            return None
        return known[-1] if self.since <= known[0] and known[-1] < self.until else None

    def _at(self, entity: object) -> int | None:
        return millis_of(entity, self.axis)

    def _count(self, entities: list[object]) -> None:
        # Sums, so that no order matters: a page that is asked for again may have another.
        for each in entities:
            if (key := version(each)) not in self._counted:
                self.entities += hash(identity(each))
                self.versions += key
                _remember(self._counted, key)

    def _seek(self, since: int) -> None:
        self.since, self.cursor, self._trail = since, None, None
        self._counted.clear()

    def _follow(self, cursor: str, entities: list[object]) -> None:
        self._trail = self._trail or Trail(self.path)
        self._trail.follow(cursor, entities)
        self.cursor, self.has_followed = cursor, True


def _remember(keys: set[int], key: int) -> None:
    if len(keys) < MOST_REMEMBERED:
        keys.add(key)
