"""What the platform takes for its future: its clock may be behind ours, and it refuses to tell of
time that it has not reached. Nothing but such a refusal tells how far behind it is."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from harvester.errors import RequestRefused, TransientError
from harvester.model import BEGINNING
from harvester.platforms.coiote.codes import BAD_RANGE, code_of

Ask = Callable[[datetime], Awaitable[object]]
"""Ask for what ends at an instant."""

MINUTE = timedelta(minutes=1)
MOST_MINUTES = 2048
"""Beyond a day it is no clock that is wrong."""
BELIEVED = timedelta(days=1)
_DOUBLED = tuple(2**power for power in range(MOST_MINUTES.bit_length()))


class Future:
    """How much of the newest time is not asked for."""

    def __init__(self, settling: timedelta) -> None:
        self._settling = settling
        self.under_way = settling
        self._turn = asyncio.Lock()
        self._taught_by: datetime | None = None
        """The end of the window that was refused: many feeds are asked for the same."""
        self._believed_until = BEGINNING
        self._is_clock = False
        """Whether it was refused as the platform's future."""

    async def learn(self, until: datetime, ask: Ask, refusal: RequestRefused) -> TransientError:
        """What to raise of a window that was refused because it ends at `until`.

        `ask` is for something that ends at an instant. Raises the refusal where no instant is
        taken, and what `ask` raises otherwise.
        """
        async with self._turn:
            if self._taught_by != until:
                self._taught_by, self._is_clock = until, False
                self.under_way += await _behind(until, ask, refusal)
                self._is_clock, self._believed_until = True, until + BELIEVED
            if not self._is_clock:
                raise refusal
        seconds = round(self.under_way.total_seconds())
        return TransientError(
            "the platform's clock is behind ours: from now on nothing of the last "
            f"{seconds} s is asked for"
        )

    async def doubt(self, until: datetime, ask: Ask) -> None:
        """Find out daily, in a tick that asks up to `until`, whether the clock was set right.

        Raises what `ask` raises.
        """
        if self.under_way == self._settling or until <= self._believed_until:
            return
        async with self._turn:
            if until > self._believed_until:
                self._believed_until = until + BELIEVED
                await self._measure(until + self.under_way - self._settling, ask)

    async def _measure(self, newest: datetime, ask: Ask) -> None:
        for minutes in (0, *_DOUBLED):
            behind = minutes * MINUTE
            if self._settling + behind >= self.under_way:
                return
            if await _is_taken(newest - behind, ask):
                self.under_way = self._settling + behind
                return


async def _behind(until: datetime, ask: Ask, refusal: RequestRefused) -> timedelta:
    """The fewest minutes before `until` that are taken: who is far behind is asked a few times
    more, once."""
    low, high = 0, 1
    while not await _is_taken(until - high * MINUTE, ask):
        low, high = high, 2 * high
        if high > MOST_MINUTES:
            raise refusal
    while high - low > 1:
        middle = (low + high) // 2
        if await _is_taken(until - middle * MINUTE, ask):
            high = middle
        else:
            low = middle
    return high * MINUTE


async def _is_taken(end: datetime, ask: Ask) -> bool:
    try:
        await ask(end)
    except RequestRefused as error:
        if code_of(error) != BAD_RANGE:
            raise
        return False
    return True
