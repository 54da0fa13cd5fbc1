"""What a sweep hands on of a page: not what the windows tell.

A sweep goes back in time, and a reading that was corrected by another entity would be told in the
wrong order.
"""

from collections.abc import Sequence

from harvester.errors import ServerFailed, TooLarge, TransientError
from harvester.platforms.base import Api, Params
from harvester.platforms.usergrid.asking import FIRST_LOOK
from harvester.platforms.usergrid.index import Index
from harvester.platforms.usergrid.pages import (
    LIMIT,
    Page,
    changed,
    millis_of,
    page,
    version,
)

TOLD_BY = 2 * FIRST_LOOK
"""By then the first look of a window has told what the index had late, where ticks are no longer
than an hour apart."""
MOST_PAGES = 10
"""Of the index, for one page of the graph: they hold about the same, unless one is of an import."""


async def untold(api: Api, path: str, met: Page, index: Index) -> list[object]:
    """What is younger than TOLD_BY, or unknown to the index as it is; all
    where that does not answer.

    Raises the errors of `Api` but TransientError and TooLarge.
    """
    settled = [each for each in met.entities if _is_settled(each, met.told_at)]
    if not settled or index.is_away:
        return met.entities
    known = await _known(api, path, settled, index)
    told = set(map(version, settled)) & set(map(version, known))
    young = [each for each in known if not _is_settled(each, met.told_at)]
    return [each for each in met.entities if version(each) not in told] + young


async def _known(api: Api, path: str, entities: Sequence[object], index: Index) -> Sequence[object]:
    """What the index has of that time: of one that has much more there, the newest of it."""
    created = [millis_of(each, "created") or 0 for each in entities]
    since, until = min(created), max(created) + 1
    known: list[object] = []
    try:
        for _ in range(MOST_PAGES):
            answered = await page(api, path, _of_that_time(since, until))
            index.answered()
            known += answered.entities
            last = min((millis_of(each, "created") or 0 for each in answered.entities), default=0)
            if answered.cursor is None or not since <= last < until - 1:
                break
            until = last + 1  # of that instant some may have had no room
    except (TransientError, TooLarge) as error:
        if isinstance(error, ServerFailed):
            index.failed(error)
        return ()
    return known


def _of_that_time(since: int, until: int) -> Params:
    where = f"created >= {since} and created < {until}"
    return {"ql": f"select * where {where} order by created desc", "limit": LIMIT}


def _is_settled(entity: object, now: int | None) -> bool:
    created = millis_of(entity, "created")
    return created is not None and now is not None and changed(entity) < now - TOLD_BY
