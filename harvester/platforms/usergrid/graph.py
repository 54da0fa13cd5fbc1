"""The other way to read: without `ql`, the newest edge first, as it stands and without a lag."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from harvester.errors import RequestRefused, ServerFailed, TooLarge, TransientError, Truncated
from harvester.model import Window
from harvester.platforms.base import Api, Params
from harvester.platforms.usergrid import instants
from harvester.platforms.usergrid.edges import BEYOND, Late, is_older
from harvester.platforms.usergrid.pages import LIMIT, Page, Trail, page

LONGEST = 10_000
"""Pages of a list. One that goes on even after so many has no end."""
MOST_PAGES = 100
"""Pages of a walk that are read at a time: other feeds wait for their turn."""


async def pages(api: Api, path: str) -> AsyncIterator[Page]:
    """The whole of a list.

    Raises Truncated where it has no end and where one entity is too large, Malformed, and the
    errors of `Api`.
    """
    way = _Way(path)
    try:
        async for told in way.pages(api, LONGEST):
            yield told
    except TooLarge as error:
        raise _too_large(error) from error
    if not way.is_over:
        raise Truncated(f"{path} goes on after {LONGEST} pages")


class Graph:
    """Walks the paths of one tenant, each a part at a time where it is long.

    Windows that are asked for newest first walk once together.
    """

    def __init__(self) -> None:
        self._under_way: dict[str, _Walk] = {}
        self._met: dict[str, _Met] = {}
        """Of the last walk of a path."""

    async def walk(
        self, api: Api, path: str, window: Window, most: int = MOST_PAGES
    ) -> AsyncIterator[tuple[Page, list[object]]]:
        """All that it meets, the newest first, until nothing of the window can come any more; with
        each page what it shows to have been written late, of itself and of the last before it.

        After `most` pages it raises Truncated, and goes on from there when the window is asked for
        again, or one that has a part of it; any other must wait. It goes on so too after
        TransientError. Raises Truncated too where there is no way on, and where the window was not
        over when the walk began; Malformed, and the errors of `Api`.
        """
        since, until = map(instants.first_millis, (window.since, window.until))
        walk = self._taken_up(path, since, until)
        try:
            async for told in walk.pages(api, most):
                yield told
        except TransientError:
            self._under_way[path] = walk
            raise
        except TooLarge as error:
            self._under_way[path] = walk
            raise _too_large(error) from error
        if not walk.is_over:
            self._under_way[path] = walk
            raise _later(path)
        self._end(path, walk.met(), _Met(since, until, None))

    def _taken_up(self, path: str, since: int, until: int) -> "_Walk":
        """The one that is under way, or another. One that ends otherwise than by an error of the
        platform's is begun anew: what was met may not have been written."""
        walk = self._under_way.get(path)
        if walk is None:
            return self._begun(path, since, until)
        if until <= walk.since or walk.until <= since:
            raise _later(path)
        return self._under_way.pop(path)

    def _begun(self, path: str, since: int, until: int) -> "_Walk":
        """From where all of the window that was met lies behind, or down to it."""
        met = self._met.get(path)
        if met and met.since <= until <= met.until:
            return _Walk(since, met.until, _Way(path, met.cursor))
        if met and met.since <= since <= met.until:
            return _Walk(met.until, until, _Way(path), below=met)
        return _Walk(since, until, _Way(path))

    def _end(self, path: str, met: "_Met", asked: "_Met") -> None:
        if asked.since < met.since or met.until < asked.until:  # it was another's walk
            self._met[path] = met
            raise _later(path)
        # Who asks for it again was not served by it: a place is all that is kept.
        self._met[path] = _Met(met.since, met.since, met.cursor)


@dataclass(frozen=True, slots=True)
class _Met:
    """All from `since` to `until`, in milliseconds, was met by walks whose windows ended elsewhere.
    What is older than that begins at the cursor."""

    since: int
    until: int
    cursor: str | None


class _Way:
    """A path from its head or from a cursor on. It can be left between two pages, and gone on with.

    `cursor` leads to the page that was told last, once that was left to the next one.
    """

    def __init__(self, path: str, cursor: str | None = None) -> None:
        self._path = path
        self._trail = Trail(path)
        self._may_begin_anew = True
        self.limit = LIMIT
        """Entities that were asked for last."""
        self.cursor = cursor
        self.is_over = False

    async def pages(self, api: Api, most: int) -> AsyncIterator[Page]:
        """The next ones. Once it begins at the head again, where a cursor is not taken.

        Raises Truncated where it leads nowhere, TooLarge where one entity is, Malformed, and the
        errors of `Api`.
        """
        self.limit, self._may_begin_anew = LIMIT, True
        for _ in range(most):
            told = await self._told(api)
            yield told
            if told.cursor is None:
                self._end(told)
                return
            self._trail.follow(told.cursor, told.entities)
            self.cursor = told.cursor

    def _end(self, told: Page) -> None:
        if len(told.entities) >= self.limit:
            raise Truncated(f"{self._path}: a full page has no cursor")
        self.is_over = True

    async def _told(self, api: Api) -> Page:
        try:
            return await self._page(api, self.cursor)
        except (RequestRefused, ServerFailed):
            if self.cursor is None or not self._may_begin_anew:
                raise
        told = await self._page(api, None)  # where that fails too, it was not for the cursor
        self.cursor, self._trail, self._may_begin_anew = None, Trail(self._path), False
        return told

    async def _page(self, api: Api, cursor: str | None) -> Page:
        while True:
            try:
                return await page(api, self._path, _params(self.limit, cursor))
            except TooLarge:
                if self.limit == 1:
                    raise
                self.limit //= 10


@dataclass(slots=True)
class _Walk:
    """Down to what is older than `since`, for what is before `until`; to `below`, which was met."""

    since: int
    until: int
    way: _Way
    below: _Met | None = None
    _place: str | None = field(init=False)
    """Where what is older begins."""
    _older: int = 0
    """Entities of the last pages, each of which is older."""
    _late: Late = field(default_factory=Late)

    def __post_init__(self) -> None:
        self._place = self.way.cursor

    @property
    def is_over(self) -> bool:
        return self.way.is_over or self._older > BEYOND * LIMIT

    def met(self) -> _Met:
        if self.below:
            return _Met(self.below.since, self.until, self.below.cursor)
        return _Met(self.since, self.until, self._place)

    async def pages(self, api: Api, most: int) -> AsyncIterator[tuple[Page, list[object]]]:
        async for told in self.way.pages(api, most):
            yield told, self._late.found(told)
            # What is written from now on stands before the head that was read, and is not met.
            if told.told_at is not None and told.told_at < self.until:
                raise Truncated("by the server's clock the window is not over")
            self._learn(told)
            if self.is_over:
                return

    def _learn(self, told: Page) -> None:
        if not told.entities:  # it tells nothing of what comes after it
            return
        if is_older(told, self.since):
            self._older += self.way.limit  # a page of what weighs much is a small one
        else:
            self._place, self._older = self.way.cursor, 0


def _params(limit: int, cursor: str | None) -> Params:
    return {"limit": limit, "cursor": cursor} if cursor else {"limit": limit}


def _later(path: str) -> Truncated:
    return Truncated(f"{path}: the sweep goes on with the next tick")


def _too_large(error: TooLarge) -> Truncated:
    return Truncated(f"beyond what is too large there is no way: {error}")
