"""A fake Coiote: ways in, devices, their history and latest values, over a real socket on loopback.

One server speaks for all tenants of a world; which one is meant follows from the user, from the
realm or from the token. Written after the vendor's pages, an older guide, and what its open
clients send and take; what those leave open is a switch.
"""

from collections import Counter
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

from aiohttp import web

from harvester.simulator.coiote_auth import EXCHANGE, GrantRefusal, Tokens
from harvester.simulator.coiote_devices import Devices
from harvester.simulator.coiote_errors import code_of
from harvester.simulator.coiote_models import Models
from harvester.simulator.coiote_monitoring import Key, Monitoring
from harvester.simulator.coiote_objects import TEXTS
from harvester.simulator.coiote_quirks import AS_DOCUMENTED, QUIRKS, Switches
from harvester.simulator.coiote_reports import Reports
from harvester.simulator.coiote_rest import Rest
from harvester.simulator.coiote_rights import Rights
from harvester.simulator.coiote_site import Site
from harvester.simulator.fakes import Secret, TaskTruth
from harvester.simulator.faults import Answer, Faults, Refusal
from harvester.simulator.serving import counting, dating, listening
from harvester.simulator.tenants import Tenant
from harvester.simulator.world import World, millis

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
        self.site = Site(world, switches)
        self._rights = Rights(switches, self.tokens.now)
        self._monitoring = Monitoring(world, switches, self.site, self.violations)
        self._models = Models(world, switches, self.site, self._monitoring.points)
        self._reports = Reports(world, switches, self.site)

    def truth(self, tenant: str) -> dict[Key, float | str]:
        """All that came in of what has a history: of two points of one instant the greater holds.

        Of what has none, battery and signal, that which was told whenever somebody asked, and what
        is to be told now.
        """
        return self._monitoring.truth(tenant) | self._models.truth(tenant)

    def task_truth(self, tenant: str) -> dict[str, TaskTruth]:
        """All that was begun, by "task device", wherever the device is now."""
        return self._reports.truth(tenant)

    def disable(self, account: str) -> None:
        """No login of that user or client; what it has goes on until its end."""
        self.tokens.disabled.add(account)

    def enable(self, account: str) -> None:
        """Let a disabled user or client in again."""
        self.tokens.disabled.discard(account)

    def revoke(self, account: str) -> None:
        """End the tokens of that user or client before their time."""
        self.tokens.revoke(account)

    def forbid(self, account: str, route: str | None = None) -> None:
        """Take a permission from that user or client, by its route; or all of them."""
        self._rights.forbid(account, route)

    def token_by_hand(self, user: str, life: timedelta) -> str:
        """Give out a token as that user makes one in the profile."""
        return self.tokens.by_hand(user, life)

    def move(self, device: str, domain: str) -> None:
        """Put the device into another domain, such as "/acme/depot/": its history is gone."""
        self.site.devices[device].move(domain, millis(self.world.clock.now()))

    def delete(self, device: str) -> None:
        """Delete the device, with all that can be asked of it."""
        self.move(device, "")

    def leave(self, device: str) -> None:
        """Take the device off the air: it keeps what it would say."""
        self._monitoring.points.leave(self.site.devices[device].thing)

    def come_back(self, device: str) -> None:
        """Have it tell all that it kept."""
        self._monitoring.points.come_back(self.site.devices[device].thing)

    def stop_monitoring(self, device: str) -> None:
        """Switch the device's monitoring off: what is asked of its history is refused."""
        self.site.devices[device].is_monitored = False

    def app(self) -> web.Application:
        app = web.Application(middlewares=[counting(self.requests), self._word, self._befall])
        app.add_routes(
            [
                web.post("/api/auth/oauth_password", self._login),
                web.post("/api/auth/invalidate_token", self._invalidate),
                web.post("/iam/realms/{realm}/protocol/openid-connect/token", self._realm),
            ]
        )
        app.add_routes(self._rest().routes())
        dating(app, self.tokens.now)
        return app

    def _rest(self) -> Rest:
        known = (self.world, self.switches, self.site, self._monitoring.points)
        devices = Devices(*known, self.violations)
        parts = (devices, self._monitoring, self._models, self._reports)
        return Rest(self.tokens, self._rights, self.switches, *parts)

    @web.middleware
    async def _word(self, request: web.Request, handler: Answer) -> web.StreamResponse:
        try:
            return await handler(request)
        except GrantRefusal as refusal:
            return web.json_response(refusal.body, status=refusal.status)
        except Refusal as refusal:
            answer = self._error(refusal)
            answer.headers.update(refusal.headers)
            return answer
        except web.HTTPException as error:
            return self._error(Refusal(error.status, error.reason))

    def _error(self, refusal: Refusal) -> web.Response:
        """A refusal in one of the two forms that were seen, or in none."""
        status, message = refusal.status, refusal.message
        if self.switches.errors == "empty":
            return web.Response(status=status)
        if self.switches.errors == "html":
            page = f"<!doctype html><h1>{status}</h1>"
            return web.Response(text=page, status=status, content_type="text/html")
        if self.switches.errors == "error":
            return web.json_response({"error": message}, status=status)
        return web.json_response({"message": message, "code": code_of(refusal)}, status=status)

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


def options(tenant: Tenant, url: str) -> dict[str, object]:
    """Return the options of a configured tenant that reach `tenant` at a fake served at `url`."""
    return {
        "base_url": url,
        "realm": tenant.name,
        "client_id": tenant.admin_client.id,
        "client_secret": Secret(tenant.admin_client.secret),
        "objects": [TEXTS],
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
