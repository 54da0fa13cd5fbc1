"""What there is to read of a tenant: the paths that an account may read, and their devices."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial

from harvester.errors import (
    Forbidden,
    Malformed,
    RequestRefused,
    ServerFailed,
    TooLarge,
    Truncated,
)
from harvester.logs import Failures
from harvester.model import Device, Discovered, Feed
from harvester.platforms.base import Api
from harvester.platforms.usergrid import graph, sources, tasks
from harvester.platforms.usergrid.options import DEVICE, UsergridOptions
from harvester.platforms.usergrid.pages import below, entity_of, page
from harvester.platforms.usergrid.properties import text

Feeds = Callable[[str | None], Iterable[Feed]]
"""Those of a path; of one device, where each has a path of its own."""
Devices = Mapping[str, Device]

_ITS_OWN = (ServerFailed, Malformed, TooLarge, Truncated, RequestRefused)
"""What is wrong with a path is told by its feeds, and no reason not to ask for other paths."""


async def found(
    api: Api, options: UsergridOptions, user: str, failures: Failures
) -> AsyncIterator[Discovered]:
    """The feeds of the paths of all devices, and each device that has paths of its own, once.

    A path that is forbidden to the account is told and left out; one of all devices that fails
    otherwise has its feeds all the same. Raises the other errors of `Api`, Malformed, and
    Truncated.
    """
    devices: dict[str, Device] = {}
    feeds: dict[str | None, list[Feed]] = {}
    for path, feeds_of in _paths(options):
        what = f"{user}: {options.root}/{path}"
        try:
            named = await _named(api, options, path, failures)
        except Forbidden as error:
            if "error" in entity_of(error.body):
                failures.failing(what, Forbidden.reason, status=error.status)
                continue
            if DEVICE in path:  # a proxy's: what was seen before stands
                raise
            named = None
        failures.well(what)
        devices |= named or {}
        for device in [None] if named is None else named:
            feeds.setdefault(device, []).extend(feeds_of(device))
    for device, theirs in feeds.items():
        yield Discovered(devices[device] if device else None, tuple(theirs))


def _paths(options: UsergridOptions) -> Iterator[tuple[str, Feeds]]:
    for reading in options.readings:
        yield reading.path, partial(sources.feeds, options, reading)
    for path in tasks.paths(options):
        yield path, partial(tasks.feeds, path)


async def _named(
    api: Api, options: UsergridOptions, path: str, failures: Failures
) -> Devices | None:
    """The devices whose paths these are; None where it is one path of all."""
    before, place, _ = path.partition(f"/{DEVICE}")
    if place:
        return await _devices(api, below(options.root, before), failures)
    with suppress(*_ITS_OWN):
        await page(api, below(options.root, path), {"limit": 1})
    return None


async def _devices(api: Api, path: str, failures: Failures) -> Devices:
    """By UUID; one that has none does not spoil the list."""
    devices: dict[str, Device] = {}
    nameless = 0
    async for told in graph.pages(api, path):
        for row in map(entity_of, told.entities):
            if uuid := text(row.get("uuid")):
                devices[uuid] = Device(uuid, text(row.get("name")), text(row.get("type")))
            else:
                nameless += 1
    if nameless:
        failures.failing(path, "device_without_uuid", devices=nameless)
    else:
        failures.well(path)
    return devices
