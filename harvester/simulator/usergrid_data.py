"""What the fake Usergrid answers to who reads: collections, connections and single entities."""

import json
from collections.abc import Callable, Mapping, Sequence

from aiohttp import web

from harvester.simulator import (
    usergrid_asked as asked,
    usergrid_notifications as pushes,
    usergrid_shapes as shapes,
)
from harvester.simulator.chance import dice
from harvester.simulator.fakes import TaskTruth
from harvester.simulator.tenants import Tenant
from harvester.simulator.usergrid_asked import is_uuid
from harvester.simulator.usergrid_entities import ROOT, Entity, Place, Version, plural, singular
from harvester.simulator.usergrid_index import Doc, Index, Indexing
from harvester.simulator.usergrid_layouts import Key
from harvester.simulator.usergrid_pages import Page, Pages, Wanted
from harvester.simulator.usergrid_quirks import Switches
from harvester.simulator.usergrid_search import fields_of
from harvester.simulator.usergrid_shapes import ApiRefusal
from harvester.simulator.usergrid_store import Store
from harvester.simulator.usergrid_tasks import Tasks
from harvester.simulator.usergrid_world import Flow, Told
from harvester.simulator.usergrid_writing import Writing
from harvester.simulator.world import World

NEWER = "2.2"


class Paged(web.Response):
    """An honest answer that holds a page of a tenant's."""

    def __init__(self, body: bytes, page: Page, tenant: str) -> None:
        super().__init__(body=body, content_type="application/json")
        self.page = page
        self.tenant = tenant
        self._whole = body

    @property
    def is_whole(self) -> bool:
        """Whether nothing was made of it meanwhile."""
        return self.body == self._whole


class Data:
    """The applications of all tenants; `now_ms` is the platform's clock."""

    def __init__(
        self,
        world: World,
        switches: Switches,
        now_ms: Callable[[], int],
        violations: list[str],
    ) -> None:
        self._switches = switches
        self._now_ms = now_ms
        self.indexing = Indexing(switches.index_lag, unindexed=frozenset(switches.unindexed))
        self._pages = Pages(switches, self.indexing, violations)
        self.stores: dict[str, Store] = {}
        self.tasks: dict[str, Tasks] = {}
        self._flows: dict[str, Flow] = {}
        self._told: dict[str, Told] = {}
        for tenant in world.tenants.values():
            index = Index(self.indexing, dice(world.seed, tenant.name, "index"))
            store = Store(index, mends=switches.server == NEWER)
            self.stores[tenant.name] = store
            self._flows[tenant.name] = Flow(world, switches, tenant, store)
            self.tasks[tenant.name] = Tasks(world, switches, tenant, store)
            self._told[tenant.name] = Told(store)

    def bring(self, tenant: str) -> Store:
        """The tenant's store, with all that was written up to now."""
        self._flows[tenant].bring(self._now_ms())
        self.tasks[tenant].bring(self._now_ms())
        return self.stores[tenant]

    def truth(self, tenant: str) -> dict[Key, float | str]:
        self.bring(tenant)
        return self._told[tenant].truth()

    def task_truth(self, tenant: str) -> dict[str, TaskTruth]:
        self.bring(tenant)
        return self.tasks[tenant].truth(self._now_ms())

    def reindex(self, tenant: str) -> None:
        """Let the index have what it lost."""
        self.bring(tenant).index.reindex(self._now_ms())

    def answer(
        self,
        request: web.Request,
        tenant: Tenant,
        parts: list[str],
        made: Callable[[Sequence[Entity]], None] | None,
    ) -> web.Response:
        """Answer a GET of a path below the application. Raises ApiRefusal.

        What was `made` is told before it goes out.
        """
        store = self.bring(tenant.name)
        members, page = self._found(store, parts, request.query)
        if made:
            made([entity for entity, _ in page.rows])
        response = Paged(self._body(request, tenant, parts, members), page, tenant.name)
        if self._switches.gzips and "gzip" in request.headers.get("Accept-Encoding", ""):
            response.enable_compression(web.ContentCoding.gzip)
        return response

    async def write(self, request: web.Request, tenant: Tenant, parts: list[str]) -> web.Response:
        """Answer a POST, PUT or DELETE of a path below the application. Raises ApiRefusal."""
        told = await asked.body(request)
        store, tasks = self.bring(tenant.name), self.tasks[tenant.name]
        written = Writing(store, tasks, self._now_ms).write(request.method, parts, told)
        rows = [self._shown(each, each.now, plural(each.type), "") for each in written]
        body = self._body(request, tenant, parts, {"entities": rows})
        return web.Response(body=body, content_type="application/json")

    def delivered(self, answer: web.StreamResponse) -> None:
        """Take note of what somebody has now, if the answer goes out as it was made.

        One row at a time is a look at what there is, and nobody's reading.
        """
        if isinstance(answer, Paged) and answer.is_whole and answer.page.limit > 1:
            for row in answer.page.rows:
                self._told[answer.tenant].had(*row)

    def _body(
        self, request: web.Request, tenant: Tenant, parts: list[str], members: dict[str, object]
    ) -> bytes:
        params = {name: request.query.getall(name) for name in request.query}
        if not self._switches.echoes_tokens:
            params.pop("access_token", None)
        told = shapes.answer(tenant, params, parts, str(request.url.with_query(None)))
        told["action"] = request.method.lower()
        return json.dumps(shapes.envelope(self._now_ms(), **told, **members)).encode()

    def _found(
        self, store: Store, parts: list[str], params: Mapping[str, str]
    ) -> tuple[dict[str, object], Page]:
        match parts:
            case [collection]:
                place: Place = (ROOT, plural(collection))
                page = self._pages.page(Wanted(store, place, None, params), self._now_ms())
                return {"count": len(page.rows), **self._members(page, place, "")}, page
            case [collection, which]:
                entity = self._entity(store, collection, which)
                return self._single(entity, (ROOT, plural(collection)), "")
            case [collection, which, verb, *target] if len(target) < 3:
                source = self._entity(store, collection, which)
                return self._connected(store, source, verb, target, params)
        raise shapes.no_resource()

    def _connected(
        self, store: Store, source: Entity, verb: str, target: list[str], params: Mapping[str, str]
    ) -> tuple[dict[str, object], Page]:
        place = (source.uuid, verb.lower())
        where = f"/{plural(source.type)}/{source.uuid}"
        if len(target) == 2 or (target and is_uuid(target[0])):
            edges = (edge.target for edge in store.edges(place))
            found = (each for each in edges if target[-1].lower() in (each.uuid, each.name))
            if (entity := next(found, None)) is None:
                raise shapes.no_resource()
            return self._single(entity, place, where)
        kind = singular(target[0]) if target else None
        page = self._pages.page(Wanted(store, place, kind, params), self._now_ms())
        return self._members(page, place, where), page

    def _members(self, page: Page, place: Place, where: str) -> dict[str, object]:
        if page.subjects:
            return {"list": _projected(page)}
        entities = [self._shown(*row, place[1], where) for row in page.rows]
        cursor = {"cursor": page.cursor} if page.cursor else {}
        return {"entities": entities, **cursor}

    def _shown(self, entity: Entity, version: Version, name: str, where: str) -> dict[str, object]:
        derived = pushes.derived(entity, version, self._now_ms(), self._switches)
        return shapes.entity(entity, version, name, where) | derived

    def _single(self, entity: Entity, place: Place, where: str) -> tuple[dict[str, object], Page]:
        page = Page(((entity, entity.now),), 1)
        return self._members(page, place, where), page

    def _entity(self, store: Store, collection: str, which: str) -> Entity:
        if entity := store.find(collection, which):
            return entity
        if self._switches.server != NEWER and not is_uuid(which):
            raise shapes.no_resource()
        told = "associated with uuid" if is_uuid(which) else "with name"
        raise ApiRefusal(404, "entity_not_found", f"Cannot find entity {told}: {which}")


def _projected(page: Page) -> list[object]:
    """The values of the subjects: in lists, or in objects where they have other names."""
    fields = [fields_of(Doc(*row, 0)) for row in page.rows]
    values = [
        [next(iter(told.get(name, [])), None) for _, name in page.subjects] for told in fields
    ]
    if all(target == source for target, source in page.subjects):
        return [list(row) for row in values]
    names = [target for target, _ in page.subjects]
    return [dict(zip(names, row, strict=True)) for row in values]
