"""Work at the database that must not hold up what goes on without it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

from harvester.errors import StoreUnavailable

PATIENCE = 15.0
"""Seconds that it is waited for. A database that hangs is no better than one that is away."""
FAREWELL = 5.0
"""Seconds that what was begun gets to end."""


class Beside:
    """Does one thing at a time. What takes too long goes on, and is waited for again later."""

    def __init__(self) -> None:
        self._doing: asyncio.Task[None] | None = None

    async def run(self, work: Callable[[], Coroutine[None, None, None]]) -> None:
        """Return when it is done. Raises what `work` raises, and StoreUnavailable where it, or
        what was begun before it, is not done in time."""
        await self._wait()
        self._doing = asyncio.create_task(work())
        await self._wait()

    async def close(self) -> None:
        if self._doing:
            self._doing.cancel()
            # A statement that a frozen database has is not given up before it answers.
            await asyncio.wait({self._doing}, timeout=FAREWELL)
            self._doing = None

    async def _wait(self) -> None:
        if self._doing is None:
            return
        done, _ = await asyncio.wait({self._doing}, timeout=PATIENCE)
        if not done:
            raise StoreUnavailable(f"the database has not answered for {PATIENCE:.0f} s")
        doing, self._doing = self._doing, None
        doing.result()
