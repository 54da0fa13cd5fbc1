"""The data of the fake Coiote over HTTP: which question a route stands for, and who may ask it."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from harvester.simulator.coiote_auth import Token, Tokens
from harvester.simulator.coiote_devices import Devices
from harvester.simulator.coiote_models import Models
from harvester.simulator.coiote_monitoring import Monitoring
from harvester.simulator.coiote_quirks import Switches
from harvester.simulator.coiote_reports import Reports
from harvester.simulator.coiote_rights import DETAILS, REPORTS_SINCE, SUMMARY, Rights
from harvester.simulator.faults import Refusal

BASE = "/api/coiotedm/v3/"
HISTORY = "deviceMonitoring/data/{device}/resourceUrl/"

Verb = Callable[[web.Request, Token], object]


class Rest:
    """Its routes. A route is also the name of the permission that it needs."""

    def __init__(
        self,
        tokens: Tokens,
        rights: Rights,
        switches: Switches,
        devices: Devices,
        monitoring: Monitoring,
        models: Models,
        reports: Reports,
    ) -> None:
        self._tokens = tokens
        self._rights = rights
        self._switches = switches
        self._devices = devices
        self._monitoring = monitoring
        self._models = models
        self._reports = reports

    def routes(self) -> list[web.RouteDef]:
        """In the order in which they are tried."""
        asked: list[tuple[str, Verb]] = [
            ("devices", self._ids),
            (DETAILS, self._details),
            ("devices/{device}", self._device),
            (HISTORY + "{url:.+}", self._data),
            ("cachedDataModels/{device}", self._cached),
            ("instantiatedResources/dataModelDefinition/{device}", self._definitions),
            ("instantiatedResources/resourcesData/{device}", self._resources),
            ("taskReports", self._report_keys),
            (REPORTS_SINCE, self._reports_since),
            (SUMMARY, self._summary),
            ("taskReports/{task}/{device}", self._report),
            ("tasks", self._tasks),
            ("tasks/{task}", self._task),
            ("monitoringData/{rest:.*}", self._not_implemented),
        ]
        return [web.get(BASE + route, self._answering(route, verb)) for route, verb in asked]

    def _answering(
        self, route: str, verb: Verb
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            if self._switches.slashes == "raw" and "%2f" in request.raw_path.lower():
                return web.Response(text="<h1>404</h1>", status=404, content_type="text/html")
            token = self._tokens.bearer(request.headers.get("Authorization"))
            self._rights.check(token, route)
            return web.json_response(verb(request, token))

        return answer

    def _ids(self, request: web.Request, token: Token) -> object:
        return self._devices.ids(token, request.query)

    def _details(self, request: web.Request, token: Token) -> object:
        return self._devices.details(token, request.query)

    def _device(self, request: web.Request, token: Token) -> object:
        return self._devices.one(token, _part(request, "device"))

    def _data(self, request: web.Request, token: Token) -> object:
        part = _part(request, "device"), _part(request, "url")
        return self._monitoring.data(token, *part, request.query)

    def _cached(self, request: web.Request, token: Token) -> object:
        return self._models.cached(token, _part(request, "device"), _parameters(request))

    def _definitions(self, request: web.Request, token: Token) -> object:
        return self._models.definitions(token, _part(request, "device"), _parameters(request))

    def _resources(self, request: web.Request, token: Token) -> object:
        return self._models.resources(token, _part(request, "device"), _parameters(request))

    def _report_keys(self, request: web.Request, token: Token) -> object:
        return self._reports.keys(token, request.query)

    def _reports_since(self, request: web.Request, token: Token) -> object:
        return self._reports.since(token, request.query)

    def _summary(self, request: web.Request, token: Token) -> object:
        return self._reports.summary(token, request.query)

    def _report(self, request: web.Request, token: Token) -> object:
        return self._reports.one(token, _part(request, "task"), _part(request, "device"))

    def _tasks(self, request: web.Request, token: Token) -> object:
        return self._reports.tasks(token, request.query)

    def _task(self, request: web.Request, token: Token) -> object:
        return self._reports.task(token, _part(request, "task"))

    def _not_implemented(self, _request: web.Request, _token: Token) -> object:
        """What these answer is published nowhere."""
        raise Refusal(501, "Not Implemented")


def _part(request: web.Request, name: str) -> str:
    return request.match_info[name]


def _parameters(request: web.Request) -> list[str]:
    """Each by itself, or all with commas between them."""
    given = request.query.getall("parameters", [])
    return [each for text in given for each in text.split(",") if each]
