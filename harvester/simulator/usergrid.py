"""A fake Apache Usergrid: its token endpoints, and entities by two paths that do not agree.

Each tenant of a world is an organization with one application. Routes, codes and words are those
of the server's open source, of which 2.1.0 and 2.2 differ where a switch says so.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

from aiohttp import web

from harvester.simulator import usergrid_asked as asked, usergrid_shapes as shapes
from harvester.simulator.fakes import Secret, TaskTruth
from harvester.simulator.faults import Answer, Faults, Refusal
from harvester.simulator.serving import dating, listening
from harvester.simulator.tenants import Tenant, User
from harvester.simulator.usergrid_auth import Principal, Tokens
from harvester.simulator.usergrid_commands import OPTIONS as COMMANDS
from harvester.simulator.usergrid_data import Data
from harvester.simulator.usergrid_entities import Entity
from harvester.simulator.usergrid_jobs import Organizations
from harvester.simulator.usergrid_layouts import LAYOUTS, Key
from harvester.simulator.usergrid_logins import Logins, application_client
from harvester.simulator.usergrid_quirks import AS_DOCUMENTED, QUIRKS, Switches
from harvester.simulator.usergrid_shapes import ApiRefusal, GrantRefusal
from harvester.simulator.usergrid_store import Store
from harvester.simulator.world import World, millis

__all__ = ["QUIRKS", "FakeUsergrid", "options", "serve"]


class FakeUsergrid:
    """The fake and its records.

    `requests` counts by method and `token_calls` by grant type when a call arrives, whatever
    becomes of it. `violations` are sentences about what a good client never does. `between_pages`
    is called with the entities on each page that is made, before it goes out.
    """

    def __init__(self, world: World, switches: Switches) -> None:
        self.world = world
        self.switches = switches
        self.faults = Faults()
        self.tokens = Tokens(world, switches)
        self.logins = Logins(world, switches, self.tokens)
        self.violations = self.logins.violations
        self.requests: Counter[str] = Counter()
        self.token_calls: Counter[str] = Counter()
        self.url = ""
        self.between_pages: Callable[[Sequence[Entity]], None] | None = None
        self.data = Data(world, switches, self.tokens.now_ms, self.violations)
        self.organizations = Organizations(world, switches, self.tokens.now_ms)

    def truth(self, tenant: str) -> dict[Key, float | str]:
        """What is there now, and what somebody was told while it was."""
        return self.data.truth(tenant)

    def task_truth(self, tenant: str) -> dict[str, TaskTruth]:
        """All notifications, receipts, commands, imports and exports, by their identities."""
        return self.data.task_truth(tenant) | self.organizations.truth(tenant)

    def store(self, tenant: str) -> Store:
        """The entities of a tenant as they stand now, to be put, updated and deleted."""
        return self.data.bring(tenant)

    @property
    def index_lag(self) -> tuple[timedelta, timedelta]:
        """The shortest and the longest that the index takes to know what is written."""
        return self.data.indexing.lag

    @index_lag.setter
    def index_lag(self, lag: tuple[timedelta, timedelta]) -> None:
        self.data.indexing.lag = lag

    @property
    def index_loses(self) -> float:
        """The share of what is written that the index never knows."""
        return self.data.indexing.loses

    @index_loses.setter
    def index_loses(self, share: float) -> None:
        self.data.indexing.loses = share

    @property
    def index_down(self) -> bool:
        """Whether every query fails, while the graph is there."""
        return self.data.indexing.is_down

    @index_down.setter
    def index_down(self, is_down: bool) -> None:
        self.data.indexing.is_down = is_down

    def reindex(self, tenant: str) -> None:
        """Let the index know of what it lost."""
        self.data.reindex(tenant)

    def disable(self, user: str) -> None:
        """No login; tokens of the application go on, those of the management end."""
        self.logins.refused[user] = "user disabled"
        self.tokens.revoke_all(user, "admin")

    def deactivate(self, user: str) -> None:
        """No login, and no token serves any more."""
        self.logins.refused[user] = "user not activated"
        self.tokens.revoke_all(user)

    def enable(self, user: str) -> None:
        """Let a disabled or deactivated user log in again."""
        self.logins.refused.pop(user, None)

    def unconfirm(self, user: str) -> None:
        """No login at the management, until the e-mail address is confirmed."""
        self.logins.unconfirmed.add(user)

    def change_password(self, user: str, password: str) -> None:
        """Tokens go on all the same."""
        self.logins.passwords[user] = password

    def remove(self, user: str) -> None:
        """There is no such user any more, though there may be tokens."""
        self.tokens.removed.add(user)

    def revoke(self, user: str) -> None:
        """End all tokens of that user, as another program's logout does."""
        self.tokens.revoke_all(user)

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._word, self._befall])
        app.router.add_route("*", "/{path:.*}", self._answer)
        dating(app, self.tokens.now)
        return app

    @web.middleware
    async def _word(self, request: web.Request, handler: Answer) -> web.StreamResponse:
        try:
            return await handler(request)
        except GrantRefusal as refusal:
            return web.json_response(refusal.body, status=refusal.status)
        except Refusal as refusal:
            body = shapes.refusal(refusal, self.tokens.now_ms())
            return web.json_response(body, status=refusal.status, headers=refusal.headers)

    @web.middleware
    async def _befall(self, request: web.Request, handler: Answer) -> web.StreamResponse:
        self.requests[request.method] += 1
        if asked.path(request)[-1:] != ["token"]:
            answer = await self.faults.answer(request, handler)
            self.data.delivered(answer)
            return answer
        params = asked.with_basic(request, await asked.params(request))
        self._note(request, params)
        # Around the faults, so that a login that is held back is still seen as under way.
        with self.logins.under_way(params):
            return await self.faults.answer(request, handler)

    def _note(self, request: web.Request, params: dict[str, str]) -> None:
        self.token_calls[params.get("grant_type", "")] += 1
        if asked.bearer(request):
            self.violations.append("a token sent with a login")
        if {"password", "client_secret"} & set(request.query):
            self.violations.append("a secret in the URL of a login")

    async def _answer(self, request: web.Request) -> web.Response:
        """The filters before any route look at whatever credentials there are."""
        principal = self.logins.principal(request)
        match request.method, asked.path(request):
            case "GET" | "POST", ["management", "token"]:
                return await self._management_token(request, principal)
            case "GET" | "POST", [organization, application, "token"]:
                tenant = self._tenant(organization, application)
                return await self._token(request, tenant)
            case "POST" | "PUT", [*place, "users", who, "revoketoken" | "revoketokens" as which]:
                return self._revoked(request, self._owned(principal, place, who), which)
            case "GET", ["management", "me"]:
                return self._admin(principal)
            case _, ["management", "orgs" | "organizations", organization, *parts]:
                return await self.organizations.answer(request, principal, organization, parts)
            case "GET", [organization, application, "users", "me"]:
                return self._me(principal, self._tenant(organization, application))
            case "GET", [organization, application]:
                return self._application(principal, self._tenant(organization, application))
            case _, [organization, application, *parts] if parts != ["token"]:
                tenant = self._tenant(organization, application)
                return await self._of_data(request, principal, tenant, parts)
        raise ApiRefusal(404, "service_resource_not_found", "Service resource not found")

    async def _of_data(
        self, request: web.Request, principal: Principal | None, tenant: Tenant, parts: list[str]
    ) -> web.Response:
        self._check_may_see(principal, tenant)
        if request.method == "GET":
            return self.data.answer(request, tenant, parts, self.between_pages)
        return await self.data.write(request, tenant, parts)

    async def _token(self, request: web.Request, tenant: Tenant | None) -> web.Response:
        params = asked.with_basic(request, await asked.params(request))
        return web.json_response(self.logins.at(tenant, params))

    async def _management_token(
        self, request: web.Request, principal: Principal | None
    ) -> web.Response:
        if principal and principal.level == "admin":  # a new one without a password: a curiosity
            return web.json_response(self.tokens.issue(principal, 0))
        return await self._token(request, None)

    def _tenant(self, organization: str, application: str) -> Tenant:
        """By names in any case, or by UUIDs."""
        place = (organization.lower(), application.lower())
        for tenant in self.world.tenants.values():
            names = (tenant.name, shapes.APPLICATION)
            if place in (names, (shapes.organization_id(tenant), shapes.application_id(tenant))):
                return tenant
        told = f"Could not find application for {'/'.join(place)} from URI: /"
        raise ApiRefusal(404, "organization_application_not_found", told)

    def _owned(self, principal: Principal | None, place: list[str], who: str) -> User:
        """The user whose tokens shall end, at the instance of that user."""
        if principal is None or principal.user is None or not self._may_end(principal, place):
            raise shapes.forbidden()
        user = principal.user
        if who not in ("me", user.id, user.name, shapes.username(user)):
            raise shapes.forbidden()
        return user

    def _may_end(self, principal: Principal, place: list[str]) -> bool:
        if place == ["management"]:
            return principal.level == "admin"
        if len(place) != 2 or principal.level != "user" or self.switches.guarded:
            return False
        return self._tenant(*place) is principal.tenant

    def _revoked(self, request: web.Request, user: User, which: str) -> web.Response:
        if which == "revoketokens":
            self.tokens.revoke_all(user.name)
        elif text := request.query.get("token"):
            self.tokens.revoke(text)
        else:
            raise ApiRefusal(400, "illegal_argument", "token is required")
        return self._enveloped(action="revoked user token")

    def _me(self, principal: Principal | None, tenant: Tenant) -> web.Response:
        """A good token of a user always gets this, whatever the user may see beside."""
        if principal is None or principal.tenant is not tenant:
            raise shapes.forbidden()
        if principal.level != "user" or principal.user is None:
            raise ApiRefusal(404, "service_resource_not_found", "Service resource not found")
        user = shapes.user_entity(principal.user, millis(self.world.since))
        return self._enveloped(action="get", entities=[user], count=1)

    def _admin(self, principal: Principal | None) -> web.Response:
        if principal is None or principal.user is None or principal.level != "admin":
            raise ApiRefusal(401, "unauthorized", "No admin identity for access credentials")
        return web.json_response({"user": shapes.admin(principal.tenant, principal.user)})

    def _check_may_see(self, principal: Principal | None, tenant: Tenant) -> None:
        if principal is None or principal.tenant is not tenant:
            raise shapes.forbidden()
        if principal.level == "user" and self.switches.guarded:
            raise shapes.forbidden()

    def _application(self, principal: Principal | None, tenant: Tenant) -> web.Response:
        self._check_may_see(principal, tenant)
        return self._enveloped(
            action="get", entities=[shapes.application(tenant, millis(self.world.since))]
        )

    def _enveloped(self, **members: object) -> web.Response:
        return web.json_response(shapes.envelope(self.tokens.now_ms(), **members))


def options(tenant: Tenant, url: str) -> dict[str, object]:
    """Return the options of a configured tenant that reach `tenant` at a fake served at `url`."""
    client = application_client(tenant)
    return {
        "base_url": url,
        "organization": tenant.name,
        "application": shapes.APPLICATION,
        "client_id": client.id,
        "client_secret": Secret(client.secret),
        "readings": [layout.options() for layout in LAYOUTS],
        "tasks": [COMMANDS],
        "notifications": True,
    }


def serve(
    world: World, *, switches: Switches = AS_DOCUMENTED, port: int = 0
) -> AbstractAsyncContextManager[FakeUsergrid]:
    """Serve `world` as a Usergrid on 127.0.0.1, on a free port unless one is given."""
    return listening(FakeUsergrid(world, switches), port)
