"""A fake Apache Usergrid: its token endpoints and what tells whether a token is good.

Each tenant of a world is an organization with one application. Routes, codes and words are those
of the server's open source, of which 2.1.0 and 2.2 differ where a switch says so. The routes of
readings are not there yet.
"""

from collections import Counter
from contextlib import AbstractAsyncContextManager

from aiohttp import web

from harvester.simulator import usergrid_asked as asked, usergrid_shapes as shapes
from harvester.simulator.fakes import Secret
from harvester.simulator.faults import Answer, Faults, Refusal
from harvester.simulator.serving import dating, listening
from harvester.simulator.tenants import Tenant, User
from harvester.simulator.usergrid_auth import Principal, Tokens
from harvester.simulator.usergrid_logins import Logins, application_client
from harvester.simulator.usergrid_quirks import AS_DOCUMENTED, QUIRKS, Switches
from harvester.simulator.usergrid_shapes import ApiRefusal, GrantRefusal
from harvester.simulator.world import World, millis

__all__ = ["QUIRKS", "FakeUsergrid", "options", "serve"]


class FakeUsergrid:
    """The fake and its records.

    `token_calls` counts by grant type when a call arrives, whatever becomes of it. `violations` are
    sentences about what a good client never does.
    """

    def __init__(self, world: World, switches: Switches) -> None:
        self.world = world
        self.switches = switches
        self.faults = Faults()
        self.tokens = Tokens(world, switches)
        self.logins = Logins(world, switches, self.tokens)
        self.violations = self.logins.violations
        self.token_calls: Counter[str] = Counter()
        self.url = ""

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
        if asked.path(request)[-1:] != ["token"]:
            return await self.faults.answer(request, handler)
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
        principal = self._principal(request)
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
            case "GET", [organization, application, "users", "me"]:
                return self._me(principal, self._tenant(organization, application))
            case "GET", [organization, application]:
                return self._application(principal, self._tenant(organization, application))
        raise ApiRefusal(404, "service_resource_not_found", "Service resource not found")

    def _principal(self, request: web.Request) -> Principal | None:
        if text := asked.bearer(request):
            return self.tokens.bearer(text)
        try:
            if client := asked.basic(request):
                return self.logins.client(client)
        except GrantRefusal:
            told = "Unable to authenticate due to invalid client credentials"
            raise ApiRefusal(401, "auth_invalid_credentials", told) from None
        try:
            if client := asked.client_in_query(request):
                return self.logins.client(client)
        except GrantRefusal:
            raise ApiRefusal(401, "invalid_client", "Unable to authenticate (OAuth)") from None
        return None

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

    def _application(self, principal: Principal | None, tenant: Tenant) -> web.Response:
        if principal is None or principal.tenant is not tenant:
            raise shapes.forbidden()
        if principal.level == "user" and self.switches.guarded:
            raise shapes.forbidden()
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
    }


def serve(
    world: World, *, switches: Switches = AS_DOCUMENTED, port: int = 0
) -> AbstractAsyncContextManager[FakeUsergrid]:
    """Serve `world` as a Usergrid on 127.0.0.1, on a free port unless one is given."""
    return listening(FakeUsergrid(world, switches), port)
