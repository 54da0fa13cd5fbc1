"""Clocks that do not agree with each other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from harvester.simulator.clock import HandClock


@dataclass(slots=True)
class SetClock:
    """Ours, where somebody set it otherwise than the platform's, back too."""

    right: HandClock
    ahead: timedelta = timedelta()

    def now(self) -> datetime:
        return self.right.now() + self.ahead

    async def sleep_until(self, instant: datetime) -> None:
        await self.right.sleep_until(instant - self.ahead)
