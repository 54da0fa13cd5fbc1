"""Devices of Coiote: the lists they stand in, and what a device says of itself.

A device whole holds the key by which it proves itself (`dtlsPsk`). Where no single fields can be
asked for it comes with the answer: it is dropped here, and no error keeps a part of such an answer.
"""

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from harvester.errors import (
    Forbidden,
    Malformed,
    PlatformError,
    ServerFailed,
    TooLarge,
    Truncated,
)
from harvester.platforms.base import Api
from harvester.platforms.coiote import instants
from harvester.platforms.coiote.asking import Asking

DETAILS = ("devices", "find", "details")
FIELDS = "id,domain,friendlyName,modelName,lastContactTime,properties"
CONTACTS = "id,domain,lastContactTime"
LIMIT = 1000
LEAST = 10
"""Devices asked for at once, where more are too large together."""
MOST_PAGES = 10_000
OF_ONE = (Malformed, ServerFailed, TooLarge)
"""What may be the trouble of one device."""
MOST_ILL = 3
"""Devices that are not told of in one discovery: of more, it is the platform's trouble."""

_INSTANCE = re.compile(r"/(\d{1,5})/(\d{1,5})", re.ASCII)
_VERSION = re.compile(r"(\d{1,5}):([\w.]{1,20})", re.ASCII)

Instance = tuple[int, int]
"""An object and one of its instances."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is kept of a device. `domain` is where its history is; the others are None or empty
    where the device does not say."""

    identifier: str
    domain: str | None = None
    name: str | None = None
    kind: str | None = None
    last_contact: datetime | None = None
    instances: tuple[Instance, ...] = ()
    versions: tuple[tuple[int, str], ...] = ()


async def details(asking: Asking, api: Api, fields: str) -> AsyncIterator[Seen]:
    """All devices, page by page.

    Raises Forbidden where the account may not ask so, Malformed, Truncated, and the other errors of
    `Api`.
    """
    bookmark, limit, followed = "", LIMIT, set[str]()
    while len(followed) < MOST_PAGES:
        after = {"pageBookmark": bookmark} if bookmark else {}
        params = {"fieldSelection": fields, "limit": limit, **after}
        try:
            rows, bookmark = _page(await _without_excerpt(asking, api, *DETAILS, params=params))
        except TooLarge:
            if limit == LEAST:
                raise
            limit = max(LEAST, limit // 10)
            continue
        for row in rows:
            if seen := _seen(row):
                yield seen
        if not bookmark:
            return
        if bookmark in followed:
            break
        followed.add(bookmark)
    raise Truncated("a bookmark in the list of devices leads nowhere")


async def one(asking: Asking, api: Api, identifier: str) -> Seen:
    """One device by itself. Raises Malformed, and the errors of `Api`."""
    answer = await _without_excerpt(asking, api, "devices", identifier)
    seen = _seen(answer)
    if seen is None or seen.identifier != identifier:
        raise Malformed("an answer that should be a device is none")
    return seen


async def identifiers(asking: Asking, api: Api) -> list[str]:
    """Of all devices. Raises Malformed, and the errors of `Api`."""
    answer = await asking.get(api, "devices")
    if not isinstance(answer, list):
        raise Malformed("the list of devices is no list")
    return [each for each in answer if isinstance(each, str) and each]


async def _without_excerpt(asking: Asking, api: Api, *parts: str, params: Any = None) -> object:
    """The beginning of an answer that cannot be read may hold a device's key."""
    try:
        return await asking.get(api, *parts, params=params)
    except Malformed as error:
        told = str(error)
    raise Malformed(told)


def _page(answer: object) -> tuple[list[object], str]:
    rows = answer.get("devices") if isinstance(answer, dict) else None
    if not isinstance(answer, dict) or not isinstance(rows, list):
        raise Malformed("a page of the list of devices is none")
    bookmark = answer.get("nextPageBookmark")
    return rows, bookmark if isinstance(bookmark, str) else ""


def _seen(row: object) -> Seen | None:
    """None where it does not say which device it is."""
    identifier = row.get("id") if isinstance(row, dict) else None
    if not isinstance(row, dict) or not isinstance(identifier, str) or not identifier.strip():
        return None
    said = row.get("properties")
    properties = said if isinstance(said, dict) else {}
    return Seen(
        identifier,
        domain=_text(row.get("domain")),
        name=_text(row.get("friendlyName")) or _text(properties.get("endpointName")),
        kind=_text(row.get("modelName")),
        last_contact=instants.read(row.get("lastContactTime")),
        instances=tuple(sorted(set(_instances(properties)))),
        versions=tuple(sorted(set(_versions(properties)))),
    )


def _instances(properties: Mapping[str, Any]) -> Iterator[Instance]:
    """From a text such as "/1/0,/3,/3303/0": an object alone has no instance yet."""
    for part in (_text(properties.get("registeredObjects")) or "").split(","):
        if found := _INSTANCE.fullmatch(part.strip()):
            yield int(found[1]), int(found[2])


def _versions(properties: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    """From a text such as "1:1.1,3:1.0"."""
    for part in (_text(properties.get("objectVersions")) or "").split(","):
        if found := _VERSION.fullmatch(part.strip()):
            yield int(found[1]), found[2]


def _text(said: object) -> str | None:
    """Some of what devices say ends in a newline."""
    return (said.strip() or None) if isinstance(said, str) else None


async def single(
    asking: Asking, api: Api, known: Mapping[str, Seen], begun: Mapping[str, Seen]
) -> AsyncIterator[Seen]:
    """All devices, where they can only be asked for one by one.

    One that may not or cannot be read is as it was `known`; one that is gone meanwhile is left out.
    What is `begun` is not asked again. Raises Malformed, and the errors of `Api`.
    """
    well, ill = 0, list[PlatformError]()
    for identifier in await identifiers(asking, api):
        if identifier in begun:
            yield _as_known(begun, identifier)
            continue
        try:
            yield await one(asking, api, identifier)
            well += 1
        except Forbidden as error:
            if error.status != 404:
                yield _as_known(known, identifier)
        except OF_ONE as error:
            ill.append(error)
            if len(ill) > MOST_ILL:
                raise
            yield _as_known(known, identifier)
    if ill and not well:
        raise ill[0]


def _as_known(known: Mapping[str, Seen], identifier: str) -> Seen:
    """Where it is by now nobody knows: it may have been moved, and be hidden for that."""
    return replace(known.get(identifier, Seen(identifier)), domain=None)
