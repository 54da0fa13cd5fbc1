"""Whether the database answers: told once for all tenants when it stops, and when it is back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from harvester import metrics
from harvester.errors import StoreUnavailable
from harvester.logs import Failures
from harvester.store.pool import answers

if TYPE_CHECKING:
    from harvester.store.pool import Pool

SOON = 5.0
"""Seconds."""

_log = structlog.stdlib.get_logger(__name__)


class Presence:
    """The database as it was last seen."""

    def __init__(self, pool: Pool) -> None:
        self.up = True
        self._pool = pool
        self._failures = Failures(_log)
        self._turn = asyncio.Lock()
        self._looked_at = 0.0
        self._changed_at = 0.0
        metrics.DATABASE_UP.set(self.up)

    async def look(self) -> bool:
        """Whether it answers now. Those who ask at the same time share one answer."""
        came_at = asyncio.get_running_loop().time()
        async with self._turn:
            if self._looked_at <= came_at:
                await self._ask()
                self._looked_at = asyncio.get_running_loop().time()
        return self.up

    async def was_there(self, since: float) -> bool:
        """Whether it answers now, and no outage was seen from `since` on, by the loop's time.

        A job that wants to know has its next beat to keep: without an answer soon, it was not.
        """
        looking = asyncio.create_task(self.look())
        done, _ = await asyncio.wait({looking}, timeout=SOON)
        return bool(done) and looking.result() and self._changed_at < since

    async def _ask(self) -> None:
        before = self.up
        try:
            await answers(self._pool)
        except StoreUnavailable as error:
            self.up = False
            self._failures.failing("database", type(error).__name__, error=str(error))
        else:
            self.up = True
            self._failures.well("database")
        if self.up != before:
            self._changed_at = asyncio.get_running_loop().time()
        metrics.DATABASE_UP.set(self.up)
