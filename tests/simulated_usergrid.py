"""A Usergrid at play, with the smallest possible client: what the tests of the fake stand on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import ClientSession

from harvester.simulator.clock import HandClock
from harvester.simulator.tenants import Client, Tenant, User
from harvester.simulator.usergrid import FakeUsergrid, serve
from harvester.simulator.usergrid_entities import Entity
from harvester.simulator.usergrid_quirks import AS_DOCUMENTED, Switches
from harvester.simulator.world import World

NOW = datetime(2026, 3, 4, 10, 30, tzinfo=UTC)
ME, TOKEN, MANAGEMENT = "/acme/plant7/users/me", "/acme/plant7/token", "/management/token"
REFUSED = {"error": "invalid_grant", "error_description": "invalid username or password"}

Reply = tuple[int, Any]


@dataclass(slots=True)
class Play:
    """The fake, its clock, one tenant of its world, and a client session without any wits."""

    fake: FakeUsergrid
    clock: HandClock
    http: ClientSession

    @property
    def acme(self) -> Tenant:
        return self.fake.world.tenants["acme"]

    @property
    def ana(self) -> User:
        return self.acme.users[0]

    def password(self, **changes: object) -> dict[str, object]:
        asked: dict[str, object] = {"grant_type": "password", "username": self.ana.name}
        return asked | {"password": self.ana.password} | changes

    async def send(self, method: str, path: str, bearer: str = "", **more: Any) -> Reply:
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        headers |= more.pop("headers", {})
        url = self.fake.url + path
        async with self.http.request(method, url, headers=headers, **more) as answer:
            return answer.status, await answer.json()

    async def token(self, path: str = TOKEN, **changes: object) -> Reply:
        return await self.send("POST", path, json=self.password(**changes))

    async def login(self, path: str = TOKEN, **changes: object) -> str:
        status, body = await self.token(path, **changes)
        assert status == 200, body
        return str(body["access_token"])

    async def client(self, client: Client, path: str = TOKEN, **more: object) -> Reply:
        asked = {"grant_type": "client_credentials", "client_id": client.id}
        return await self.send("POST", path, json=asked | {"client_secret": client.secret} | more)

    async def read(self, path: str, bearer: str, **params: object) -> Any:
        """The body of what is below the application, which must be a good one."""
        asked = {name: str(value) for name, value in params.items()}
        status, body = await self.send("GET", f"/acme/plant7/{path}", bearer, params=asked)
        assert status == 200, body
        return body

    async def numbers(self, path: str, bearer: str, **params: object) -> list[Any]:
        """The property `n` of all rows, page by page."""
        page = await self.read(path, bearer, **params)
        told = [row.get("n") for row in page["entities"]]
        while cursor := page.get("cursor"):
            page = await self.read(path, bearer, cursor=cursor, **params)
            told += [row.get("n") for row in page["entities"]]
        return told

    def put(self, *properties: object, apart: int = 1, **more: Any) -> list[Entity]:
        """Write readings, so many ms apart; the last one so long ago. A number is a property."""
        store, now = self.fake.store("acme"), self.fake.tokens.now_ms()
        told = [each if isinstance(each, dict) else {"n": each} for each in properties]
        begin = now - apart * len(told)
        return [
            store.put("readings", each, begin + apart * number, **more)
            for number, each in enumerate(told)
        ]

    def later(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    async def why_not(self, bearer: str, path: str = ME) -> str:
        """The code of a 401, or nothing."""
        status, body = await self.send("GET", path, bearer)
        assert status in (200, 401)
        return str(body.get("error", ""))


@asynccontextmanager
async def playing(switches: Switches = AS_DOCUMENTED, **world: Any) -> AsyncIterator[Play]:
    clock = HandClock(NOW)
    made = World(7, clock, NOW - timedelta(days=2), **world)
    async with serve(made, switches=switches) as fake, ClientSession() as http:
        yield Play(fake, clock, http)
