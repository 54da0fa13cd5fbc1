"""A DeviceHive at play, with the smallest possible client: what the tests of the fake stand on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import ClientSession

from harvester.simulator.clock import HandClock
from harvester.simulator.devicehive import FakeDevicehive, serve
from harvester.simulator.devicehive_jwt import opened
from harvester.simulator.devicehive_quirks import AS_DOCUMENTED, Switches
from harvester.simulator.tenants import User
from harvester.simulator.world import World

NOW = datetime(2026, 3, 4, 10, 30, tzinfo=UTC)

Reply = tuple[int, Any]  # status, parsed JSON


@dataclass(slots=True)
class Play:
    """The fake, its clock, and a client session without any wits."""

    fake: FakeDevicehive
    clock: HandClock
    http: ClientSession

    @property
    def ana(self) -> User:
        return self.fake.world.users("acme")[0]

    async def post(self, path: str, body: object, bearer: str | None = None) -> Reply:
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        url = f"{self.fake.url}/auth/rest/token{path}"
        async with self.http.post(url, json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    async def login(self, **changes: object) -> Reply:
        return await self.post(
            "", {"login": self.ana.name, "password": self.ana.password, **changes}
        )

    async def pair(self) -> tuple[str, str]:
        status, body = await self.login()
        assert status == 201, body
        return body["accessToken"], body["refreshToken"]

    async def refresh(self, token: object) -> Reply:
        return await self.post("/refresh", {"refreshToken": token})

    async def get(self, path: str, access: str | None) -> Reply:
        return await self.get_with(path, {"Authorization": f"Bearer {access}"} if access else {})

    async def get_with(self, path: str, headers: dict[str, str]) -> Reply:
        async with self.http.get(f"{self.fake.url}/api/rest{path}", headers=headers) as answer:
            return answer.status, await answer.json()


@asynccontextmanager
async def playing(switches: Switches = AS_DOCUMENTED) -> AsyncIterator[Play]:
    clock = HandClock(NOW)
    world = World(7, clock, NOW - timedelta(days=2))
    async with serve(world, switches=switches) as fake, ClientSession() as http:
        yield Play(fake, clock, http)


def payload(token: str) -> dict[str, Any]:
    """What a token of the fake says of itself; nothing where it is none."""
    return opened(token, AS_DOCUMENTED.jwt_secret) or {}
