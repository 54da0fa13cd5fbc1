"""A platform's real adapter and accounts, on a real Postgres, before its fake on a moved clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from fix_postgres import Postgres
from prometheus_client import REGISTRY
from pydantic import SecretStr

from harvester import platforms
from harvester.auth import Account, AccountApi, Keeper, Shared, digest
from harvester.client import Client
from harvester.clock import Clock
from harvester.model import Credentials, Device, Discovered, Feed, TaskReport, Window
from harvester.platforms.base import Access, Options, Platform
from harvester.simulator import fakes
from harvester.simulator.clock import HandClock
from harvester.simulator.fakes import Fake, Secret
from harvester.simulator.tenants import Tenant, User
from harvester.simulator.uplinks import Habits, Uplink
from harvester.simulator.world import World
from harvester.store.pool import open_pool
from harvester.vault import KeyRing, Keys

if TYPE_CHECKING:
    from harvester.store.pool import Pool

NOW = datetime(2026, 3, 4, 10, 30, tzinfo=UTC)
SINCE = NOW - timedelta(hours=24)
LARGEST_BODY = 2**20
HISTORY = Window(SINCE, NOW)
CROWDED = Habits(twins=0.3, repeated=0.2, anonymous=0.2)
"""Many uplinks share their millisecond with another."""

_days: dict[tuple[str, int], tuple[Uplink, ...]] = {}
"""What the seed gives is the same for every stage, and half of a test's work to make."""

Facts = Mapping[tuple[str, str, datetime], float | str]

_TENANT = """
insert into harvester_data.tenant (name, platform) values (gen_random_uuid()::text, $1)
returning tenant_id
"""
_ACCOUNT = """
insert into harvester_data.account (tenant_id, user_name) values ($1, $2) returning account_id
"""


@dataclass(slots=True)
class Stage:
    """One tenant of a world, before a fake that has all of them; `accounts` are ids by user."""

    platform: str
    fake: Fake
    world: World
    clock: HandClock
    options: Options
    adapter: Platform
    client: Client
    pool: Pool
    tenant_id: int
    spills: Path
    keys: Keys
    accounts: dict[str | None, int] = field(default_factory=dict)
    tasks_of: dict[tuple[str, ...], Feed] = field(default_factory=dict)
    """Feeds of tasks, by the devices that they serve alone."""

    @property
    def tenant(self) -> Tenant:
        return self.world.tenants["acme"]

    @property
    def ana(self) -> User:
        return self.tenant.users[0]

    @property
    def truth(self) -> Facts:
        return self.fake.truth("acme")

    async def keeper(
        self,
        credentials: Credentials | None = None,
        *,
        owner: str = "one",
        deployment: str = "test",
        keys: Keys | None = None,
        shared: Shared | None = None,
        adapter: Access | None = None,
        pool: Pool | None = None,
        clock: Clock | None = None,
        folder: str | None = None,
    ) -> Keeper:
        """A new one, as after a restart: of Ana, unless `credentials` are another's.

        Each `owner` has a state directory of its own, unless a `folder` is named.
        """
        account = await self.account_of(
            credentials or login(self.ana), owner=owner, deployment=deployment
        )
        return Keeper(
            account,
            adapter or self.adapter,
            self.client,
            pool or self.pool,
            keys or self.keys,
            clock or self.clock,
            shared or Shared(),
            self.spills / (folder or owner),
        )

    async def account_of(
        self, credentials: Credentials, *, owner: str, deployment: str = "test"
    ) -> Account:
        return Account(
            account_id=await self.account(credentials.user),
            tenant="acme",
            platform=self.platform,
            credentials=credentials,
            deployment=deployment,
            owner=owner,
            digest=digest(self.options, credentials),
        )

    async def account(self, user: str | None) -> int:
        if user not in self.accounts:
            self.accounts[user] = await self.pool.fetchval(_ACCOUNT, self.tenant_id, user)
        return self.accounts[user]

    async def api(self, credentials: Credentials | None = None) -> AccountApi:
        return AccountApi(await self.keeper(credentials), self.client)

    async def discovered(self, credentials: Credentials | None = None) -> list[Discovered]:
        """What an account finds; Ana's, unless it is another's."""
        credentials = credentials or login(self.ana)
        api = await self.api(credentials)
        return [found async for found in self.adapter.discover(api, credentials)]

    async def devices(
        self, credentials: Credentials | None = None
    ) -> dict[str, tuple[Device, Discovered]]:
        """The devices that an account finds, by identifier, in the order in which they came."""
        found = await self.discovered(credentials)
        return {each.device.identifier: (each.device, each) for each in found if each.device}

    async def feeds(self) -> dict[str, tuple[Feed, AccountApi]]:
        """All feeds of readings by key, each with the first user who sees it."""
        feeds: dict[str, tuple[Feed, AccountApi]] = {}
        for user in self.tenant.users:
            api = await self.api(login(user))
            async for found in self.adapter.discover(api, login(user)):
                for feed in found.feeds:
                    if feed.stream == "readings":
                        feeds.setdefault(feed.key, (feed, api))
                    elif feed.devices:
                        self.tasks_of[feed.devices] = feed
        return feeds

    async def reported(self) -> dict[str, TaskReport]:
        """All reports of tasks that the users can have, by identity."""
        told = [each for user in self.tenant.users for each in await self.reports_of(user)]
        return {report.identity: report for _, _, report in told}

    async def reports_of(
        self, user: User, window: Window = HISTORY
    ) -> list[tuple[AccountApi, Feed, TaskReport]]:
        """All that a user can have, each with the feed that told it."""
        api, found = await self.api(login(user)), await self.discovered(login(user))
        feeds = {feed for each in found for feed in each.feeds if feed.stream == "task_reports"}
        return [
            (api, feed, each)
            for feed in sorted(feeds, key=lambda feed: feed.key)
            async for said in self.adapter.task_reports(api, feed, window)
            for each in said
            if isinstance(each, TaskReport)
        ]

    def calls(self) -> int:
        """Token calls that have arrived."""
        return self.fake.token_calls.total()


def world_at(clock: HandClock) -> World:
    """The one world of all stages, each of which has its own time."""
    world = World("stage", clock, SINCE, habits=CROWDED)
    world._days = _days
    return world


def login(user: User, password: str | None = None) -> Credentials:
    return Credentials(user.name, password or user.password)


def options_of(platform: str, options: Mapping[str, object]) -> Options:
    """As the configuration makes them, its references resolved."""
    resolved = {
        key: SecretStr(value) if isinstance(value, Secret) else value
        for key, value in options.items()
    }
    return platforms.adapter(platform).Options.model_validate(resolved)


def ring(*names: str) -> KeyRing:
    """Keys by their names; the first seals."""
    return KeyRing({name: name[0].encode() * 32 for name in names or ("k",)})


@asynccontextmanager
async def staged(
    platform: str,
    pool: Pool,
    *,
    quirk: str | None = None,
    world_at: Callable[[HandClock], World] = world_at,
    **switched: object,
) -> AsyncIterator[Stage]:
    """Without a `quirk` in the way of its documents; `switched` are switches that differ from it.

    Raises LookupError where there is no fake.
    """
    # An import reads files, which is nothing for the loop.
    simulated = await asyncio.to_thread(fakes.simulated, platform)
    await asyncio.to_thread(platforms.adapter, platform)
    switches = replace(simulated.QUIRKS[quirk or next(iter(simulated.QUIRKS))], **switched)
    clock = HandClock(NOW)
    world = world_at(clock)
    with TemporaryDirectory() as folder:
        spills = Path(folder)
        async with simulated.serve(world, switches=switches) as fake:
            options = options_of(platform, simulated.options(world.tenants["acme"], fake.url))
            client = Client(
                options.base_url,
                clock,
                tenant="acme",
                platform=platform,
                concurrency=64,
                largest_body=LARGEST_BODY,
            )
            async with client:
                yield Stage(
                    platform=platform,
                    fake=fake,
                    world=world,
                    clock=clock,
                    options=options,
                    adapter=platforms.adapter(platform)(options),
                    client=client,
                    pool=pool,
                    tenant_id=await pool.fetchval(_TENANT, platform),
                    spills=spills,
                    keys=Keys(ring, clock),
                )


def token_failures(grant: str, reason: str) -> float:
    """As counted since the tests began."""
    labels = {"tenant": "acme", "platform": "mydevices", "grant": grant, "reason": reason}
    return REGISTRY.get_sample_value("harvester_token_failures_total", labels) or 0


@pytest.fixture(scope="session")
async def pool(postgres: Postgres, template: str) -> AsyncIterator[Pool]:
    """Of one database for many tests: each stage has a tenant and accounts of its own there."""
    async with (
        postgres.made(template) as database,
        open_pool(database.dsn, database.password) as pool,
    ):
        yield pool
