"""One answer of Usergrid to a question for entities: the page, its cursor, the server's clock.

Both ways to read give the same envelope: docs/platforms/usergrid.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from harvester.errors import Malformed, Truncated
from harvester.platforms.base import Api, Params
from harvester.platforms.usergrid import instants
from harvester.platforms.usergrid.properties import text
from harvester.storable import shown

LIMIT = 1000
"""Entities asked for at once. More than that is cut to it without a word."""
MOST_IN_VAIN = 3
"""Pages in a row that may bring nothing but what the one before them brought."""

_LONGEST = 100_000

_SIGNS = ("action", "timestamp")
"""Every envelope has one of these, also that around nothing."""

Entity = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """`entities` are whatever the list holds. `cursor` leads on; None at the end. `told_at` is in
    milliseconds by the server's clock, None where it does not tell."""

    entities: list[object]
    cursor: str | None = field(default=None, repr=False)
    told_at: int | None = None


class Trail:
    """The cursors that were followed one after another: each must lead on."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._followed: set[int] = set()
        self._before: frozenset[str] = frozenset()
        self._in_vain = 0

    def follow(self, cursor: str, entities: list[object]) -> None:
        """Raises Truncated where the cursor of a page with these leads nowhere."""
        brought = frozenset(map(identity, entities))
        self._in_vain = self._in_vain + 1 if brought <= self._before else 0
        if hash(cursor) in self._followed or self._in_vain > MOST_IN_VAIN:
            raise Truncated(f"a cursor of {self._path} leads nowhere")
        self._followed.add(hash(cursor))
        self._before = brought


async def page(api: Api, path: str, params: Params) -> Page:
    """Raises Malformed where it is no list of entities, Truncated, and the errors of `Api`."""
    answer = await api.get(path, params)
    # An error under a good status must not pass for silence.
    if not isinstance(answer, dict) or "error" in answer:
        raise Malformed(f"{path} is an error, or nothing that Usergrid says")
    entities = answer.get("entities")
    if entities is None and "list" not in answer and any(sign in answer for sign in _SIGNS):
        entities = []
    if not isinstance(entities, list):
        raise Malformed(f"{path} is no list of entities")
    return Page(entities, _cursor(answer, path), instants.millis(answer.get("timestamp")))


def _cursor(answer: Entity, path: str) -> str | None:
    cursor = answer.get("cursor")
    if cursor is not None and not isinstance(cursor, str):
        raise Truncated(f"the cursor of {path} is of no known kind")
    return cursor or None


def below(root: str, path: str) -> str:
    """Where what is configured is: below the application."""
    return "/".join([root, *(quote(part, safe="") for part in path.split("/"))])


def entity_of(said: object) -> Entity:
    """What is no object has no properties."""
    return said if isinstance(said, dict) else {}


def identity(said: object) -> str:
    """An entity's UUID; what has none is known by what it says."""
    return text(entity_of(said).get("uuid")) or shown(said, _LONGEST)


def millis_of(said: object, axis: str) -> int | None:
    """When an entity was `created` or `modified`, in milliseconds."""
    return instants.millis(entity_of(said).get(axis))


def changed(said: object) -> int:
    """When an entity was last changed, in milliseconds: no earlier than it was created."""
    return max(millis_of(said, axis) or 0 for axis in ("created", "modified"))


def version(said: object) -> int:
    """A digest of which entity it is, and when it was modified: of 64 bits."""
    return hash((identity(said), repr(entity_of(said).get("modified"))))
