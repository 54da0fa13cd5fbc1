"""One tenant at work: its client, its accounts, its lease and its jobs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import structlog

from harvester import auth, metrics, platforms
from harvester.client import Client
from harvester.clock import Clock
from harvester.config import Tenant
from harvester.errors import Fenced, StoreError, StoreUnavailable
from harvester.harvest import Discovering, Harvest, Kit, Sweep, Work, harvest
from harvester.logs import Failures
from harvester.model import Stream
from harvester.service.accounts import Accounts
from harvester.service.house import House
from harvester.store import catalog, feeds, leases
from harvester.store.catalog import Ids
from harvester.store.writer import Writer
from harvester.windows import Rules

LEASE_LASTS = timedelta(seconds=60)
"""By the database's clock: how long after a crash another instance takes over."""
REQUESTS_AT_ONCE = 8
"""Of a tenant, at its platform."""

_log = structlog.stdlib.get_logger(__name__)


class Working:
    """A tenant that this daemon works, as long as no other instance does."""

    def __init__(self, house: House, settings: Tenant, tenant_id: int, client: Client) -> None:
        self.settings = settings
        self._house = house
        self._tenant_id = tenant_id
        self._client = client
        self._adapter = platforms.adapter(settings.platform)(settings.options)
        self._accounts = Accounts(house, settings, self._adapter, client)
        self._lease: leases.Lease | None = None
        self._lease_ends = house.clock.now()
        self._lease_turn = asyncio.Lock()
        self._harvests: dict[Stream, Harvest | Sweep] = {}
        self._elsewhere = False
        self._stopping = asyncio.Event()

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def streams(self) -> tuple[Stream, ...]:
        """What is pulled, each by a job of its own; the tokens are had by one too."""
        return self._adapter.streams

    def job(self, stream: Stream) -> str:
        return f"{self.name} {stream}"

    @property
    def tokens_job(self) -> str:
        return f"{self.name} tokens"

    @property
    def jobs(self) -> list[str]:
        return [*map(self.job, self.streams), self.tokens_job]

    def signs(self) -> tuple[int, int]:
        """What changes while a tick gets on: exchanges and commits so far."""
        return self._client.exchanges, sum(each.commits for each in self._harvests.values())

    async def last_success(self, stream: Stream) -> datetime | None:
        return await feeds.last_success(self._house.pool, self._tenant_id, stream)

    async def run(self, stream: Stream) -> None:
        """A tick, counted where the tenant is not worked by another instance.

        Raises StoreUnavailable where the database is away, which is told by then, and StoreError
        where only this tenant has trouble with it.
        """
        began, outcome = asyncio.get_running_loop().time(), "unfinished"
        try:
            outcome = "done" if await self.tick(stream) else "unfinished"
        except Fenced:
            self._wait()
        except StoreUnavailable as error:
            outcome = "failed"
            if await self._house.presence.was_there(since=began):
                raise StoreError(str(error)) from error
            raise
        except Exception:
            outcome = "failed"
            raise
        finally:
            if not self._elsewhere:
                passed = asyncio.get_running_loop().time() - began
                metrics.JOB_RUNS.labels(self.name, stream, outcome).inc()
                metrics.JOB_DURATION.labels(self.name, stream).observe(passed)

    async def tick(self, stream: Stream) -> bool:
        """Do what is due of a stream now; whether all of it was done.

        Raises Fenced where another instance took the tenant meanwhile, and StoreUnavailable.
        """
        lease = await self._take()
        if lease is None:
            self._wait()
            await self._rest()
            return False
        self._work()
        now = self._house.clock.now()
        try:
            await self._accounts.seat(lease)
            if stream not in self._harvests:
                self._begin()
            return await self._harvests[stream].tick(lease, now, self.settings.longest_tick)
        except Fenced:
            self._hold(None)
            raise

    async def ticks(self) -> bool:
        """A tick of each stream, one after another, as `tick`."""
        return all([await self.tick(stream) for stream in self.streams])

    async def keep(self) -> None:
        """Keep the accounts' tokens alive, if we work the tenant. Raises StoreUnavailable."""
        lease = await self._take()
        if lease is None:
            return
        try:
            await self._accounts.seat(lease)
        except Fenced:
            self._hold(None)
            return
        await self._accounts.keep()

    async def settle(self) -> None:
        """Save the tokens and what was pulled that wait for the database.

        Raises Fenced, StoreUnavailable.
        """
        await self._accounts.settle()
        if (lease := self._lease) is not None:
            await asyncio.gather(*(each.settle(lease) for each in self._harvests.values()))

    def try_again(self) -> None:
        """A person wants tried again what was refused."""
        self._accounts.try_again()

    def measure(self) -> None:
        """Set the metrics of its tokens, where they are ours to renew."""
        if self._lease is None:
            self._accounts.unmeasure()
        else:
            self._accounts.measure(self._house.clock.now())

    def stop(self) -> None:
        """Begin no more windows."""
        self._stopping.set()

    async def extend(self) -> None:
        """Keep the lease, if we have one. Raises StoreUnavailable."""
        async with self._lease_turn:
            if (lease := self._lease) is None:
                return
            ends = self._house.clock.now() + LEASE_LASTS
            try:
                await leases.extend(self._house.pool, lease, LEASE_LASTS)
            except Fenced:
                if self._lease is lease:  # and not one that a tick took meanwhile
                    self._hold(None)
            except StoreUnavailable:
                self._tell_held(lease)
                raise
            else:
                self._lease_ends = ends
                self._tell_held(lease)

    async def release(self) -> None:
        """Let another instance work the tenant at once. Raises StoreUnavailable."""
        async with self._lease_turn:  # or an extension on its way would make it last after all
            if self._lease is not None:
                await leases.release(self._house.pool, self._lease)
                self._hold(None)

    async def leave(self) -> None:
        """Count it no more: who still waits for an answer must not make its series again."""
        await self._rest()
        self._lease = None
        self._accounts.leave()

    async def _rest(self) -> None:
        """What goes on beside the ticks is another instance's now, or nobody's."""
        for each in self._harvests.values():
            await each.close()

    async def _take(self) -> leases.Lease | None:
        """The lease, ours already or taken now: one of two takers would be fenced by the other."""
        if self._lease is not None:  # an extension of it may wait for a database that hangs
            return self._lease
        async with self._lease_turn:
            if self._lease is None:
                house = self._house
                ends = house.clock.now() + LEASE_LASTS
                lease = await leases.take(house.pool, self._tenant_id, house.owner, LEASE_LASTS)
                self._lease_ends = ends
                self._hold(lease)
            return self._lease

    def _hold(self, lease: leases.Lease | None) -> None:
        self._lease = lease
        metrics.LEASE_HELD.labels(self.name).set(lease is not None)

    def _tell_held(self, lease: leases.Lease) -> None:
        if self._lease is lease:
            held = self._house.clock.now() < self._lease_ends
            metrics.LEASE_HELD.labels(self.name).set(held)

    def _wait(self) -> None:
        if not self._elsewhere:
            _log.info("worked by another instance", tenant=self.name)
        self._elsewhere = True

    def _work(self) -> None:
        if self._elsewhere:
            _log.info("worked by this instance again", tenant=self.name)
        self._elsewhere = False

    def _begin(self) -> None:
        """What the streams share, and each of them."""
        house, works = self._house, [self._work_of(each) for each in self.streams]
        ids, failures = Ids(house.pool), Failures(_log)
        discovering = Discovering(works[0], house.pool, ids, house.clock, failures)
        for work in works:
            writer = Writer(house.pool, self.name, ids, house.partitions)
            kit = Kit(work, house.pool, writer, discovering, house.clock, self._stopping, failures)
            self._harvests[work.stream] = harvest(kit)

    def _work_of(self, stream: Stream) -> Work:
        settings, platform = self.settings, self._adapter
        whole = stream in platform.whole
        rules = Rules(
            looks=() if whole else settings.looks,
            longest=platform.longest_window,
            retention=platform.retention,
            whole=whole,
            oldest_first=not platform.axis_is_instant,
        )
        return Work(
            tenant=settings.name,
            stream=stream,
            platform=platform,
            seats=self._accounts.seats,
            history=settings.history,
            follow_up=settings.follow_up,
            rules=rules,
        )


@asynccontextmanager
async def working(house: House, settings: Tenant) -> AsyncIterator[Working]:
    """A tenant ready to be worked. Raises ConfigError where its platform changed."""
    tenant_id = await catalog.tenant(house.pool, settings.name, settings.platform)
    reasons = (*auth.REASONS, *platforms.adapter(settings.platform).token_reasons)
    metrics.expect(settings.name, settings.platform, reasons)
    async with client_of(settings, house.clock, concurrency=REQUESTS_AT_ONCE) as client:
        tenant = Working(house, settings, tenant_id, client)
        try:
            yield tenant
        finally:
            await tenant.leave()


def client_of(settings: Tenant, clock: Clock, *, concurrency: int) -> Client:
    """The tenant's way to its platform, to be entered."""
    return Client(
        settings.options.base_url,
        clock,
        tenant=settings.name,
        platform=settings.platform,
        concurrency=concurrency,
        is_lasting=platforms.adapter(settings.platform).is_lasting,
    )
