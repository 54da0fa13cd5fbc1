"""What an application of the fake Usergrid holds: entities with all their versions, and edges.

All instants are ms by the platform's clock. What is written stands here at once, while the index
gets to know of it later. Whoever writes says when that is: nothing here looks at a clock.
"""

import bisect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from uuid import UUID

from harvester.simulator.usergrid_entities import ROOT, Entity, Place, Version, plural, singular
from harvester.simulator.usergrid_index import Index
from harvester.simulator.usergrid_tokens import millis_of, time_uuid


class Taken(Exception):
    """There is an entity of that type and name already."""


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """It was written at `at`, as number `number` of all edges, whatever its target says of time."""

    at: int
    number: int
    target: Entity = field(compare=False)


class Store:
    """The entities of one application by UUID, deleted ones too, and what leads to them.

    With `mends` an update writes the edge into the collection anew, so that the entity is the
    newest there. `written` counts what was done.
    """

    def __init__(self, index: Index, *, mends: bool) -> None:
        self.index = index
        self.entities: dict[str, Entity] = {}
        self.written = 0
        self._mends = mends
        self._names: dict[tuple[str, str], Entity] = {}
        self._edges: dict[Place, list[Edge]] = {}
        self._led: dict[tuple[Place, str], Edge] = {}
        self._numbers = count()

    def put(
        self,
        collection: str,
        properties: Mapping[str, object],
        ms: int,
        *,
        uuid: str | None = None,
        created: int | None = None,
        modified: int | None = None,
    ) -> Entity:
        """Write a new entity at `ms`. Raises Taken.

        One that brings its own UUID, as an import's does, keeps what it says of its times, or else
        has those that are within the UUID.
        """
        if uuid is None:
            uuid, created, modified = self._uuid(ms), ms, ms
        at = _within(uuid, ms) if created is None else created
        version = Version(0, ms, at if modified is None else modified, dict(properties))
        entity = Entity(uuid.lower(), singular(collection), at, [version])
        self._name(entity)
        self.entities[entity.uuid] = entity
        self._lead((ROOT, plural(collection)), entity, ms)
        return entity

    def update(
        self,
        entity: Entity,
        properties: Mapping[str, object],
        ms: int,
        *,
        modified: int | None = None,
    ) -> Version:
        """Set some properties at `ms`; one that is None goes.

        With `modified`, as the server itself updates: that stands, and no edge is written anew.
        """
        merged = {**entity.now.properties, **properties}
        kept = {name: value for name, value in merged.items() if value is not None}
        version = Version(entity.now.number + 1, ms, ms if modified is None else modified, kept)
        entity.versions.append(version)
        self.written += 1
        for place in entity.places:
            if self._mends and modified is None and place[0] == ROOT:
                self._write(place, entity, ms)
            self.index.learn(place, entity, version, ms)
        return version

    def delete(self, entity: Entity, ms: int) -> None:
        """Delete it; what leads to it leads nowhere, and its name is free."""
        entity.is_deleted = True
        self.written += 1
        self._names.pop((entity.type, (entity.name or "").lower()), None)
        for place in entity.places:
            self.index.forget(place, entity, ms)

    def connect(self, source: Entity, verb: str, target: Entity, ms: int) -> None:
        self._lead((source.uuid, verb.lower()), target, ms)

    def disconnect(self, source: Entity, verb: str, target: Entity, ms: int) -> None:
        place = (source.uuid, verb.lower())
        if edge := self._led.pop((place, target.uuid), None):
            _drop(self._edges[place], edge)
            self.index.forget(place, target, ms)

    def find(self, collection: str, which: str) -> Entity | None:
        """By UUID, or by name in any case."""
        kind = singular(collection)
        found = self.entities.get(which.lower()) or self._names.get((kind, which.lower()))
        return found if found and found.type == kind and not found.is_deleted else None

    def edges(self, place: Place, after: tuple[int, int] | None = None) -> Iterator[Edge]:
        """Those that lead to something, the newest first; of them those older than an edge
        at and of the number in `after`."""
        edges = self._edges.get(place, [])
        end = len(edges) if after is None else bisect.bisect_left(edges, after, key=_time)
        return (edge for edge in reversed(edges[:end]) if not edge.target.is_deleted)

    def members(self, collection: str) -> list[Entity]:
        """All that were ever in that collection, deleted ones too."""
        return [edge.target for edge in self._edges.get((ROOT, plural(collection)), [])]

    def _lead(self, place: Place, target: Entity, ms: int) -> None:
        self._write(place, target, ms)
        if place not in target.places:
            target.places.append(place)
        self.index.learn(place, target, target.now, ms)

    def _write(self, place: Place, target: Entity, ms: int) -> None:
        """There is one edge to a target; what was written again is the newest."""
        self.written += 1
        edges = self._edges.setdefault(place, [])
        if before := self._led.get((place, target.uuid)):
            _drop(edges, before)
        edge = Edge(ms, next(self._numbers), target)
        self._led[place, target.uuid] = edge
        if edges and edge < edges[-1]:
            bisect.insort(edges, edge)
        else:  # as nearly always
            edges.append(edge)

    def _name(self, entity: Entity) -> None:
        if entity.name is None:
            return
        key = (entity.type, entity.name.lower())
        if key in self._names:
            raise Taken(entity.name)
        self._names[key] = entity

    def _uuid(self, ms: int) -> str:
        return str(time_uuid(ms, next(self._numbers)))


def _time(edge: Edge) -> tuple[int, int]:
    return edge.at, edge.number


def _drop(edges: list[Edge], edge: Edge) -> None:
    del edges[bisect.bisect_left(edges, edge)]


def _within(uuid: str, ms: int) -> int:
    """The instant in a UUID, where it is one that has any; else `ms`."""
    told = UUID(uuid)
    return millis_of(told) if told.version == 1 else ms
