"""Devices: the list of them, and what is missing where a user sees none."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from harvester.errors import Forbidden, Malformed, RequestRefused, Truncated
from harvester.logs import Failures
from harvester.model import Device, Discovered, Feed
from harvester.platforms.base import Api, Params

PAGE = 1000
"""Devices asked for at once."""
MOST_PAGES = 1000
"""A list that brings something new even after so many has no end."""

Row = Mapping[str, Any]


async def of_user(api: Api, user: str | None, failures: Failures) -> AsyncIterator[Discovered]:
    """Every device that the user sees, once, with a feed of either stream.

    A blocked one too: the platform notes that it is, and refuses it nothing. Raises the errors of
    `Api`, Malformed, and Truncated.
    """
    what = f"{user} devices"
    kinds = await _granted(api, "/devicetype")
    found = False
    async for identifier, row in _each_once(api, failures):
        found = True
        yield _discovered(identifier, row, kinds or {})
    if found:
        failures.well(what)
    elif await _granted(api, "/network") == {}:
        failures.failing(what, "no_networks_granted")
    elif kinds == {}:
        failures.failing(what, "no_device_types_granted")


def _discovered(identifier: str, row: Row, kinds: Mapping[str, str | None]) -> Discovered:
    kind = kinds.get(_text(row, "deviceTypeId") or "")
    feed = Feed("readings", identifier, (identifier,))
    device = Device(identifier, _text(row, "name"), kind)
    return Discovered(device, (feed, replace(feed, stream="task_reports")))


async def _granted(api: Api, path: str) -> dict[str, str | None] | None:
    """The names of a list by their ids; None where it cannot be had: devices can all the same."""
    try:
        rows = await _list(api, path)
    except (Forbidden, Malformed, RequestRefused):
        return None
    return {identifier: _text(row, "name") for identifier, row in _with_id(rows)}


async def _each_once(api: Api, failures: Failures) -> AsyncIterator[tuple[str, Row]]:
    """All devices. Names are not unique, so the order may change from page to page: then one device
    comes twice, and another not at all. So the list is gone through until that did not happen, or
    until it told nothing new."""
    found: set[str] = set()
    is_whole = False
    while not is_whole:
        rows = [row async for page in _pages(api) for row in page]
        named = list(_with_id(rows))
        _tell_of_nameless(len(rows) - len(named), failures)
        fresh = {identifier: row for identifier, row in named if identifier not in found}
        for identifier, row in fresh.items():
            yield identifier, row
        found |= fresh.keys()
        is_whole = not fresh or len(named) == len(dict(named))


async def _pages(api: Api) -> AsyncIterator[list[object]]:
    """The list's pages, to the first that is not full or brings nothing new."""
    found: set[str] = set()
    for number in range(MOST_PAGES):
        page = await _list(api, "/device", _page(number))
        yield page
        fresh = {identifier for identifier, _ in _with_id(page)} - found
        if len(page) < PAGE or not fresh:
            return
        found |= fresh
    raise Truncated("/device has no end")


def _page(number: int) -> Params:
    return {"sortField": "name", "sortOrder": "ASC", "take": PAGE, "skip": number * PAGE}


async def _list(api: Api, path: str, params: Params | None = None) -> list[object]:
    answer = await api.get(path, params)
    if not isinstance(answer, list):
        raise Malformed(f"{path} is no list")
    return answer


def _with_id(rows: Iterable[object]) -> Iterator[tuple[str, Row]]:
    """The rows that can be told apart; one that cannot does not spoil the list."""
    for row in rows:
        if isinstance(row, dict) and (identifier := _text(row, "id")):
            yield identifier, row


def _tell_of_nameless(devices: int, failures: Failures) -> None:
    if devices:
        failures.failing("/device", "device_without_id", devices=devices)
    else:
        failures.well("/device")


def _text(row: Row, key: str) -> str | None:
    said = row.get(key)
    if isinstance(said, int) and not isinstance(said, bool):
        said = str(said)
    return said if isinstance(said, str) and said.strip() else None
