"""One tenant at work: its client, its accounts, its lease and its job."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from harvester import embedded, metrics, platforms
from harvester.auth import Account, AccountApi, Keeper
from harvester.client import Client
from harvester.clock import Clock
from harvester.config import Tenant
from harvester.errors import Fenced
from harvester.harvest import STREAM, Harvest, Seat, Work
from harvester.model import Credentials
from harvester.platforms.base import Platform
from harvester.store import catalog, feeds, leases
from harvester.store.partitions import Partitions
from harvester.vault import KeyRing
from harvester.windows import Rules

if TYPE_CHECKING:
    from harvester.store.pool import Pool

LEASE_LASTS = timedelta(seconds=60)
"""By the database's clock: how long after a crash another instance takes over."""
REQUESTS_AT_ONCE = 8
"""Of a tenant, at its platform."""
SHORTEST_TICK = timedelta(minutes=1)
"""A tick may last as long as the interval, and at least this long; the next one goes on with it."""

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class House:
    """What all tenants of a daemon share."""

    pool: Pool
    ring: KeyRing
    partitions: Partitions
    clock: Clock
    deployment: str
    owner: str
    server: embedded.Running | None = None
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when no more windows are to be begun."""


class Working:
    """A tenant that this daemon works, as long as no other instance does."""

    def __init__(self, house: House, settings: Tenant, tenant_id: int, client: Client) -> None:
        self._house = house
        self._settings = settings
        self._tenant_id = tenant_id
        self._client = client
        self._lease: leases.Lease | None = None
        self._harvest: Harvest | None = None
        self._waiting = False

    @property
    def name(self) -> str:
        return self._settings.name

    @property
    def interval(self) -> timedelta:
        return self._settings.interval

    async def last_success(self) -> datetime | None:
        return await feeds.last_success(self._house.pool, self._tenant_id, STREAM)

    async def tick(self) -> bool:
        """Do what is due now; whether all of it was done.

        Raises Fenced where another instance took the tenant meanwhile, and StoreUnavailable.
        """
        if self._lease is None:
            self._lease = await leases.take(
                self._house.pool, self._tenant_id, self._house.owner, LEASE_LASTS
            )
        if self._lease is None:
            self._wait()
            return False
        self._waiting = False
        now = self._house.clock.now()
        try:
            harvest = self._harvest = self._harvest or await self._begin(self._lease)
            return await harvest.tick(self._lease, now, max(self.interval, SHORTEST_TICK))
        except Fenced:
            self._lease = None
            raise

    async def extend(self) -> None:
        """Keep the lease, if we have one. Raises StoreUnavailable."""
        if (lease := self._lease) is not None:
            try:
                await leases.extend(self._house.pool, lease, LEASE_LASTS)
            except Fenced:
                if self._lease is lease:  # and not one that a tick took meanwhile
                    self._lease = None

    async def release(self) -> None:
        """Let another instance work the tenant at once."""
        if self._lease is not None:
            await leases.release(self._house.pool, self._lease)
            self._lease = None

    def _wait(self) -> None:
        if not self._waiting:
            _log.info("worked by another instance", tenant=self.name)
        self._waiting = True

    async def _begin(self, lease: leases.Lease) -> Harvest:
        settings, house = self._settings, self._house
        platform = platforms.adapter(settings.platform)(settings.options)
        people = _credentials(settings, platform)
        ids = await catalog.accounts(house.pool, lease, [each.user for each in people])
        work = Work(
            tenant=settings.name,
            platform=platform,
            seats={ids[each.user]: self._seat(ids[each.user], each, platform) for each in people},
            history=settings.history,
            rules=Rules(looks=settings.looks, longest=platform.longest_window),
        )
        return Harvest(work, house.pool, house.partitions, house.clock, house.stopping)

    def _seat(self, account_id: int, credentials: Credentials, platform: Platform) -> Seat:
        house, settings = self._house, self._settings
        account = Account(
            account_id=account_id,
            tenant=settings.name,
            platform=settings.platform,
            credentials=credentials,
            deployment=house.deployment,
            owner=house.owner,
        )
        keeper = Keeper(account, platform, self._client, house.pool, house.ring, house.clock)
        return Seat(account_id, credentials, AccountApi(keeper, self._client))


@asynccontextmanager
async def working(house: House, settings: Tenant) -> AsyncIterator[Working]:
    """A tenant ready to be worked. Raises ConfigError where its platform changed."""
    tenant_id = await catalog.tenant(house.pool, settings.name, settings.platform)
    metrics.expect(settings.name, settings.platform)
    client = Client(
        settings.options.base_url,
        house.clock,
        tenant=settings.name,
        platform=settings.platform,
        concurrency=REQUESTS_AT_ONCE,
    )
    async with client:
        yield Working(house, settings, tenant_id, client)


def _credentials(settings: Tenant, platform: Platform) -> list[Credentials]:
    """The users as configured, then the tenant's own client where it has one."""
    users = [
        Credentials(each.user, each.password.get_secret_value() if each.password else None)
        for each in settings.accounts
    ]
    return users + ([Credentials(None)] if platform.own_client else [])
