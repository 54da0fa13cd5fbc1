"""Lists of myDevices, and what their rows say.

They are bare arrays or envelopes `{count, limit, page, rows}`: docs/platforms/mydevices.md.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any
from uuid import UUID

from harvester.errors import Forbidden, Malformed, Truncated
from harvester.logs import Failures
from harvester.platforms.base import Api, Params

MOST_PAGES = 10_000
"""A list that brings something new even after so many has no end."""

Row = Mapping[str, Any]
Read = Callable[[object, str], list[object]]
"""From an answer and its path to the entries in it; raises Malformed."""


def rows_of(answer: object, path: str) -> list[object]:
    """The entries of a list whose shape is known. Raises Malformed."""
    rows = answer
    if isinstance(answer, dict) and "rows" in answer:
        rows = answer["rows"] or []
    if not isinstance(rows, list):
        raise Malformed(f"{path} is no list")
    return rows


async def whole(api: Api, path: str, read: Read = rows_of) -> list[object]:
    """The entries of a list that is known to have no pages, though it may turn out to have them."""
    return [entry async for page in pages(api, path, read=read) for entry in page]


async def unless_forbidden(
    api: Api, path: str, failures: Failures, *, what: str = "", read: Read = rows_of
) -> list[object]:
    """A list; an empty one where it is forbidden, so that the others are still seen.

    `what` fails then: the path, unless something else is named.
    """
    what = what or path
    try:
        entries = await whole(api, path, read)
    except Forbidden:
        failures.failing(what, Forbidden.reason)
        return []
    failures.well(what)
    return entries


async def pages(
    api: Api, path: str, limit: int | None = None, read: Read = rows_of
) -> AsyncIterator[list[object]]:
    """What each page of a list brings that is new, until no sign is left that there is more."""
    seen: set[str] = set()
    for number in range(MOST_PAGES):
        answer = await api.get(path, _page(number, limit))
        entries = read(answer, path)
        fresh = [entry for entry in entries if _identity(entry) not in seen]
        yield fresh
        seen.update(map(_identity, fresh))
        if not fresh or not _goes_on(answer, len(entries), len(seen), limit):
            return
    raise Truncated(f"{path} has no end")


def _page(number: int, limit: int | None) -> Params | None:
    if limit is not None:
        return {"limit": limit, "page": number}
    return {"page": number} if number else None


def _identity(row: object) -> str:
    return str((row.get("id") or row.get("cayenne_id") or row) if isinstance(row, dict) else row)


def _goes_on(answer: object, rows: int, seen: int, limit: int | None) -> bool:
    """Whether a next page must be asked for: neither the count nor a full page is trusted alone."""
    if not isinstance(answer, dict):
        return limit is not None
    count = answer.get("count")
    if isinstance(count, int) and seen < count:
        return True
    sizes = [size for size in (answer.get("limit"), limit) if isinstance(size, int) and size > 0]
    return bool(sizes) and rows >= min(sizes)


def rows(entries: Iterable[object]) -> list[Row]:
    """The entries of a list as rows: what is no object says nothing."""
    return [entry if isinstance(entry, dict) else {} for entry in entries]


def uuid(row: Row, *keys: str) -> str | None:
    """The first of the keys that holds a UUID, in its usual spelling."""
    for key in keys:
        try:
            return str(UUID(row.get(key)))
        except (AttributeError, TypeError, ValueError):
            continue
    return None


def text(row: Row, *keys: str) -> str | None:
    """The first of the keys that says something; a number in its digits."""
    for key in keys:
        said = row.get(key)
        if isinstance(said, int) and not isinstance(said, bool):
            said = str(said)
        if isinstance(said, str) and said.strip():
            return said
    return None
