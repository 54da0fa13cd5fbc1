"""One tenant on a hand-moved clock, and a daemon's insides that keep up with it, tick by tick."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from harvester.demo.comparison import held
from harvester.errors import HarvesterError
from harvester.model import Stream
from harvester.service.house import House
from harvester.service.tenant import REQUESTS_AT_ONCE, Working
from harvester.simulator.clock import HandClock

STILL = 0.1
"""Seconds without anything done: whoever waits, waits for the clock."""
STEP = timedelta(seconds=5)


def threads_rest() -> bool:
    """Whether no file is being written: a busy disk takes its time over each."""
    pool: Any = getattr(asyncio.get_running_loop(), "_default_executor", None)
    return pool is None or pool._idle_semaphore._value >= len(pool._threads)


Key = tuple[str, str, datetime]
"""device, channel, instant"""


@dataclass(slots=True)
class Beating:
    """The daemon's own parts at work for one tenant of a fake, which counts its `requests`."""

    clock: HandClock
    fake: Any
    tenant: Working
    house: House

    async def tick(self) -> bool:
        """Both streams, side by side as their jobs are; whether all was done. Where all that is
        left waits for the clock, the clock moves on."""
        ticks = [asyncio.create_task(self._ticked(each)) for each in self.tenant.streams]
        seen = None
        while (await asyncio.wait(ticks, timeout=STILL))[1]:
            signs = (self.fake.requests.total(), self.tenant.signs())
            if signs == seen and self._waits():
                self.clock.advance(STEP)
            seen = signs
        return all(each.result() for each in ticks)

    def _waits(self) -> bool:
        """Whether nothing is under way at the database, in a thread, nor at a platform that would
        answer."""
        pool, slots = self.house.pool, self.tenant._client._slots
        is_asked = slots._value < REQUESTS_AT_ONCE
        is_idle = pool.get_size() == pool.get_idle_size() and threads_rest()
        return is_idle and (not is_asked or bool(self.fake.faults.planned))

    async def _ticked(self, stream: Stream) -> bool:
        with suppress(HarvesterError):
            return await self.tenant.tick(stream)
        return False

    async def held(self) -> dict[Key, float | str]:
        facts = await held(self.house.pool, self.fake.world.since)
        return {key[1:]: value for key, value in facts.items()}

    def truth(self) -> Mapping[Key, float | str]:
        found: Mapping[Key, float | str] = self.fake.truth("acme")
        return found
