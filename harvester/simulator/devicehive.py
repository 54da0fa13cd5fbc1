"""A fake DeviceHive: token endpoints, devices, and a cache of messages, over real sockets.

One server speaks for all tenants of a world, with the API and the auth service under the paths of
the vendor's proxy. Routes and answers are those of the vendor's documents and open server.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, suppress

from aiohttp import web

from harvester.simulator import devicehive_asked as asking, devicehive_shapes as shapes
from harvester.simulator.devicehive_actions import Actions, Doors, Verbs
from harvester.simulator.devicehive_asked import Asked
from harvester.simulator.devicehive_auth import ContainerRefusal, Payload, Tokens
from harvester.simulator.devicehive_cache import Cache
from harvester.simulator.devicehive_devices import Devices
from harvester.simulator.devicehive_flow import Arrival, Flow, Key
from harvester.simulator.devicehive_messages import Messages
from harvester.simulator.devicehive_polls import Polls
from harvester.simulator.devicehive_quirks import AS_DOCUMENTED, QUIRKS, Switches
from harvester.simulator.devicehive_rest import Rest
from harvester.simulator.devicehive_rights import Rights
from harvester.simulator.devicehive_site import ACTIVE, DISABLED
from harvester.simulator.devicehive_socket import Sockets
from harvester.simulator.devicehive_subscriptions import Subscriptions
from harvester.simulator.fakes import TaskTruth
from harvester.simulator.faults import Answer, Fault, Faults, Refusal, hang
from harvester.simulator.serving import counting, dating, listening
from harvester.simulator.tenants import Tenant
from harvester.simulator.world import World

__all__ = ["QUIRKS", "FakeDevicehive", "options", "serve"]

API, AUTH, SOCKET = "/api/rest", "/auth/rest", "/api/websocket"
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
        self.cache = Cache(world, switches)
        self.flow = Flow(world, switches, self.tokens.site, self.cache)
        self.rights = Rights(self.tokens.site)
        self.devices = Devices(self.rights, self.cache, self.flow, self.violations)
        self.messages = Messages(self.rights, self.cache, self.flow, switches, self.violations)
        self.polls = Polls(self.rights, self.cache, self.flow, switches, world.clock)
        self.sockets = self._sockets()

    def truth(self, tenant: str) -> dict[Key, float | str]:
        """All readings that came in so far: of two of one device, channel and instant the later."""
        return self.flow.truth(tenant)

    def arrivals(self, tenant: str) -> list[Arrival]:
        """Each reading with the instant at which it came in, by the platform's clock; in that
        order. One that was corrected stands there again."""
        return self.flow.arrivals(tenant)

    def task_truth(self, tenant: str) -> dict[str, TaskTruth]:
        """All commands that came in, by "device/id/timestamp" as the platform says them."""
        return self.flow.tasks(tenant)

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

    def move(self, device: str, network: int) -> None:
        """Put the device into another network."""
        self.tokens.site.devices[device].network = network

    def delete(self, device: str) -> None:
        """Delete the device: what it would send does not come in any more."""
        self.flow.settle()
        del self.tokens.site.devices[device]

    def hang(self, device: str) -> Fault:
        """Answer nothing that is asked of the device, until the fault is taken out."""
        return self.faults.add(
            Fault(lambda request: request.match_info.get("device") == device, hang(), times=None)
        )

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
        rest = Rest(self.tokens, self.devices, self.messages, self.polls)
        app.add_routes(rest.routes(API))
        app.add_routes([web.get(SOCKET, self.sockets.accept)])
        app.cleanup_ctx.append(self._flowing)
        dating(app, self.tokens.now)
        return app

    def _sockets(self) -> Sockets:
        doors = Doors(self.tokens, self.token_calls, self.cache, self.switches)
        verbs = Verbs(self.devices, self.messages)
        subscriptions = Subscriptions(self.rights, self.cache, self.polls, self.switches)
        actions = Actions(doors, verbs, subscriptions, self.violations)
        return Sockets(self.world.clock, actions.act, self.flow.bring, self.violations)

    async def _flowing(self, _app: web.Application) -> AsyncIterator[None]:
        """Let the world's messages come in as its clock moves, while anybody waits for them."""
        flowing = asyncio.create_task(self._flow_on())
        yield
        flowing.cancel()
        with suppress(asyncio.CancelledError):
            await flowing

    async def _flow_on(self) -> None:
        while True:
            await self.cache.followed.wait()
            await self.flow.next()

    @web.middleware
    async def _word(self, request: web.Request, handler: Answer) -> web.StreamResponse:
        try:
            answer = await handler(request)
            if answer.content_type == "application/json":
                answer.content_type = self.switches.content_type
            return answer
        except ContainerRefusal as refusal:
            told = (refusal.message, self.switches, self.tokens.now())
            return shapes.unauthorized(request.path, *told)
        except Refusal as refusal:
            refused = shapes.error(refusal.status, refusal.message)
            refused.headers.update(refusal.headers)
            return refused
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
        with self.tokens.refreshing(await asking.body(request)):
            return await self.faults.answer(request, handler)

    async def _login(self, request: web.Request) -> web.Response:
        return await self._without_bearer(request, self.tokens.login)

    async def _refresh(self, request: web.Request) -> web.Response:
        return await self._without_bearer(request, self.tokens.refresh)

    async def _create(self, request: web.Request) -> web.Response:
        bearer = self.tokens.bearer(request.headers.get("Authorization"))
        return web.json_response(self.tokens.create(bearer, await asking.body(request)), status=201)

    async def _without_bearer(
        self, request: web.Request, answer: Callable[[Asked], Payload]
    ) -> web.Response:
        """These take anybody, but look at a bearer first if there is one."""
        header = request.headers.get("Authorization")
        if header is not None:
            self.violations.append(f"a bearer was sent with POST {request.path}")
            self.tokens.bearer(header)
        return web.json_response(answer(await asking.body(request)), status=201)

    async def _info(self, request: web.Request) -> web.Response:
        told = {
            "apiVersion": self.switches.version,
            "serverTimestamp": shapes.stamp(self.cache.stamp(), self.switches),
            "webSocketServerUrl": f"ws://{request.host}{SOCKET}",
        }
        return web.json_response(told)


def options(tenant: Tenant, url: str) -> dict[str, object]:
    """Return the options of a configured tenant that reach `tenant` at a fake served at `url`."""
    del tenant  # all are reached the same way
    return {"base_url": f"{url}{API}", "auth_url": f"{url}{AUTH}"}


def serve(
    world: World, *, switches: Switches = AS_DOCUMENTED, port: int = 0
) -> AbstractAsyncContextManager[FakeDevicehive]:
    """Serve `world` as DeviceHive on 127.0.0.1, on a free port unless one is given."""
    return listening(FakeDevicehive(world, switches), port)
