"""The clock that a platform's axis goes by, as far as ours can tell it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from harvester.clock import Clock
from harvester.platforms.base import Api, Platform

_FINEST = timedelta(milliseconds=1)
"""Platforms tell their time in whole milliseconds, rounded down."""


@dataclass(frozen=True, slots=True)
class Axis:
    """How far the platform's clock is ahead of ours: by `least` at least, and by `most` at most."""

    least: timedelta = timedelta()
    most: timedelta = timedelta()

    def passed(self, ours: datetime) -> datetime:
        """An instant of the axis that is over when our clock shows `ours`."""
        return ours + self.least

    def reached(self, ours: datetime) -> datetime:
        """An instant of the axis that is not over before our clock shows `ours`."""
        return ours + self.most


async def measured(platform: Platform, api: Api, clock: Clock) -> Axis | None:
    """By what the platform says of its time, which it said somewhere between our question and its
    answer; None where our clock is as good. Raises PlatformError."""
    asked = clock.now()
    told = await platform.time(api)
    return None if told is None else Axis(told - clock.now(), told + _FINEST - asked)
