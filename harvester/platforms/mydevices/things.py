"""Things of myDevices: the lists they stand in, and what a thing says of itself.

Lists are bare arrays or envelopes `{count, limit, page, rows}`: docs/platforms/mydevices.md.
"""

import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote
from uuid import UUID

from harvester.errors import Forbidden, Malformed, RequestRefused, Truncated
from harvester.logs import Failures
from harvester.model import Channel, Device, Discovered, Feed
from harvester.platforms.base import Api, Params

PAGE = 100
"""Rows asked for at once, where a list has pages."""
MOST_PAGES = 10_000
"""A list that brings something new even after so many has no end."""

_DEACTIVATED = (1, "1")
_GATEWAY = ("gateway", "gateways")

Row = Mapping[str, Any]


async def of_user(api: Api, failures: Failures) -> AsyncIterator[Discovered]:
    """Every thing in every location of every company that the user sees, once.

    What is forbidden to the user is left out. Raises the other errors of `Api`, and Truncated.
    """
    found: set[str] = set()
    async for path in _thing_lists(api, failures):
        rows = await _unless_forbidden(api, path, failures)
        for uuid, thing in _with_uuid(rows, path, failures):
            if uuid not in found:
                found.add(uuid)
                yield _discovered(uuid, await _with_children(api, uuid, thing))


async def of_client(api: Api, failures: Failures) -> AsyncIterator[Discovered]:
    """Every thing of the application, seen by its owner; without a known owner it has no feed.

    A thing is not asked for by itself, as its owner's discovery does that. Raises the errors of
    `Api`, and Truncated.
    """
    path = "/v1.0/admin/things"
    owners = await _owners(api)
    number = 0
    async for page in _pages(api, path, PAGE):
        for uuid, thing in _with_uuid(page, f"{path} page {number}", failures):
            found = _discovered(uuid, thing)
            owner = owners.get(_text(thing, "user_id") or "")
            yield Discovered(found.device, found.feeds if owner else (), owner)
        number += 1


async def _owners(api: Api) -> dict[str, str]:
    """Users by their id, under the name they log in with: the vendor tells them to use e-mail."""
    users = await _all(api, "/v1.0/admin/users")
    named = ((_text(user, "id"), _text(user, "email", "username")) for user in users)
    return {key: name for key, name in named if key and name}


async def _thing_lists(api: Api, failures: Failures) -> AsyncIterator[str]:
    """The path of the list of things of each location."""
    for company in _with_id(await _all(api, "/companies")):
        path = f"/companies/{company}/locations"
        for location in _with_id(await _unless_forbidden(api, path, failures)):
            yield f"{path}/{location}/things"


async def _unless_forbidden(api: Api, path: str, failures: Failures) -> list[Row]:
    """A list; an empty one where it is forbidden, so that the others are still seen."""
    try:
        rows = await _all(api, path)
    except Forbidden:
        failures.failing(path, Forbidden.reason)
        return []
    failures.well(path)
    return rows


async def _all(api: Api, path: str) -> list[Row]:
    """The rows of a list that is known to have no pages, though it may turn out to have them."""
    return [row async for page in _pages(api, path) for row in page]


async def _pages(api: Api, path: str, limit: int | None = None) -> AsyncIterator[list[Row]]:
    """What each page of a list brings that is new, until no sign is left that there is more."""
    seen: set[str] = set()
    for number in range(MOST_PAGES):
        answer = await api.get(path, _page(number, limit))
        rows = _rows(answer, path)
        fresh = [row for row in rows if _identity(row) not in seen]
        yield [row if isinstance(row, dict) else {} for row in fresh]
        seen.update(map(_identity, fresh))
        if not fresh or not _goes_on(answer, len(rows), len(seen), limit):
            return
    raise Truncated(f"{path} has no end")


def _page(number: int, limit: int | None) -> Params | None:
    if limit is not None:
        return {"limit": limit, "page": number}
    return {"page": number} if number else None


def _rows(answer: object, path: str) -> list[object]:
    rows = answer
    if isinstance(answer, dict) and "rows" in answer:
        rows = answer["rows"] or []
    if not isinstance(rows, list):
        raise Malformed(f"{path} is no list")
    return rows


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


def _with_id(rows: Iterable[Row]) -> Iterator[str]:
    """The ids of companies or locations, ready to stand in a path."""
    return (quote(name, safe="") for row in rows if (name := _text(row, "id")))


def _with_uuid(rows: Iterable[Row], where: str, failures: Failures) -> Iterator[tuple[str, Row]]:
    """The things that can be told apart; one that cannot does not spoil the list."""
    nameless = 0
    for row in rows:
        if uuid := _uuid(row):
            yield uuid, row
        else:
            nameless += 1
    if nameless:
        failures.failing(f"things of {where}", "thing_without_uuid", things=nameless)
    else:
        failures.well(f"things of {where}")


def _uuid(thing: Row) -> str | None:
    """Of the two ids one may be the vendor's internal number."""
    for said in (thing.get("cayenne_id"), thing.get("id")):
        try:
            return str(UUID(said))
        except (AttributeError, TypeError, ValueError):
            continue
    return None


def _discovered(uuid: str, thing: Row) -> Discovered:
    device = Device(
        uuid,
        name=_text(thing, "thing_name", "name"),
        kind=_text(thing, "device_type_id", "sensor_type"),
        channels=tuple(_channels(thing)),
    )
    return Discovered(device, (Feed("readings", uuid, (uuid,)),) if _reports(thing) else ())


def _reports(thing: Row) -> bool:
    """Whether it measures: a gateway does not, and a deactivated thing does no more."""
    words = (_text(thing, key) or "" for key in ("thing_type", "sensor_type", "sensor_use"))
    gateway = any(word.casefold() in _GATEWAY for word in words)
    return not gateway and thing.get("status") not in _DEACTIVATED


async def _with_children(api: Api, uuid: str, thing: Row) -> Row:
    """The thing as it is told by itself, where it measures and the list leaves out its sensors."""
    if isinstance(thing.get("children"), list) or not _reports(thing):
        return thing
    try:
        answer = await api.get(f"/v1.0/things/{uuid}")
    except (Forbidden, Malformed, RequestRefused):
        return thing  # its readings are worth having without their units
    return {**thing, **answer} if isinstance(answer, dict) else thing


def _channels(thing: Row) -> Iterator[Channel]:
    """The channels of a thing's sensors, each once."""
    children = thing.get("children")
    own = _properties(thing)
    named: set[str] = set()
    for child in children if isinstance(children, list) else ():
        sensor = _properties(child) | child if isinstance(child, dict) else {}
        name = _text(sensor, "channel")
        if name and name not in named:
            named.add(name)
            yield Channel(
                name,
                label=_text(sensor, "thing_name", "name"),
                type=_text(sensor, "type", "sensor_type"),
                # What the user chose for this sensor is written at its parent.
                unit=_text(own, f"child.{name}.unit") or _text(sensor, "unit"),
            )


def _properties(row: Row) -> dict[str, Any]:
    """`properties`: an object, or one as a JSON string, or nothing that can be used."""
    said = row.get("properties")
    if isinstance(said, str):
        try:
            said = json.loads(said)
        except (ValueError, RecursionError):
            return {}
    return said if isinstance(said, dict) else {}


def _text(row: Row, *keys: str) -> str | None:
    """The first of the keys that says something; a number in its digits."""
    for key in keys:
        said = row.get(key)
        if isinstance(said, int) and not isinstance(said, bool):
            said = str(said)
        if isinstance(said, str) and said.strip():
            return said
    return None
