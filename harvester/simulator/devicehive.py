"""A fake DeviceHive: its token endpoints, and reads that tell whether a token is good.

One server speaks for all tenants of a world, with the API and the auth service under the paths of
the vendor's proxy. Routes and answers are those of the vendor's documents and open server.
"""

import json
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from aiohttp import web

from harvester.simulator import devicehive_shapes as shapes
from harvester.simulator.devicehive_auth import Asked, Bearer, ContainerRefusal, Payload, Tokens
from harvester.simulator.devicehive_quirks import AS_DOCUMENTED, QUIRKS, Switches
from harvester.simulator.devicehive_site import ACTIVE, DISABLED, Network
from harvester.simulator.faults import Answer, Faults, Refusal
from harvester.simulator.serving import counting, dating, listening
from harvester.simulator.tenants import Tenant
from harvester.simulator.world import World

__all__ = ["QUIRKS", "FakeDevicehive", "options", "serve"]

API, AUTH = "/api/rest", "/auth/rest"
GET_NETWORK, GET_DEVICE, GET_CURRENT_USER = 2, 3, 10
GRANTS = {"token": "password", "refresh": "refresh_token", "create": "create"}
"""What a token call is counted as, by the last part of its path."""


class FakeDevicehive:
    """The fake and its records.

    `requests` counts by "METHOD /route", `token_calls` by password, refresh_token and create, both
    when a call arrives, whatever becomes of it. `violations` are sentences about what a good client
    never does.
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

    def disable(self, user: str) -> None:
        """Disable the account of that login: none of its tokens serves until it is active."""
        self.tokens.site.accounts[user].status = DISABLED

    def enable(self, user: str) -> None:
        """Make a disabled or locked account active again, as only an admin can."""
        self.tokens.site.accounts[user].status = ACTIVE

    def assign(self, user: str, network: int) -> None:
        """Let the user of that login into a network; its tokens do not know of it."""
        self.tokens.site.accounts[user].networks.add(network)

    def change_secret(self) -> None:
        """Sign with another secret from now on, as after a restart: no token serves any more."""
        self.tokens.change_secret()

    def app(self) -> web.Application:
        app = web.Application(middlewares=[counting(self.requests), self._word, self._befall])
        for base in (API, AUTH):
            app.add_routes(
                [
                    web.post(f"{base}/token", self._login),
                    web.post(f"{base}/token/refresh", self._refresh),
                    web.get(f"{base}/info", self._info),
                ]
            )
            if self.switches.knows_create:
                app.add_routes([web.post(f"{base}/token/create", self._create)])
        app.add_routes(
            [
                web.get(f"{API}/device", self._devices),
                web.get(f"{API}/network", self._networks),
                web.get(f"{API}/user/current", self._user),
            ]
        )
        dating(app, self.tokens.now)
        return app

    @web.middleware
    async def _word(self, request: web.Request, handler: Answer) -> web.StreamResponse:
        try:
            return await handler(request)
        except ContainerRefusal as refusal:
            told = (refusal.message, self.switches, self.tokens.now())
            return shapes.unauthorized(request.path, *told)
        except Refusal as refusal:
            answer = shapes.error(refusal.status, refusal.message)
            answer.headers.update(refusal.headers)
            return answer
        except web.HTTPException as error:
            return shapes.error(error.status, f"HTTP {error.status} {error.reason}")

    @web.middleware
    async def _befall(self, request: web.Request, handler: Answer) -> web.StreamResponse:
        grant = GRANTS.get(request.path.rpartition("/")[2])
        if request.method != "POST" or grant is None:
            return await self.faults.answer(request, handler)
        self.token_calls[grant] += 1
        if grant != "refresh_token":
            return await self.faults.answer(request, handler)
        # Around the faults, so that a refresh that is held back is still seen as under way.
        with self.tokens.refreshing(await _asked(request)):
            return await self.faults.answer(request, handler)

    async def _login(self, request: web.Request) -> web.Response:
        return await self._without_bearer(request, self.tokens.login)

    async def _refresh(self, request: web.Request) -> web.Response:
        return await self._without_bearer(request, self.tokens.refresh)

    async def _create(self, request: web.Request) -> web.Response:
        bearer = self.tokens.bearer(request.headers.get("Authorization"))
        return web.json_response(self.tokens.create(bearer, await _asked(request)), status=201)

    async def _without_bearer(
        self, request: web.Request, answer: Callable[[Asked], Payload]
    ) -> web.Response:
        """These take anybody, but look at a bearer first if there is one."""
        header = request.headers.get("Authorization")
        if header is not None:
            self.violations.append(f"a bearer was sent with POST {request.path}")
            self.tokens.bearer(header)
        return web.json_response(answer(await _asked(request)), status=201)

    async def _info(self, request: web.Request) -> web.Response:
        told = {
            "apiVersion": self.switches.version,
            "serverTimestamp": shapes.instant(self.tokens.now()),
            "webSocketServerUrl": f"ws://{request.host}/api/websocket",
        }
        return web.json_response(told)

    async def _devices(self, request: web.Request) -> web.Response:
        rows = [
            shapes.device(thing, network)
            for network in self._visible(self._bearer(request, GET_DEVICE))
            for thing in network.devices
        ]
        return web.json_response(rows)

    async def _networks(self, request: web.Request) -> web.Response:
        networks = self._visible(self._bearer(request, GET_NETWORK))
        return web.json_response([shapes.network(each) for each in networks])

    async def _user(self, request: web.Request) -> web.Response:
        bearer = self._bearer(request, GET_CURRENT_USER)
        return web.json_response(shapes.user(bearer.account, self._visible(bearer)))

    def _bearer(self, request: web.Request, action: int) -> Bearer:
        bearer = self.tokens.bearer(request.headers.get("Authorization"))
        if not bearer.may(action):
            raise Refusal(403, "Access is denied")
        return bearer

    def _visible(self, bearer: Bearer) -> list[Network]:
        """What the token is good for, of what is the user's now."""
        named = bearer.networks
        networks = self.tokens.site.visible(bearer.account)
        return [each for each in networks if "*" in named or str(each.id) in named]


def options(tenant: Tenant, url: str) -> dict[str, object]:
    """Return the options of a configured tenant that reach `tenant` at a fake served at `url`."""
    del tenant  # all are reached the same way
    return {"base_url": f"{url}{API}", "auth_url": f"{url}{AUTH}"}


def serve(
    world: World, *, switches: Switches = AS_DOCUMENTED, port: int = 0
) -> AbstractAsyncContextManager[FakeDevicehive]:
    """Serve `world` as DeviceHive on 127.0.0.1, on a free port unless one is given."""
    return listening(FakeDevicehive(world, switches), port)


async def _asked(request: web.Request) -> Asked:
    """The JSON object of a body; a body without a type is taken for JSON."""
    if "Content-Type" in request.headers and request.content_type != "application/json":
        raise Refusal(415, "HTTP 415 Unsupported Media Type")
    try:
        told = json.loads(await request.text())
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise Refusal(400, "Invalid request parameters")
    return told
