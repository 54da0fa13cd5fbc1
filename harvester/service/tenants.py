"""The tenants at work: each is added and taken away while the others go on."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from functools import partial

from harvester import metrics
from harvester.auth.calls import LONGEST_CALL
from harvester.config import Tenant
from harvester.errors import Fenced, StoreUnavailable
from harvester.scheduler import Scheduler
from harvester.service.house import House
from harvester.service.tenant import Working, working

DRAIN = timedelta(seconds=30)
"""What runs at an end gets so long; what is lost then is pulled again."""
KEEP_EVERY = timedelta(minutes=1)
"""How often it is looked after tokens that no job asks for."""
FAREWELL = LONGEST_CALL + 10
"""Seconds that cancelled runs get to end. One that renews a token waits for the answer: without it
the old refresh token may be spent, and nobody has the new one."""
RELEASE = 5.0
"""Seconds to save what waits for the database, and to give a lease back, which ends by itself."""


class Tenants:
    """Those that this daemon works, by name. Iterating, some may come and go."""

    def __init__(self, house: House) -> None:
        self.scheduler = Scheduler(house.clock)
        self._house = house
        self._at_work: dict[str, tuple[Working, AsyncExitStack]] = {}

    def __iter__(self) -> Iterator[Working]:
        return iter([tenant for tenant, _ in self._at_work.values()])

    def __len__(self) -> int:
        return len(self._at_work)

    async def begin(self, settings: Tenant, *, at_once: bool = False) -> None:
        """Work a tenant, instead of the one that has its name now; first when its time has come.

        Raises ConfigError where its platform changed, and StoreUnavailable: the one of its name
        then goes on as before.
        """
        async with AsyncExitStack() as stack:
            tenant = await stack.enter_async_context(working(self._house, settings))
            last = {
                each: None if at_once else await tenant.last_success(each)
                for each in tenant.streams
            }
            if settings.name in self._at_work:
                # Its lease is not given back: who waits for it elsewhere is not meant.
                await self._end(settings.name)
                await self._leave(settings.name)
            self._at_work[settings.name] = tenant, stack.pop_all()
        for stream, success in last.items():
            job, every = tenant.job(stream), settings.polled_every
            run = partial(tenant.run, stream)
            self.scheduler.plan(job, every, run, success, tenant.signs)
        self.scheduler.plan(tenant.tokens_job, KEEP_EVERY, tenant.keep, None, tenant.signs)

    async def remove(self, name: str) -> None:
        """Work a tenant no more, once its last run has ended; nothing of it is left."""
        await self._end(name)
        await self._release(name)
        await self._leave(name)
        metrics.forget(name)

    async def extend(self) -> None:
        """Keep the leases. One that ends while the database is away is taken anew by a tick."""
        # Side by side: one that waits for its row must not let the others' leases end.
        await asyncio.gather(*(_extended(tenant) for tenant in self))

    async def drain(self) -> None:
        """End all of them within a bound: no more runs, no more windows, then no more patience."""
        self.scheduler.stop()
        names = list(self._at_work)
        ends = [asyncio.create_task(self._end(name)) for name in names]
        if ends:
            await asyncio.wait(ends, timeout=DRAIN.total_seconds() + FAREWELL)
        for end in ends:
            end.cancel()
        await asyncio.gather(*ends, return_exceptions=True)
        await asyncio.gather(*(self._release(name) for name in names))
        for name in names:
            await self._leave(name)

    async def _end(self, name: str) -> None:
        tenant, _ = self._at_work[name]
        tenant.stop()
        # Its token calls are waited for even when cancelled: an answer that came must be kept.
        await asyncio.gather(*(self.scheduler.unplan(job, DRAIN) for job in tenant.jobs))
        await _tried(tenant.settle())

    async def _release(self, name: str) -> None:
        tenant, _ = self._at_work[name]
        await _tried(tenant.release())

    async def _leave(self, name: str) -> None:
        _, stack = self._at_work[name]
        await stack.aclose()
        del self._at_work[name]


async def _tried(work: Coroutine[None, None, None]) -> None:
    trying = asyncio.create_task(work)
    try:
        # A statement that a frozen database has does not even let go of who cancels it.
        await asyncio.wait({trying}, timeout=RELEASE)
    finally:
        trying.cancel()
    if trying.done():
        with suppress(Fenced, StoreUnavailable):
            trying.result()


async def _extended(tenant: Working) -> None:
    with suppress(StoreUnavailable):
        await tenant.extend()
