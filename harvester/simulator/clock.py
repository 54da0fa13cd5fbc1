"""Two clocks of one shape: the real one, and one that a test moves by hand."""

import asyncio
import heapq
from datetime import UTC, datetime, timedelta
from typing import Protocol

# A sleep is cut into pieces this long because the wall clock may be set, or the machine
# suspended, while the loop's monotonic clock knows nothing of it.
LONGEST_NAP_SECONDS = 60.0


class Clock(Protocol):
    """What the world asks of time."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""

    async def sleep_until(self, instant: datetime) -> None:
        """Return once `now()` has reached `instant`; at once if it already has."""


class RealClock:
    """The machine's own time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep_until(self, instant: datetime) -> None:
        # There is no event to wait for instead: nobody tells when the wall clock is set.
        while (left := (instant - self.now()).total_seconds()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(min(left, LONGEST_NAP_SECONDS))


class HandClock:
    """Time that stands still until it is moved, and never goes back."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._arrivals = 0

    def now(self) -> datetime:
        return self._now

    async def sleep_until(self, instant: datetime) -> None:
        if instant <= self._now:
            return
        bed = asyncio.get_running_loop().create_future()
        self._arrivals += 1  # breaks ties: who lay down first rises first
        heapq.heappush(self._sleepers, (instant, self._arrivals, bed))
        await bed

    def advance(self, by: timedelta) -> None:
        """Move on by `by`; raises ValueError if that is negative."""
        self.set(self._now + by)

    def set(self, instant: datetime) -> None:
        """Move to `instant` and wake whoever slept until then, earliest first.

        The woken run once the caller yields to the loop, and all see the new time.
        Raises ValueError if `instant` lies in the past.
        """
        if instant < self._now:
            raise ValueError(f"a clock does not go back from {self._now} to {instant}")
        self._now = instant.astimezone(UTC)
        while self._sleepers and self._sleepers[0][0] <= self._now:
            bed = heapq.heappop(self._sleepers)[2]
            if not bed.done():  # a cancelled sleeper is still in the heap
                bed.set_result(None)
