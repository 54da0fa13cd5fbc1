"""The imports and exports of the fake Usergrid: jobs of an organization, begun by its own people.

Servers 2.1.0 have them, newer ones have them no more. What becomes of a job is written without
moving `modified`. Whoever knows the UUID of one can ask for it; no list of them is ever answered.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial

from aiohttp import web

from harvester.simulator import usergrid_asked as asked, usergrid_shapes as shapes
from harvester.simulator.chance import dice
from harvester.simulator.fakes import Standing, TaskTruth
from harvester.simulator.tenants import Tenant
from harvester.simulator.usergrid_agenda import Agenda
from harvester.simulator.usergrid_auth import Principal
from harvester.simulator.usergrid_entities import Entity
from harvester.simulator.usergrid_index import Index, Indexing
from harvester.simulator.usergrid_lives import MINUTE_MS
from harvester.simulator.usergrid_pages import USUAL, Pages, Wanted
from harvester.simulator.usergrid_quirks import Switches
from harvester.simulator.usergrid_shapes import ApiRefusal
from harvester.simulator.usergrid_store import Store
from harvester.simulator.world import World, instant

IMPORTS, EXPORTS, INCLUDES = "imports", "exports", "includes"
NEEDED = ("bucket_location", "s3_access_id", "s3_key")
START_MS = 1000
FILES = (0, 1, 12)  # of an import; the last are more than a page
FAILING = 0.3  # share of jobs
AT_ONCE = (timedelta(0), timedelta(0))


class Organizations:
    """Those of all tenants."""

    def __init__(self, world: World, switches: Switches, now_ms: Callable[[], int]) -> None:
        self._jobs = {
            name: Jobs(world, switches, tenant, now_ms) for name, tenant in world.tenants.items()
        }

    async def answer(
        self, request: web.Request, principal: Principal | None, organization: str, parts: list[str]
    ) -> web.Response:
        """Answer a request to a path below an organization. Raises ApiRefusal."""
        for name, jobs in self._jobs.items():
            if organization.lower() in (name, jobs.organization):
                return await jobs.answer(request, principal, parts)
        raise shapes.no_resource()

    def truth(self, tenant: str) -> dict[str, TaskTruth]:
        """All that was begun; of imports with their files as the result."""
        return self._jobs[tenant].truth()


class Jobs:
    """Those of one organization and its application; `now_ms` is the platform's clock."""

    def __init__(
        self, world: World, switches: Switches, tenant: Tenant, now_ms: Callable[[], int]
    ) -> None:
        self._switches = switches
        self._tenant = tenant
        self._now_ms = now_ms
        self.organization = shapes.organization_id(tenant)
        self._chance = dice(world.seed, tenant.name, "jobs")
        indexing = Indexing(AT_ONCE)
        self._store = Store(Index(indexing, self._chance), mends=False)
        self._pages = Pages(switches, indexing, [])
        self._agenda = Agenda()

    async def answer(
        self, request: web.Request, principal: Principal | None, parts: list[str]
    ) -> web.Response:
        """Answer a request to a path below the organization. Raises ApiRefusal."""
        if self._switches.server != "2.1.0":
            raise shapes.no_resource()
        self._check_may_see(principal)
        self._agenda.bring(self._now_ms())
        match request.method, parts:
            case "POST", ["apps" | "applications", _, "imports"]:
                return self._one(request, self._import(await asked.body(request)))
            case "GET", ["apps" | "applications", _, "imports", *which]:
                return self._asked(request, which)
            case "POST", [*_, "export"]:
                return self._export(await asked.body(request))
            case "GET", ["export", which]:
                found = self._store.find(EXPORTS, which)
                return web.json_response(_shown(found)) if found else web.Response(status=400)
        raise shapes.no_resource()

    def truth(self) -> dict[str, TaskTruth]:
        self._agenda.bring(self._now_ms())
        return {
            f"{kind}/{entity.uuid}": TaskTruth(entity.type, None, self._history(entity))
            for kind in (IMPORTS, EXPORTS)
            for entity in self._store.members(kind)
        }

    def _history(self, entity: Entity) -> tuple[Standing, ...]:
        """Of files no more is told here than how they are now; an export has none."""
        edges = self._store.edges((entity.uuid, INCLUDES))
        files = [dict(edge.target.now.properties) for edge in edges]
        last = files if entity.type == "import" else None
        results = [None] * (len(entity.versions) - 1) + [last]
        return tuple(
            Standing(instant(version.at), str(version.properties["state"]), result)
            for version, result in zip(entity.versions, results, strict=True)
        )

    def _asked(self, request: web.Request, which: list[str]) -> web.Response:
        match which:
            case []:  # it looks in a collection for what is a connection
                raise ApiRefusal(500, "runtime", "Unable to get import entity")
            case [uuid]:
                return self._one(request, self._known(uuid))
            case [uuid, "files"]:
                return self._files(request, self._known(uuid))
        raise shapes.no_resource()

    def _files(self, request: web.Request, job: Entity) -> web.Response:
        """The limit that is asked for is no matter."""
        params = {name: request.query[name] for name in ("ql", "cursor") if name in request.query}
        limit = {"limit": str(USUAL)}
        wanted = Wanted(self._store, (job.uuid, INCLUDES), None, params | limit)
        page = self._pages.page(wanted, self._now_ms())
        cursor = {"cursor": page.cursor} if page.cursor else {}
        return self._told(request, [entity for entity, _ in page.rows], cursor)

    def _one(self, request: web.Request, entity: Entity) -> web.Response:
        return self._told(request, [entity], {})

    def _told(
        self, request: web.Request, entities: list[Entity], members: Mapping[str, object]
    ) -> web.Response:
        told = {
            "action": request.method.lower(),
            "application": shapes.application_id(self._tenant),
            "params": {name: request.query.getall(name) for name in request.query},
            "uri": str(request.url.with_query(None)),
            "entities": [_shown(entity) for entity in entities],
        }
        return web.json_response(shapes.envelope(self._now_ms(), **told, **members))

    def _known(self, uuid: str) -> Entity:
        if entity := self._store.find(IMPORTS, uuid):
            return entity
        raise ApiRefusal(500, "null_pointer", "")  # it looks into what it did not find

    def _check_may_see(self, principal: Principal | None) -> None:
        levels = ("admin", "organization")
        if principal is None or principal.level not in levels or principal.tenant != self._tenant:
            raise ApiRefusal(401, "unauthorized", "No organization access authorized")

    def _export(self, told: object) -> web.Response:
        if wanting := _wanting(told):
            return web.Response(status=400, text=wanting)
        return web.json_response({"Export Entity": self._begun(EXPORTS).uuid}, status=202)

    def _import(self, told: object) -> Entity:
        if wanting := _wanting(told):
            raise ApiRefusal(400, "null_argument", wanting)
        return self._begun(IMPORTS)

    def _begun(self, collection: str) -> Entity:
        told: dict[str, object] = {"state": "SCHEDULED"}
        told |= {"fileCount": 0} if collection == IMPORTS else {}
        job = self._store.put(collection, told, self._now_ms())
        self._agenda.put(self._now_ms() + START_MS, partial(self._start, job))
        return job

    def _start(self, job: Entity, ms: int) -> None:
        files: list[Entity] = []
        count = self._chance.choice(FILES) if job.type == "import" else 0
        for number in range(count):
            files.append(self._store.put("file_imports", _file(number), ms))
            self._store.connect(job, INCLUDES, files[-1], ms)
        counted = {"fileCount": count} if count else {}
        self._write(job, ms, {"state": "STARTED", "started": ms, "errorMessage": " "} | counted)
        over_ms = ms + int(MINUTE_MS * self._chance.uniform(2, 10))
        self._agenda.put(over_ms, partial(self._end, job, files))

    def _end(self, job: Entity, files: list[Entity], ms: int) -> None:
        told: dict[str, object] = {"state": "FINISHED"}
        if self._chance.random() < FAILING:
            told = {"state": "FAILED", "errorMessage": "Access Denied"}
        for file in files:
            self._write(file, ms, told | {"importedEntityCount": self._chance.randint(0, 99)})
        self._write(job, ms, told)

    def _write(self, job: Entity, ms: int, told: dict[str, object]) -> None:
        self._store.update(job, told, ms, modified=job.now.modified)


def _wanting(told: object) -> str:
    """The sentence about what is not said of where the files are, if there is any."""
    properties = told.get("properties") if isinstance(told, dict) else None
    if not isinstance(properties, dict):
        return "Could not find 'properties' must not be null."
    storage = properties.get("storage_info")
    said = storage if isinstance(storage, dict) else {}
    missing = [] if "storage_provider" in properties else ["storage_provider"]
    missing += [name for name in NEEDED if name not in said]
    return f"Could not find field '{missing[0]}' must not be null." if missing else ""


def _file(number: int) -> dict[str, object]:
    told: dict[str, object] = {"fileName": f"plant7.readings.{number}.json", "state": "SCHEDULED"}
    told |= {"errorMessage": " ", "lastUpdatedUUID": " "}
    return told | {"importedEntityCount": 0, "failedEntityCount": 0}


def _shown(entity: Entity) -> dict[str, object]:
    """Without metadata, as those of applications have them."""
    own = {"uuid": entity.uuid, "type": entity.type, "created": entity.created}
    return {**entity.now.properties, **own, "modified": entity.now.modified}
