"""What the order of the graph tells of entities: the newest edge comes first.

An edge has the time at which it was written. Newer servers write it anew with an update, and an
entity that was imported may say it was created long before: so the order tells little of one
entity, and enough of a page.
"""

from collections import deque
from collections.abc import Iterator
from datetime import timedelta

from harvester.platforms.usergrid import instants
from harvester.platforms.usergrid.pages import LIMIT, Page, changed, millis_of

BEYOND = 2
"""Full pages, or as many entities in smaller ones, that are read after the first that is older than
what is sought: that one may be full of what was imported."""
LONG = timedelta(hours=1) // instants.MS
"""Servers whose clocks differ write less far apart."""


def is_older(told: Page, since: int) -> bool:
    """Whether all of a page was created before, and most of it not written since."""
    created = [millis_of(each, "created") or 0 for each in told.entities]
    modified = [millis_of(each, "modified") or 0 for each in told.entities]
    return all(at < since for at in created) and 2 * sum(at >= since for at in modified) <= len(
        modified
    )


class Late:
    """Finds what was written long after all that it says of its times, as by an import.

    No window of these times is asked for any more. It stands before what was created later.
    """

    def __init__(self) -> None:
        self._before: deque[list[object]] = deque()
        """Of the last pages, what was not found late yet. A walk goes on behind as many as that."""

    def found(self, told: Page) -> list[object]:
        """Those that this page proves, of itself and of the last ones before it."""
        late: list[object] = []
        while sum(map(len, self._before)) > BEYOND * LIMIT:
            self._before.popleft()
        self._before.append([])
        for newest, entity in reversed(list(_with_newest_behind(told))):
            (late if _is_before(entity, newest) else self._before[-1]).append(entity)
        newest = max((_created(each, told.told_at) for each in told.entities), default=0)
        for n in range(len(self._before) - 1):
            late += [each for each in self._before[n] if _is_before(each, newest)]
            self._before[n] = [each for each in self._before[n] if not _is_before(each, newest)]
        return late


def _with_newest_behind(told: Page) -> Iterator[tuple[int, object]]:
    """Each entity with when the newest of those behind it was created, the last one first."""
    newest = 0
    for entity in reversed(told.entities):
        yield newest, entity
        newest = max(newest, _created(entity, told.told_at))


def _created(entity: object, now: int | None) -> int:
    """What says that it will be created later proves nothing."""
    created = millis_of(entity, "created") or 0
    return created if now is None or created <= now else 0


def _is_before(entity: object, instant: int) -> bool:
    return changed(entity) + LONG < instant
