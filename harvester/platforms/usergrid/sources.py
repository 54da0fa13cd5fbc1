"""Where the readings of a feed are: a path of the tenant's, and the way in which it is read."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from harvester.errors import Forbidden
from harvester.model import Feed
from harvester.platforms.usergrid.options import DEVICE, ReadingsIn, UsergridOptions

Way = Literal["created", "modified", "graph"]

_ENDINGS: dict[Way, str] = {"created": "", "modified": " by modified", "graph": " by graph"}
"""Of the keys of feeds, which begin with the path."""


@dataclass(frozen=True, slots=True)
class Source:
    """`path` is whole: a device's own, where it has one `device` only."""

    reading: ReadingsIn
    path: str
    device: str | None
    way: Way


def feeds(options: UsergridOptions, reading: ReadingsIn, device: str | None = None) -> list[Feed]:
    """What is new by its creation, what was changed, and now and then all that is new, unindexed.

    The last serves no device: what it goes over, the first tell of.
    """
    path = reading.path.replace(DEVICE, device or "")
    devices = (device,) if device else ()
    return [
        Feed("readings", path + _ENDINGS["created"], devices),
        Feed("readings", path + _ENDINGS["modified"], devices, from_now=True),
        Feed("readings", path + _ENDINGS["graph"], every=options.sweep),
    ]


def source(options: UsergridOptions, key: str) -> Source:
    """Of a feed by its key. Raises Forbidden where the settings name it no more."""
    for path, way in _ways(key):
        for reading in options.readings:
            if (device := device_in(reading.path, path)) is not None:
                return Source(reading, path, device or None, way)
    raise Forbidden(f"{key} is not configured any more", 404)


def path_of(key: str) -> str:
    """The path of a feed, whichever way it goes."""
    return min((path for path, _ in _ways(key)), key=len)


def _ways(key: str) -> Iterator[tuple[str, Way]]:
    for way, ending in _ENDINGS.items():
        if key.endswith(ending):
            yield key.removesuffix(ending), way


def device_in(template: str, path: str) -> str | None:
    """Which one a path is of, "" if of none; None where it is not of that template."""
    if template == path:
        return ""
    before, placed, after = template.partition(DEVICE)
    if not (placed and path.startswith(before) and path.endswith(after)):
        return None
    device = path[len(before) : len(path) - len(after)]
    return device if device and "/" not in device else None
