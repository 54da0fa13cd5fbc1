"""A DeviceHive at play, with the smallest possible client: what the tests of the fake stand on."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from aiohttp import ClientSession
from yarl import URL

from harvester.simulator.clock import HandClock
from harvester.simulator.devicehive import FakeDevicehive, serve
from harvester.simulator.devicehive_jwt import opened
from harvester.simulator.devicehive_quirks import AS_DOCUMENTED, Switches
from harvester.simulator.tenants import User
from harvester.simulator.uplinks import Habits, Uplink
from harvester.simulator.world import World

NOW = datetime(2026, 3, 4, 10, 30, tzinfo=UTC)

Reply = tuple[int, Any]  # status, parsed JSON

_days: dict[object, dict[tuple[str, int], tuple[Uplink, ...]]] = {}
"""What one seed gives is the same for every play, and most of the work of many tests."""


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
            return answer.status, await answer.json(content_type=None)

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
            return answer.status, await answer.json(content_type=None)

    async def admin(self) -> str:
        """An access token of the tenant's admin."""
        client = self.fake.world.tenants["acme"].admin_client
        _, body = await self.login(login=client.id, password=client.secret)
        return str(body["accessToken"])

    async def ask(
        self, access: str, path: str, *, method: str = "GET", body: object = None, **params: str
    ) -> Reply:
        """An empty answer is None."""
        url = URL(f"{self.fake.url}/api/rest{path}", encoded=True).update_query(params)
        headers = {"Authorization": f"Bearer {access}"}
        async with self.http.request(method, url, headers=headers, json=body) as answer:
            return answer.status, json.loads(await answer.text() or "null")

    async def listed(self, access: str, device: str, kind: str, **params: str) -> Any:
        """As a good client asks for all that there is of `kind`, notification or command."""
        path = f"/device/{quote(device, safe='')}/{kind}"
        told = {"sortField": "timestamp", "sortOrder": "ASC", "take": "10000"} | params
        status, body = await self.ask(access, path, **told)
        assert status == 200, body
        return body

    async def probe(self) -> str:
        """Ana's access token, once she has registered a device of this name."""
        access, _ = await self.pair()
        told = {"name": "Probe"}
        assert await self.ask(access, "/device/probe", method="PUT", body=told) == (204, None)
        return access

    async def notify(
        self, access: str, name: str, at: datetime | None = None, **said: object
    ) -> Any:
        """Have the probe say that, by its own clock where `at` is given."""
        told: dict[str, object] = {"notification": name, "parameters": said}
        if at:
            told["timestamp"] = at.isoformat(timespec="milliseconds")
        path = "/device/probe/notification"
        status, body = await self.ask(access, path, method="POST", body=told)
        assert status == 201, body
        return body

    async def order(self, access: str, command: str = "valve/open", **told: object) -> Any:
        """Send the probe a command."""
        path, body = "/device/probe/command", {"command": command, **told}
        status, body = await self.ask(access, path, method="POST", body=body)
        assert status == 201, body
        return body

    async def report(self, access: str, identifier: int, **told: object) -> Reply:
        """Have the probe say what became of a command."""
        path = f"/device/probe/command/{identifier}"
        return await self.ask(access, path, method="PUT", body=told)

    def device(self, model: str) -> str:
        """The id of the tenant's first device of that model."""
        things = self.fake.world.things("acme")
        name = next(thing.name for thing in things if thing.model.name == model)
        devices = self.fake.tokens.site.devices.values()
        return next(each.id for each in devices if each.name == name)


@asynccontextmanager
async def playing(
    switches: Switches = AS_DOCUMENTED,
    *,
    history: timedelta = timedelta(hours=1),
    pace: int = 1,
    habits: Habits | None = None,
) -> AsyncIterator[Play]:
    clock = HandClock(NOW)
    world = World(7, clock, NOW - history, pace=pace, habits=habits)
    world._days = _days.setdefault((pace, habits), {})
    async with serve(world, switches=switches) as fake, ClientSession() as http:
        yield Play(fake, clock, http)


def payload(token: str) -> dict[str, Any]:
    """What a token of the fake says of itself; nothing where it is none."""
    return opened(token, AS_DOCUMENTED.jwt_secret) or {}
