"""The other way to read: without `ql`, the newest edge first, as it stands and without a lag.

An edge has the time at which it was written. Newer servers write it anew with an update, and an
entity that was imported may say it was created long before: so the order tells little of one
entity, and enough of a page.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from harvester.errors import RequestRefused, ServerFailed, TooLarge, Truncated
from harvester.model import Window
from harvester.platforms.base import Api, Params
from harvester.platforms.usergrid import instants
from harvester.platforms.usergrid.pages import LIMIT, Page, Trail, millis_of, page

MOST_PAGES = 10_000
"""A path that goes on even after so many has no end."""
BEYOND = 2
"""Pages that are read after the first that is older than what is sought: that one may be full of
what was imported."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a page begins before which nothing is older than `until`, in milliseconds."""

    until: int
    cursor: str | None


class Graph:
    """Walks the paths of one tenant. Windows that are asked for newest first walk once together."""

    def __init__(self) -> None:
        self._places: dict[str, _Place] = {}
        """Where the last walk of a path ended: no more than a hint."""

    async def walk(
        self, api: Api, path: str, window: Window, most: int = MOST_PAGES
    ) -> AsyncIterator[list[object]]:
        """All that it meets, the newest first, until nothing of the window can come any more.

        Raises Truncated where that takes more than `most` pages, Malformed, and the errors of
        `Api`.
        """
        since, until = map(instants.first_millis, (window.since, window.until))
        place = self._places.get(path)
        begin = place.cursor if place and place.until == until else None
        last, older = begin, 0
        async for cursor, told in pages(api, path, begin, most):
            yield told.entities
            if not told.entities:  # it tells nothing of what comes after it
                continue
            if _is_older(told, since):
                older += 1
            else:
                last, older = cursor, 0
            if older > BEYOND:
                break
        self._places[path] = _Place(since, last)


async def pages(
    api: Api, path: str, cursor: str | None = None, most: int = MOST_PAGES
) -> AsyncIterator[tuple[str | None, Page]]:
    """The pages from that cursor on, each with the one that led to it, to the end.

    Once it begins anew, where a cursor is not taken. Raises Truncated where there is no end and
    where one entity is too large, Malformed, and the errors of `Api`.
    """
    trail, limit, begins_left = Trail(path), LIMIT, 1
    for _ in range(most):
        try:
            told = await page(api, path, _params(limit, cursor))
        except TooLarge as error:
            if limit == 1:
                raise Truncated(f"beyond what is too large there is no way: {error}") from error
            limit //= 10
            continue
        except (RequestRefused, ServerFailed):
            if cursor is None or not begins_left:
                raise
            trail, cursor, begins_left = Trail(path), None, begins_left - 1
            continue
        yield cursor, told
        if told.cursor is None:
            if len(told.entities) >= limit:
                raise Truncated(f"{path}: a full page has no cursor")
            return
        trail.follow(told.cursor, told.entities)
        cursor = told.cursor
    raise Truncated(f"{path} goes on after {most} pages")


def _params(limit: int, cursor: str | None) -> Params:
    return {"limit": limit, "cursor": cursor} if cursor else {"limit": limit}


def _is_older(told: Page, since: int) -> bool:
    """Whether all of a page was created before, and most of it not written since."""
    created = [millis_of(each, "created") or 0 for each in told.entities]
    modified = [millis_of(each, "modified") or 0 for each in told.entities]
    return all(at < since for at in created) and 2 * sum(at >= since for at in modified) <= len(
        modified
    )
