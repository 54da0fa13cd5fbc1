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


async def untold(api: Api, path: str, met: Page, index: Index) -> list[object]:
    """What is younger than the first look of its window, or unknown to the index as it is; all
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
    """What the index has of that time."""
    try:
        answered = await page(api, path, _of_that_time(entities))
    except (TransientError, TooLarge) as error:
        if isinstance(error, ServerFailed):
            index.failed(error)
        return ()
    index.answered()
    return answered.entities


def _of_that_time(entities: Sequence[object]) -> Params:
    created = [millis_of(each, "created") or 0 for each in entities]
    where = f"created >= {min(created)} and created < {max(created) + 1}"
    return {"ql": f"select * where {where} order by created desc", "limit": LIMIT}


def _is_settled(entity: object, now: int | None) -> bool:
    created = millis_of(entity, "created")
    return created is not None and now is not None and changed(entity) < now - FIRST_LOOK
