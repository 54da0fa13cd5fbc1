"""Things of myDevices: the lists they stand in, and what a thing says of itself."""

import json
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any
from urllib.parse import quote

from harvester.errors import Forbidden, Malformed, RequestRefused
from harvester.logs import Failures
from harvester.model import Channel, Device, Discovered, Feed
from harvester.platforms.base import Api
from harvester.platforms.mydevices import lists, tasks
from harvester.platforms.mydevices.lists import Row

PAGE = 100
"""Rows asked for at once, where a list has pages."""

_DEACTIVATED = (1, "1")
_GATEWAY = ("gateway", "gateways")


async def of_user(api: Api, user: str, failures: Failures) -> AsyncIterator[Discovered]:
    """Every thing in every location of every company that the user sees, once; then the tasks.

    What is forbidden to the user is left out. Raises the other errors of `Api`, and Truncated.
    """
    found: set[str] = set()
    async for path in _thing_lists(api, failures):
        rows = lists.rows(await lists.unless_forbidden(api, path, failures))
        for uuid, thing in _with_uuid(rows, path, failures):
            if uuid not in found:
                found.add(uuid)
                yield _discovered(uuid, await _with_children(api, uuid, thing))
    yield Discovered(None, (tasks.feed_of(user),))


async def of_client(api: Api, failures: Failures) -> AsyncIterator[Discovered]:
    """Every thing of the application, seen by its owner; without a known owner it has no feed.

    A thing is not asked for by itself, as its owner's discovery does that. Raises the errors of
    `Api`, and Truncated.
    """
    path = "/v1.0/admin/things"
    owners = await _owners(api)
    number = 0
    async for page in lists.pages(api, path, PAGE):
        for uuid, thing in _with_uuid(lists.rows(page), f"{path} page {number}", failures):
            found = _discovered(uuid, thing)
            owner = owners.get(lists.text(thing, "user_id") or "")
            yield Discovered(found.device, found.feeds if owner else (), owner)
        number += 1


async def _owners(api: Api) -> dict[str, str]:
    """Users by their id, under the name they log in with: the vendor tells them to use e-mail."""
    users = lists.rows(await lists.whole(api, "/v1.0/admin/users"))
    named = ((lists.text(user, "id"), lists.text(user, "email", "username")) for user in users)
    return {key: name for key, name in named if key and name}


async def _thing_lists(api: Api, failures: Failures) -> AsyncIterator[str]:
    """The path of the list of things of each location."""
    for company in _with_id(lists.rows(await lists.whole(api, "/companies"))):
        path = f"/companies/{company}/locations"
        for location in _with_id(lists.rows(await lists.unless_forbidden(api, path, failures))):
            yield f"{path}/{location}/things"


def _with_id(rows: Iterable[Row]) -> Iterator[str]:
    """The ids of companies or locations, ready to stand in a path."""
    return (quote(name, safe="") for row in rows if (name := lists.text(row, "id")))


def _with_uuid(rows: Iterable[Row], where: str, failures: Failures) -> Iterator[tuple[str, Row]]:
    """The things that can be told apart; one that cannot does not spoil the list."""
    nameless = 0
    for row in rows:
        # Of the two ids one may be the vendor's internal number.
        if uuid := lists.uuid(row, "cayenne_id", "id"):
            yield uuid, row
        else:
            nameless += 1
    if nameless:
        failures.failing(f"things of {where}", "thing_without_uuid", things=nameless)
    else:
        failures.well(f"things of {where}")


def _discovered(uuid: str, thing: Row) -> Discovered:
    device = Device(
        uuid,
        name=lists.text(thing, "thing_name", "name"),
        kind=lists.text(thing, "device_type_id", "sensor_type"),
        channels=tuple(_channels(thing)),
    )
    return Discovered(device, (Feed("readings", uuid, (uuid,)),) if _reports(thing) else ())


def _reports(thing: Row) -> bool:
    """Whether it measures: a gateway does not, and a deactivated thing does no more."""
    words = (lists.text(thing, key) or "" for key in ("thing_type", "sensor_type", "sensor_use"))
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
        name = lists.text(sensor, "channel")
        if name and name not in named:
            named.add(name)
            yield Channel(
                name,
                label=lists.text(sensor, "thing_name", "name"),
                type=lists.text(sensor, "type", "sensor_type"),
                # What the user chose for this sensor is written at its parent.
                unit=lists.text(own, f"child.{name}.unit") or lists.text(sensor, "unit"),
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
