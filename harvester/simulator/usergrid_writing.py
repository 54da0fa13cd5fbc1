"""What others write to the applications of the fake Usergrid, by POST, PUT and DELETE.

The server gives each entity its times, whatever the body says, unless it comes with a UUID of its
own, which only a PUT can bring. Of a batch, what cannot be written is left out without a word.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import TypedDict

from harvester.simulator import usergrid_notifications as pushes, usergrid_shapes as shapes
from harvester.simulator.usergrid_asked import is_uuid
from harvester.simulator.usergrid_entities import Entity, plural, singular
from harvester.simulator.usergrid_notifications import NOTIFICATIONS
from harvester.simulator.usergrid_shapes import ApiRefusal
from harvester.simulator.usergrid_store import Store, Taken
from harvester.simulator.usergrid_tasks import Tasks

SERVERS_OWN = frozenset({"uuid", "type", "created", "modified", "metadata"})
"""Members of a body that are not taken for properties."""

Json = dict[str, object]


class Import(TypedDict, total=False):
    """What an entity brings of itself. Times are in ms."""

    uuid: str
    created: int
    modified: int


class Writing:
    """Writes to the application of one tenant; `now_ms` is the platform's clock.

    Each method takes the parts of a path below the application, and gives the entities that the
    answer holds. All raise ApiRefusal.
    """

    def __init__(self, store: Store, tasks: Tasks, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._tasks = tasks
        self._now_ms = now_ms

    def write(self, method: str, parts: list[str], told: object) -> list[Entity]:
        """Do what is asked for by POST, PUT or DELETE."""
        match method:
            case "POST":
                return self.post(parts, told)
            case "PUT":
                return self.put(parts, told)
            case "DELETE":
                return self.delete(parts)
        raise shapes.no_resource()

    def post(self, parts: list[str], told: object) -> list[Entity]:
        match parts:
            case [collection]:
                return self._created(collection, told)
            case [collection, which]:
                return [self._found(collection, which)]
            case [collection, which, verb, *target]:
                source, found = self._found(collection, which), self._targets(target, told)
                for entity in found:
                    self._store.connect(source, verb, entity, self._now_ms())
                return found
        raise shapes.no_resource()

    def put(self, parts: list[str], told: object) -> list[Entity]:
        """Change an entity. One that is not there comes to be, with the UUID or name asked for."""
        if len(parts) != 2:
            raise shapes.no_resource()
        entity = self._store.find(*parts)
        if entity is None:
            return [self._brought(parts[0], parts[1], told)]
        properties = _properties(told)
        if entity.type == singular(NOTIFICATIONS):
            properties = pushes.changed(entity.now.properties, properties)
        self._store.update(entity, properties, self._now_ms())
        return [entity]

    def delete(self, parts: list[str]) -> list[Entity]:
        match parts:
            case [collection, which]:
                entity = self._found(collection, which)
                self._tasks.check_over(entity, self._now_ms())
                self._store.delete(entity, self._now_ms())
                return [entity]
            case [collection, which, verb, *target]:
                source, entity = self._found(collection, which), self._known(target)
                self._store.disconnect(source, verb, entity, self._now_ms())
                return [entity]
        raise shapes.no_resource()

    def _created(self, collection: str, told: object) -> list[Entity]:
        if not isinstance(told, list):
            properties = _properties(told)
            return [self._new(collection, properties)] if properties else []
        made: list[Entity] = []
        for each in told:
            with suppress(ApiRefusal):
                made += self._created(collection, each)
        return made

    def _new(self, collection: str, properties: Json) -> Entity:
        now_ms = self._now_ms()
        if plural(collection) == NOTIFICATIONS:
            return self._tasks.post(properties, now_ms)
        if _is_unset(properties.get("timestamp")):
            properties["timestamp"] = now_ms
        return self._put(collection, properties)

    def _brought(self, collection: str, which: str, told: object) -> Entity:
        if not is_uuid(which):
            return self._new(collection, _properties(told) | {"name": which})
        other = self._store.entities.get(which.lower())
        if other and not other.is_deleted:  # of another type
            raise shapes.no_resource()
        return self._put(collection, _properties(told), _imported(which, told))

    def _put(self, collection: str, properties: Json, own: Import | None = None) -> Entity:
        said = {name: value for name, value in properties.items() if value is not None}
        try:
            return self._store.put(collection, said, self._now_ms(), **(own or {}))
        except Taken as taken:
            told = f'Entity "{singular(collection)}" requires that property named "name" be unique'
            refused = f"{told}, value of {taken} exists"
            raise ApiRefusal(400, "duplicate_unique_property_exists", refused) from None

    def _targets(self, target: list[str], told: object) -> list[Entity]:
        """What is to be connected: what is there already, or what the body says."""
        if len(target) == 1 and not is_uuid(target[0]):
            return self._created(target[0], told)
        return [self._known(target)]

    def _known(self, target: list[str]) -> Entity:
        """By collection and UUID or name, or by UUID alone."""
        if len(target) == 2:
            return self._found(*target)
        entity = self._store.entities.get(target[0].lower()) if len(target) == 1 else None
        if entity is None or entity.is_deleted:
            raise shapes.no_resource()
        return entity

    def _found(self, collection: str, which: str) -> Entity:
        if entity := self._store.find(collection, which):
            return entity
        raise shapes.no_resource()


def _properties(told: object) -> Json:
    """What somebody says of an entity; a body of another form says nothing."""
    said = told if isinstance(told, dict) else {}
    return {name: value for name, value in said.items() if name not in SERVERS_OWN}


def _imported(uuid: str, told: object) -> Import:
    own = Import(uuid=uuid)
    said = told if isinstance(told, dict) else {}
    if type(said.get("created")) is int:
        own["created"] = said["created"]
    if type(said.get("modified")) is int:
        own["modified"] = said["modified"]
    return own


def _is_unset(timestamp: object) -> bool:
    return isinstance(timestamp, int) and not isinstance(timestamp, bool) and timestamp <= 0
