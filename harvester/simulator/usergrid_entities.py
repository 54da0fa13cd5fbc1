"""An entity of the fake Usergrid with all its versions, and where it is to be found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

ROOT = ""
"""The source of the edges that lead into collections: the application itself."""

Place = tuple[str, str]
"""Where edges begin: a source's UUID and a verb, or ROOT and the name of a collection."""


@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """How an entity stands, as written at `at`; the server's own members are not in `properties`.

    The server itself may write and leave `modified` as it was.
    """

    number: int
    at: int
    modified: int
    properties: Mapping[str, object]


@dataclass(slots=True, eq=False)
class Entity:
    """One entity, of which `versions` has at least one. `type` is in the singular."""

    uuid: str
    type: str
    created: int
    versions: list[Version]
    is_deleted: bool = False
    places: list[Place] = field(default_factory=list)

    @property
    def now(self) -> Version:
        return self.versions[-1]

    @property
    def name(self) -> str | None:
        name = self.now.properties.get("name")
        return name if isinstance(name, str) else None

    @property
    def sources(self) -> list[str]:
        """The UUIDs of those that it was ever connected with, as their target."""
        return [source for source, _ in self.places if source != ROOT]


@cache
def plural(name: str) -> str:
    """The name of a collection, given in either number and any case."""
    name = name.lower()
    if name.endswith("s"):
        return name
    return f"{name[:-1]}ies" if name.endswith("y") else f"{name}s"


@cache
def singular(name: str) -> str:
    """The type of what is in a collection."""
    name = plural(name)
    return f"{name[:-3]}y" if name.endswith("ies") else name[:-1]
