"""A fake Coiote: its ways in, and the list of devices, over a real socket on loopback.

One server speaks for all tenants of a world; which one is meant follows from the user, from the
realm or from the token. Written after the vendor's page on access, an older guide of it, and what
its open clients send; what those leave open is a switch.
"""

from collections import Counter
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

from aiohttp import web

from harvester.simulator.coiote_auth import EXCHANGE, GrantRefusal, Tokens
from harvester.simulator.coiote_quirks import AS_DOCUMENTED, QUIRKS, Switches
from harvester.simulator.fakes import Secret
from harvester.simulator.faults import Answer, Faults, Refusal
from harvester.simulator.serving import counting, listening
from harvester.simulator.tenants import Tenant
from harvester.simulator.world import World

__all__ = ["EXCHANGE", "QUIRKS", "FakeCoiote", "options", "serve"]


class FakeCoiote:
    """The fake and its records.

    `requests` counts by "METHOD /route", `token_calls` by grant type, or by "invalidate_token",
    both when a call arrives. `violations` are sentences about what a good client never does.
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
        self._forbidden: set[str] = set()

    def disable(self, account: str) -> None:
        """No login of that user or client; what it has goes on until its end."""
        self.tokens.disabled.add(account)

    def enable(self, account: str) -> None:
        """Let a disabled user or client in again."""
        self.tokens.disabled.discard(account)

    def revoke(self, account: str) -> None:
        """End the tokens of that user or client before their time."""
        self.tokens.revoke(account)

    def forbid(self, account: str) -> None:
        """Take the permission to list devices from that user or client."""
        self._forbidden.add(account)

    def token_by_hand(self, user: str, life: timedelta) -> str:
        """Give out a token as that user makes one in the profile."""
        return self.tokens.by_hand(user, life)

    def app(self) -> web.Application:
        app = web.Application(middlewares=[counting(self.requests), self._word, self._befall])
        app.add_routes(
            [
                web.post("/api/auth/oauth_password", self._login),
                web.post("/api/auth/invalidate_token", self._invalidate),
                web.post("/iam/realms/{realm}/protocol/openid-connect/token", self._realm),
                web.get("/api/coiotedm/v3/devices", self._devices),
            ]
        )
        return app

    @web.middleware
    async def _word(self, request: web.Request, handler: Answer) -> web.StreamResponse:
        try:
            return await handler(request)
        except GrantRefusal as refusal:
            return web.json_response(refusal.body, status=refusal.status)
        except Refusal as refusal:
            answer = self._error(refusal.status, refusal.message)
            answer.headers.update(refusal.headers)
            return answer
        except web.HTTPException as error:
            return self._error(error.status, error.reason)

    def _error(self, status: int, message: str) -> web.Response:
        """A refusal in one of the two forms that were seen, or in none."""
        if self.switches.errors == "empty":
            return web.Response(status=status)
        if self.switches.errors == "html":
            page = f"<!doctype html><h1>{status}</h1>"
            return web.Response(text=page, status=status, content_type="text/html")
        if self.switches.errors == "error":
            return web.json_response({"error": message}, status=status)
        return web.json_response({"message": message, "code": status * 10}, status=status)

    @web.middleware
    async def _befall(self, request: web.Request, handler: Answer) -> web.StreamResponse:
        if request.method != "POST":
            return await self.faults.answer(request, handler)
        if request.path.endswith("/invalidate_token"):
            self.token_calls["invalidate_token"] += 1
            return await self.faults.answer(request, handler)
        form = await _form(request)
        self.token_calls[form.get("grant_type", "password")] += 1
        if "Authorization" in request.headers:
            self.violations.append("an Authorization header sent with a login")
        # Around the faults, so that a login that is held back is still seen as under way.
        with self.tokens.login(form.get("username", form.get("client_id", ""))):
            return await self.faults.answer(request, handler)

    async def _login(self, request: web.Request) -> web.Response:
        answer = self.tokens.by_password(await _form(request))
        return web.json_response(answer, status=self.switches.status)

    async def _realm(self, request: web.Request) -> web.Response:
        tenant = self.world.tenants.get(request.match_info["realm"])
        if tenant is None:
            return web.json_response({"error": "Realm does not exist"}, status=404)
        return web.json_response(self.tokens.at_realm(tenant, await _form(request)))

    async def _invalidate(self, request: web.Request) -> web.Response:
        try:
            text = str((await request.json())["token"])
        except (ValueError, KeyError, TypeError):
            raise Refusal(400, "A token is required") from None
        self.tokens.invalidate(text)
        return web.Response(status=204)

    async def _devices(self, request: web.Request) -> web.Response:
        """All ids that the token's account may see, without paging."""
        token = self.tokens.bearer(request.headers.get("Authorization"))
        if token.account in self._forbidden:
            raise Refusal(403, "Forbidden")
        user, things = token.user, token.tenant.things
        return web.json_response(
            [thing.uuid for thing in things if user is None or user.name in thing.seen_by]
        )


def options(tenant: Tenant, url: str) -> dict[str, object]:
    """Return the options of a configured tenant that reach `tenant` at a fake served at `url`."""
    return {
        "base_url": url,
        "realm": tenant.name,
        "client_id": tenant.admin_client.id,
        "client_secret": Secret(tenant.admin_client.secret),
    }


def serve(
    world: World, *, switches: Switches = AS_DOCUMENTED, port: int = 0
) -> AbstractAsyncContextManager[FakeCoiote]:
    """Serve `world` as Coiote on 127.0.0.1, on a free port unless one is given."""
    return listening(FakeCoiote(world, switches), port)


async def _form(request: web.Request) -> dict[str, str]:
    if request.content_type != "application/x-www-form-urlencoded":
        raise Refusal(400, "A form is required")
    form = await request.post()
    return {key: value for key, value in form.items() if isinstance(value, str)}
