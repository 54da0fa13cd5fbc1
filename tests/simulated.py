"""A myDevices at play, with the smallest possible client: what the tests of the fake stand on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import ClientSession

from harvester.simulator.clock import HandClock
from harvester.simulator.mydevices import FakeMydevices, serve
from harvester.simulator.mydevices_quirks import AS_DOCUMENTED, Switches
from harvester.simulator.tenants import Tenant, Thing, User
from harvester.simulator.uplinks import Habits
from harvester.simulator.world import World, millis

NOW = datetime(2026, 3, 4, 10, 30, tzinfo=UTC)
SINCE = NOW - timedelta(days=2)

Reply = tuple[int, Any]  # status, parsed JSON


@dataclass(slots=True)
class Play:
    """The fake, its clock, one tenant of its world, and a client session without any wits."""

    fake: FakeMydevices
    clock: HandClock
    http: ClientSession

    @property
    def tenant(self) -> Tenant:
        return self.fake.world.tenants["acme"]

    @property
    def ana(self) -> User:
        return self.tenant.users[0]

    def thing(self, model: str) -> Thing:
        """Return acme's first thing of that model."""
        return next(thing for thing in self.tenant.things if thing.model.name == model)

    def login_form(self, user: User | None = None, /, **changes: str | None) -> dict[str, str]:
        """Return a password grant, with what `changes` says; None takes a key out."""
        user = user or self.ana
        form = {
            "grant_type": "password",
            "client_id": self.tenant.user_client.id,
            "client_secret": self.tenant.user_client.secret,
            "username": user.name,
            "password": user.password,
        } | changes
        return {key: value for key, value in form.items() if value is not None}

    def refresh_form(self, refresh_token: str | None) -> dict[str, str]:
        return self.login_form(
            grant_type="refresh_token", refresh_token=refresh_token, username=None, password=None
        )

    async def token(self, form: dict[str, str], path: str = "/v1.0/oauth/token") -> Reply:
        async with self.http.post(self.fake.url + path, data=form) as answer:
            return answer.status, await answer.json()

    async def admin_token(self) -> str:
        client = self.tenant.admin_client
        form = {
            "grant_type": "client_credentials",
            "client_id": client.id,
            "client_secret": client.secret,
        }
        _, body = await self.token(form, "/auth/realms/acme/protocol/openid-connect/token")
        return str(body["access_token"])

    async def login(self, user: User | None = None) -> str:
        """Return an access token."""
        _, body = await self.token(self.login_form(user))
        return str(body["access_token"])

    async def get(self, path: str, access: str, **query: str | int) -> Reply:
        headers = {"Authorization": f"Bearer {access}"}
        async with self.http.get(self.fake.url + path, params=query, headers=headers) as answer:
            return answer.status, await answer.json()

    async def readings(
        self, thing: Thing, access: str, start: datetime = SINCE, end: datetime = NOW, **more: int
    ) -> Any:
        """Return the body of a readings answer, which must be a good one."""
        path = f"/v1.0/things/{thing.uuid}/readings"
        window = {"start_ts": millis(start), "end_ts": millis(end)} | more
        status, body = await self.get(path, access, **window)
        assert status == 200, body
        return body


@asynccontextmanager
async def playing(
    switches: Switches = AS_DOCUMENTED, habits: Habits | None = None
) -> AsyncIterator[Play]:
    clock = HandClock(NOW)
    world = World(7, clock, SINCE, habits=habits)
    async with serve(world, switches=switches) as fake, ClientSession() as http:
        yield Play(fake, clock, http)
