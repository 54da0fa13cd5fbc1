"""The live edge: what the graph has that the index did not tell, and how far that is behind."""

from array import array
from collections.abc import AsyncIterator, Container, Sequence
from contextlib import suppress
from datetime import timedelta

from harvester.errors import TooLarge, TransientError
from harvester.platforms.base import Api, Params
from harvester.platforms.usergrid import instants
from harvester.platforms.usergrid.asking import Asking
from harvester.platforms.usergrid.pages import Page, changed, identity, millis_of, page, version

HEAD = 100
"""Entities that are looked at, the last that were written."""
OLDEST = timedelta(days=1) // instants.MS
"""What says that it is older was imported, and tells nothing of a lag."""
RECENT = timedelta(hours=1) // instants.MS
"""How long a measurement counts beside newer ones of other paths."""


class Live:
    """What was seen at the live edge of each path of one tenant."""

    def __init__(self) -> None:
        self._behind: dict[str, tuple[int, int]] = {}
        """By path: when it was measured, and what."""
        self._heads: dict[str, array[int]] = {}
        """By path: what was at its head. As an array, it takes a byte where a set takes ten."""

    @property
    def behind(self) -> timedelta | None:
        """Of the path that is furthest behind, None where none was measured."""
        last = max((at for at, _ in self._behind.values()), default=0)
        recent = (behind for at, behind in self._behind.values() if last - at <= RECENT)
        longest = max(recent, default=None)
        return None if longest is None else longest * instants.MS

    async def looked(self, api: Api, path: str, asking: Asking) -> AsyncIterator[list[object]]:
        """What the index did not tell of a window, and what else is met for the first time.

        Raises the errors of `Api`.
        """
        try:
            head = await page(api, path, {"limit": HEAD})
        except TooLarge:  # it is no part of the window
            return
        unsaid = asking.unsaid(head.entities)
        before = set(self._heads.get(path, ()))
        self._heads[path] = array("q", map(version, head.entities))
        yield _news(unsaid, asking, before)
        async for met in self._measured(api, path, head, unsaid):
            yield _news(asking.unsaid(met), asking, before)

    async def _measured(
        self, api: Api, path: str, head: Page, unsaid: Sequence[object]
    ) -> AsyncIterator[list[object]]:
        """What the index tells of that time. A measurement that fails is none."""
        if head.told_at is None:
            return
        doubtful = [each for each in unsaid if _is_of_late(each, head.told_at)]
        if not doubtful:
            self._behind[path] = head.told_at, 0
            return
        with suppress(TransientError, TooLarge):
            answered = await page(api, path, _since_the_oldest(doubtful))
            yield answered.entities
            at = answered.told_at or head.told_at
            behind = at - _oldest_missing(doubtful, answered, at)
            is_all_unknown = len(unsaid) == len(head.entities) and not answered.entities
            if head.cursor and is_all_unknown:  # it may lack more than the head holds
                newest = await page(api, path, _newest(at - OLDEST))
                yield newest.entities
                known = (millis_of(each, "created") or 0 for each in newest.entities)
                behind = max(behind, at - max(known, default=at - OLDEST))
            self._behind[path] = at, behind


def _news(entities: Sequence[object], asking: Asking, before: Container[int]) -> list[object]:
    """Those of the window, and those that were not at the head before.

    What is told tick by tick, while what came after it is not any more, would seem the last word.
    """
    return [each for each in entities if asking.holds(each) or version(each) not in before]


def _is_of_late(entity: object, now: int) -> bool:
    created = millis_of(entity, "created")
    return created is not None and now - OLDEST <= created


def _since_the_oldest(doubtful: Sequence[object]) -> Params:
    since = min(millis_of(each, "created") or 0 for each in doubtful)
    ql = f"select * where created >= {since} order by created desc"
    return {"ql": ql, "limit": HEAD}


def _newest(since: int) -> Params:
    """What the index knows last of all."""
    return {"ql": f"select * where created >= {since} order by created desc", "limit": 1}


def _oldest_missing(doubtful: Sequence[object], answered: Page, now: int) -> int:
    """When the oldest of them was written that the index did not answer; now, if it did all."""
    known = {identity(each) for each in answered.entities}
    told = [millis_of(each, "created") or 0 for each in answered.entities]
    first = min(told, default=0) if answered.cursor else 0  # what is older had no room
    missing = (each for each in doubtful if identity(each) not in known)
    written = (changed(each) for each in missing if (millis_of(each, "created") or 0) > first)
    return min(now, *written, now)
