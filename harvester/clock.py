"""Time as the rooms see it: aware UTC, handed round as an argument, moved by hand in tests."""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    """What `auth`, `client`, `scheduler` and `service` know of time."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        ...

    async def sleep_until(self, instant: datetime) -> None:
        """Return once `now()` has reached `instant`."""
        ...


class SystemClock:
    """The machine's own clock; the only place in the daemon that reads it."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep_until(self, instant: datetime) -> None:
        await asyncio.sleep(max(0.0, (instant - self.now()).total_seconds()))


async def within(clock: Clock, patience: timedelta, work: Coroutine[Any, Any, T]) -> T:
    """What `work` gives. Raises TimeoutError where it takes longer: then it was cancelled."""
    doing = asyncio.ensure_future(work)
    alarm = asyncio.ensure_future(clock.sleep_until(clock.now() + patience))
    try:
        await asyncio.wait({doing, alarm}, return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise TimeoutError
        return doing.result()
    finally:
        doing.cancel()
        alarm.cancel()
        await asyncio.gather(doing, alarm, return_exceptions=True)
