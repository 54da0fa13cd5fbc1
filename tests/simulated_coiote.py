"""A Coiote at play, a client without any wits, and the real adapter through the real client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from aiohttp import ClientSession
from pydantic import SecretStr
from yarl import URL

from harvester.client import Client
from harvester.model import Credentials, Token
from harvester.platforms.coiote import Adapter
from harvester.simulator.clock import HandClock
from harvester.simulator.coiote import EXCHANGE, FakeCoiote, options, serve
from harvester.simulator.coiote_auth import ACCESS_TOKEN, subject_token
from harvester.simulator.coiote_quirks import AS_DOCUMENTED, Switches
from harvester.simulator.coiote_site import Device
from harvester.simulator.fakes import Secret
from harvester.simulator.tenants import Tenant, User
from harvester.simulator.uplinks import Habits, Uplink
from harvester.simulator.world import World

NOW = datetime(2026, 3, 4, 10, 30, tzinfo=UTC)
BASE = "/api/coiotedm/v3/"
DEVICES = BASE + "devices"
LOGIN = "/api/auth/oauth_password"
INVALIDATE = "/api/auth/invalidate_token"
REALM = "/iam/realms/{}/protocol/openid-connect/token"

MILLISECOND = timedelta(milliseconds=1)

Reply = tuple[int, Any]  # status, parsed JSON or text

_days: dict[object, dict[tuple[str, int], tuple[Uplink, ...]]] = {}
"""What one seed gives is the same for every play, and most of the work of many tests."""


@dataclass(slots=True)
class Play:
    """The fake and its clock; `adapter` is that of acme with its service account."""

    fake: FakeCoiote
    clock: HandClock
    http: ClientSession
    client: Client

    @property
    def tenant(self) -> Tenant:
        return self.fake.world.tenants["acme"]

    @property
    def ana(self) -> User:
        return self.tenant.users[0]

    @property
    def service_form(self) -> dict[str, str]:
        client = self.tenant.admin_client
        form = {"client_id": client.id, "client_secret": client.secret}
        return {"grant_type": "client_credentials", **form}

    @property
    def exchange_form(self) -> dict[str, str]:
        subject = {"subject_token": subject_token(self.tenant), "subject_token_type": ACCESS_TOKEN}
        return {**self.service_form, "grant_type": EXCHANGE, **subject}

    def login_form(self, **changes: str | None) -> dict[str, str]:
        """Ana's, with what `changes` says; None takes a key out."""
        form = {"grant_type": "password", "username": self.ana.name, "password": self.ana.password}
        return {key: value for key, value in (form | changes).items() if value is not None}

    async def post(self, form: dict[str, str], path: str = LOGIN) -> tuple[int, Any]:
        """The status, and the JSON or text of the answer."""
        async with self.http.post(self.fake.url + path, data=form) as answer:
            is_json = answer.content_type == "application/json"
            return answer.status, await (answer.json() if is_json else answer.text())

    async def token(self, **changes: str | None) -> str:
        _, body = await self.post(self.login_form(**changes))
        return str(body["access_token"])

    async def service(self) -> str:
        """An access token of acme's service account, which may ask all."""
        _, body = await self.post(self.service_form, REALM.format("acme"))
        return str(body["access_token"])

    async def owner(self, model: str) -> str:
        """An access token of the user whose the first device of that model is."""
        owner = self.device(model).thing.owner
        return await self.token(username=owner.name, password=owner.password)

    async def get(self, access: str, path: str, **params: str) -> Reply:
        """The path is as it goes over the wire, below the base of the API."""
        url = URL(self.fake.url + BASE + path, encoded=True).update_query(params)
        async with self.http.get(url, headers={"Authorization": f"Bearer {access}"}) as answer:
            is_json = answer.content_type == "application/json"
            return answer.status, await (answer.json() if is_json else answer.text())

    async def told(self, access: str, path: str, **params: str) -> Any:
        """What is answered to a question that is allowed."""
        status, body = await self.get(access, path, **params)
        assert status == 200, body
        return body

    async def history(
        self,
        access: str,
        device: str,
        resource: str,
        since: datetime,
        *,
        path: str | None = None,
    ) -> list[tuple[str, str]]:
        """All points after `since`, by pages that lose none; the path is encoded unless given."""
        found: set[tuple[str, str]] = set()
        path, start = path or resource_url(device, resource), since.isoformat()
        while True:
            page = await self.told(access, path, timeRangeStart=start)
            known = len(found)
            found |= {(each["date"], each["value"]) for each in page["data"]}
            if not page["hasNext"] or len(found) == known:
                return sorted(found)
            last = datetime.fromisoformat(max(each["date"] for each in page["data"]))
            start = (last - MILLISECOND).isoformat()

    def device(self, model: str, tenant: str = "acme") -> Device:
        """The tenant's first device of that model."""
        devices = self.fake.site.of(tenant)
        return next(each for each in devices if each.thing.model.name == model)

    async def status(self, access: str | None) -> int:
        """That of a list of devices."""
        headers = {"Authorization": f"Bearer {access}"} if access else {}
        async with self.http.get(self.fake.url + DEVICES, headers=headers) as answer:
            return answer.status

    def adapter(self, **changes: Any) -> Adapter:
        told = options(self.tenant, self.fake.url) | changes
        for key, value in told.items():
            told[key] = SecretStr(value) if isinstance(value, Secret) else value
        return Adapter(Adapter.Options.model_validate(told))  # type: ignore[arg-type]

    def exchanging(self, **changes: str) -> Adapter:
        """The adapter with a token exchange in the place of the service account."""
        form = self.exchange_form | changes
        return self.adapter(
            realm=None,
            client_id=None,
            client_secret=None,
            token_exchange_url=self.fake.url + REALM.format("acme"),
            token_exchange_form={key: SecretStr(value) for key, value in form.items()},
        )

    async def login(
        self, adapter: Adapter | None = None, credentials: Credentials | None = None
    ) -> Token:
        """Ana's, unless `credentials` are another's."""
        ana = Credentials(self.ana.name, self.ana.password)
        adapter = adapter or self.adapter()
        return await adapter.login(self.client, credentials or ana, self.clock.now())


def resource_url(device: str, resource: str) -> str:
    """Where the history of "3303/0/5700" is asked for, encoded."""
    name = quote(device, safe="")
    return f"deviceMonitoring/data/{name}/resourceUrl/{quote('/' + resource, safe='')}"


@asynccontextmanager
async def playing(
    switches: Switches = AS_DOCUMENTED,
    *,
    history: timedelta = timedelta(days=1),
    pace: int = 1,
    habits: Habits | None = None,
) -> AsyncIterator[Play]:
    clock = HandClock(NOW)
    world = World(7, clock, NOW - history, pace=pace, habits=habits)
    world._days = _days.setdefault((pace, habits), {})
    async with (
        serve(world, switches=switches) as fake,
        ClientSession() as http,
        Client(fake.url, clock, tenant="acme", platform="coiote", concurrency=4) as client,
    ):
        yield Play(fake, clock, http, client)
