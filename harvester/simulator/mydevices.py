"""A fake myDevices: its token endpoints and data routes over a real socket on loopback.

One server speaks for all tenants of a world; which one is meant follows from the client id or
from the token. Routes and answers are those of the vendor's Admin API and User-Level
Authentication pages and of its open clients; order, caps and bounds, which nobody documents,
are switches.
"""

from collections import Counter
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from functools import lru_cache

from aiohttp import web

from harvester.simulator import (
    mydevices_asked as asked,
    mydevices_shapes as shapes,
    mydevices_task_lists as task_lists,
    mydevices_tasks as tasks,
)
from harvester.simulator.chance import dice
from harvester.simulator.fakes import Secret, TaskTruth
from harvester.simulator.faults import Answer, Faults, Refusal
from harvester.simulator.mydevices_auth import GrantRefusal, Session, Tokens
from harvester.simulator.mydevices_quirks import AS_DOCUMENTED, QUIRKS, Switches
from harvester.simulator.serving import counting, dating, listening
from harvester.simulator.tenants import Tenant, Thing, User
from harvester.simulator.world import Row, World, millis

__all__ = ["QUIRKS", "FakeMydevices", "options", "serve"]


class FakeMydevices:
    """The fake and its records.

    `requests` counts by "METHOD /route", `token_calls` by grant type, both when a call arrives,
    whatever becomes of it. `violations` are sentences about what a good client never does.
    """

    def __init__(self, world: World, switches: Switches) -> None:
        self.world = world
        self.switches = switches
        self.faults = Faults()
        self.tokens = Tokens(world, switches)
        self.violations = self.tokens.violations
        self.requests: Counter[str] = Counter()
        self.token_calls: Counter[str] = Counter()
        self.url = ""
        self._truth = lru_cache(maxsize=4)(world.truth)  # it is asked for again and again

    def disable(self, user: str) -> None:
        """Disable the account of that user name: no login, no refresh."""
        self.tokens.disabled.add(user)

    def enable(self, user: str) -> None:
        """Let a disabled account in again; its sessions go on."""
        self.tokens.disabled.discard(user)

    def revoke(self, user: str) -> None:
        """End the access tokens of that user name before their time; its sessions go on."""
        self.tokens.revoke(user)

    def log_out(self, user: str) -> None:
        """End the sessions of that user name: its refresh tokens are worth nothing now."""
        self.tokens.log_out(user)

    def truth(self, tenant: str) -> dict[tuple[str, str, datetime], float | str]:
        """What the world holds now: nothing that was published is ever gone."""
        return self._truth(tenant, self.world.clock.now())

    def task_truth(self, tenant: str) -> dict[str, TaskTruth]:
        """What all users of `tenant` together can know by now, by identity."""
        if self.switches.tasks_as == "absent":
            return {}
        return tasks.truth(self.world, self.world.tenants[tenant], self.tokens.now())

    def app(self) -> web.Application:
        app = web.Application(middlewares=[counting(self.requests), self._word, self._befall])
        walk = "/companies/{company:[0-9]+}/locations"
        app.add_routes(
            [
                web.post("/v1.0/oauth/token", self._user_token),
                web.post("/oauth/token", self._user_token),
                web.post("/auth/realms/{realm}/protocol/openid-connect/token", self._admin_token),
                web.get("/v1.0/things/{thing}/readings", self._readings),
                web.get("/v1.0/things/{thing}", self._thing),
                web.get("/companies", self._companies),
                web.get(walk, self._locations),
                web.get(walk + "/{location:[0-9]+}/things", self._things),
                web.get(walk + "/{location:[0-9]+}/things/{thing}", self._thing),
                web.get("/v1.0/reports", self._reports),
                web.get("/companies/{company:[0-9]+}/reports/{report:[0-9]+}/history", self._runs),
                web.get("/v1.0/alerts", self._alerts),
                web.get("/v1.0/admin/things", self._admin_things),
                web.get("/v1.0/admin/things/{thing}", self._admin_thing),
                web.get("/v1.0/admin/users", self._admin_users),
            ]
        )
        dating(app, self.tokens.now)
        return app

    @web.middleware
    async def _word(self, request: web.Request, handler: Answer) -> web.StreamResponse:
        try:
            return await handler(request)
        except GrantRefusal as refusal:
            return web.json_response(refusal.body, status=refusal.status)
        except Refusal as refusal:
            answer = shapes.boom(refusal.status, refusal.message)
            answer.headers.update(refusal.headers)
            return answer
        except web.HTTPException as error:
            return shapes.boom(error.status, "")

    @web.middleware
    async def _befall(self, request: web.Request, handler: Answer) -> web.StreamResponse:
        if request.method != "POST" or not request.path.endswith("/token"):
            return await self.faults.answer(request, handler)
        params = await asked.params(request)
        self.token_calls[params.get("grant_type", "")] += 1
        # Around the faults, so that a refresh that is held back is still seen as under way.
        with self.tokens.renewal(params.get("refresh_token")):
            return await self.faults.answer(request, handler)

    async def _user_token(self, request: web.Request) -> web.Response:
        return _token_response(self.tokens.at_gateway(await asked.params(request)))

    async def _admin_token(self, request: web.Request) -> web.Response:
        tenant = self.world.tenants.get(request.match_info["realm"])
        if tenant is None:
            return web.json_response({"error": "Realm does not exist"}, status=404)
        return _token_response(self.tokens.at_realm(tenant, await asked.params(request)))

    async def _readings(self, request: web.Request) -> web.Response:
        user, tenant = self._user_of(request)
        start, end = asked.number(request, "start_ts"), asked.number(request, "end_ts")
        if start > end:
            raise Refusal(400, '"start_ts" must not be after "end_ts"')
        thing = self._seen(request, user, tenant)
        rows = self._rows(request, thing, start, end)
        cap = self.switches.page_cap or len(rows)
        body = shapes.readings(rows[:cap], self.switches)
        if self.switches.cursor and len(rows) > cap:
            body["timestamp"] = rows[cap].ms
        return web.json_response(body)

    def _rows(self, request: web.Request, thing: Thing, start: int, end: int) -> list[Row]:
        """Return what lies in the window, in order. The cursor is the first instant left out."""
        first = start if self.switches.start_inclusive else start + 1
        last = end if self.switches.end_inclusive else end - 1
        if self.switches.cursor and "timestamp" in request.query:
            cursor = asked.number(request, "timestamp")
            if self.switches.newest_first:
                last = min(last, cursor)
            else:
                first = max(first, cursor)
        rows = list(self.world.readings(thing, first, last, millis(self.tokens.now())))
        if self.switches.shuffled:
            dice(self.world.seed, thing.uuid, first, last).shuffle(rows)
        return rows[::-1] if self.switches.newest_first else rows

    async def _companies(self, request: web.Request) -> web.Response:
        user, tenant = self._user_of(request)
        seen = {thing.location.company_id for thing in _visible(user, tenant)}
        return web.json_response(
            [shapes.company(tenant, it) for it in tenant.companies if it.id in seen]
        )

    async def _locations(self, request: web.Request) -> web.Response:
        user, tenant = self._user_of(request)
        seen = {thing.location.id for thing in _walked(request, user, tenant)}
        return web.json_response(
            [shapes.location(tenant, it) for it in tenant.locations if it.id in seen]
        )

    async def _things(self, request: web.Request) -> web.Response:
        user, tenant = self._user_of(request)
        return web.json_response(
            [shapes.thing(tenant, it) for it in _walked(request, user, tenant)]
        )

    async def _thing(self, request: web.Request) -> web.Response:
        user, tenant = self._user_of(request)
        thing = self._seen(request, user, tenant)
        if "company" in request.match_info and thing not in _walked(request, user, tenant):
            raise Refusal(404)
        return web.json_response(shapes.thing_with_children(tenant, thing, self.switches))

    async def _reports(self, request: web.Request) -> web.Response:
        user, tenant = self._user_of(request)
        found = [task_lists.report(tenant, it) for it in tasks.reports(tenant, user)]
        return task_lists.listed(request, "reports", found, self.switches)

    async def _runs(self, request: web.Request) -> web.Response:
        user, tenant = self._user_of(request)
        asked_for = int(request.match_info["company"]), int(request.match_info["report"])
        for report in tasks.reports(tenant, user):
            if (report.company.id, report.id) == asked_for:
                runs = tasks.runs(self.world, report, self.tokens.now())
                found = [task_lists.run(it) for it in runs]
                return task_lists.listed(request, "history", found, self.switches)
        raise Refusal(404)

    async def _alerts(self, request: web.Request) -> web.Response:
        user, tenant = self._user_of(request)
        alerts = tasks.alerts(self.world, tenant, self.tokens.now(), user)
        found = [task_lists.alert(tenant, it) for it in alerts]
        return task_lists.listed(request, "alerts", found, self.switches)

    async def _admin_things(self, request: web.Request) -> web.Response:
        tenant = self._tenant_of(request)
        page, limit = asked.number(request, "page", 0), asked.number(request, "limit", 20)
        rows = [shapes.thing(tenant, thing) for thing in tenant.things]
        if "status" in request.query:
            rows = [row for row in rows if row["status"] == asked.number(request, "status")]
        shown = rows[page * limit : (page + 1) * limit]
        return web.json_response({"count": len(rows), "limit": limit, "page": page, "rows": shown})

    async def _admin_thing(self, request: web.Request) -> web.Response:
        tenant = self._tenant_of(request)
        for thing in tenant.things:
            if thing.uuid == request.match_info["thing"]:
                return web.json_response(shapes.thing(tenant, thing))
        raise Refusal(404)

    async def _admin_users(self, request: web.Request) -> web.Response:
        rows = [
            shapes.user(user, enabled=user.name not in self.tokens.disabled)
            for user in self._tenant_of(request).users
        ]
        return web.json_response({"count": len(rows), "rows": rows})

    def _session(self, request: web.Request) -> Session:
        return self.tokens.bearer(request.headers.get("Authorization"))

    def _user_of(self, request: web.Request) -> tuple[User, Tenant]:
        session = self._session(request)
        if session.user is None:
            raise Refusal(403, "No user is associated with the access token")
        return session.user, session.tenant

    def _tenant_of(self, request: web.Request) -> Tenant:
        session = self._session(request)
        if session.user is not None:
            raise Refusal(403, "Insufficient scope")
        return session.tenant

    def _seen(self, request: web.Request, user: User, tenant: Tenant) -> Thing:
        """Return the thing of the path; 403 if it is another's, 404 if it is nobody's."""
        uuid = request.match_info["thing"]
        for thing in _visible(user, tenant):
            if thing.uuid == uuid:
                return thing
        things = (thing for other in self.world.tenants.values() for thing in other.things)
        raise Refusal(403 if any(thing.uuid == uuid for thing in things) else 404)


def options(tenant: Tenant, url: str) -> dict[str, object]:
    """Return the options of a configured tenant that reach `tenant` at a fake served at `url`."""
    return {
        "base_url": url,
        "client_id": tenant.user_client.id,
        "client_secret": Secret(tenant.user_client.secret),
        "auth_url": f"{url}/auth",
        "realm": tenant.name,
        "admin_client_id": tenant.admin_client.id,
        "admin_client_secret": Secret(tenant.admin_client.secret),
    }


def serve(
    world: World, *, switches: Switches = AS_DOCUMENTED, port: int = 0
) -> AbstractAsyncContextManager[FakeMydevices]:
    """Serve `world` as myDevices on 127.0.0.1, on a free port unless one is given."""
    return listening(FakeMydevices(world, switches), port)


def _visible(user: User, tenant: Tenant) -> list[Thing]:
    return [thing for thing in tenant.things if user.name in thing.seen_by]


def _walked(request: web.Request, user: User, tenant: Tenant) -> list[Thing]:
    """Return the user's things of the path's company and location; 404 if there is none."""
    company = int(request.match_info["company"])
    things = [thing for thing in _visible(user, tenant) if thing.location.company_id == company]
    if "location" in request.match_info:
        location = int(request.match_info["location"])
        things = [thing for thing in things if thing.location.id == location]
    if not things:
        raise Refusal(404)
    return things


def _token_response(body: dict[str, object]) -> web.Response:
    return web.json_response(body, headers={"Cache-Control": "no-store"})
