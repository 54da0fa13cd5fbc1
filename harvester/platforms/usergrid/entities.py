"""Readings in entities: which of their properties is what, as the tenant's settings say."""

from collections.abc import Iterator
from fnmatch import fnmatchcase

from harvester.model import Sample
from harvester.platforms.usergrid import instants
from harvester.platforms.usergrid.options import ReadingsIn
from harvester.platforms.usergrid.pages import Entity
from harvester.platforms.usergrid.properties import at, instant, text

_RESERVED = frozenset({"uuid", "type", "name", "created", "modified", "metadata"})
"""What the platform itself says of each entity; deeper down, these are names like any other."""
_LONGEST = 1000
"""Characters of a path. What lies deeper has no channel that can be kept, and is not gone into."""


def samples(said: object, reading: ReadingsIn, device: str | None) -> Iterator[Sample]:
    """One for each scalar of an entity, or one in all with `channel`. `device` is the path's.

    What is out of shape becomes one too, so that it is rejected in the open and not lost.
    """
    if not isinstance(said, dict):
        yield Sample(device or "", "", None, said)
        return
    whose = (reading.device and text(at(said, reading.device))) or device or ""
    stated = at(said, reading.time)
    when = instant(stated, reading.time_unit)
    unread = stated if when is None else None
    reading_id = _reading_id(said)
    for channel, value in _channels(said, reading):
        yield Sample(whose, channel, when, value, reading_id, unread)


def _channels(entity: Entity, reading: ReadingsIn) -> Iterator[tuple[str, object]]:
    if reading.channel is not None:
        yield reading.channel, at(entity, reading.value)
        return
    own = {name: value for name, value in entity.items() if name not in _RESERVED}
    for path, value in _leaves(own):
        if _is_wanted(path, reading):
            yield path, value


def _is_wanted(path: str, reading: ReadingsIn) -> bool:
    if path in (reading.time, reading.device):
        return False
    included = not reading.include or _fits(path, reading.include)
    return included and not _fits(path, reading.exclude)


def _fits(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)


def _leaves(entity: Entity) -> Iterator[tuple[str, object]]:
    """All that is no object, or an empty one, by the names that lead to it."""
    # By a stack of our own: JSON may be nested deeper than calls may be.
    stack = [iter(entity.items())]
    while stack:
        for path, value in stack[-1]:
            if isinstance(value, dict) and value and len(path) <= _LONGEST:
                stack.append(iter([(f"{path}.{key}", inner) for key, inner in value.items()]))
                break
            yield path, value
        else:
            stack.pop()


def _reading_id(entity: Entity) -> str:
    """Filled up, the order of the texts is that of the times."""
    modified = instants.millis(entity.get("modified")) or 0
    return f"{max(modified, 0):016d} {text(entity.get('uuid')) or ''}"
