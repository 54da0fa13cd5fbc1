"""Whether the daemon is alive: its loop on time, its work advancing. systemd is told so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from harvester import metrics
from harvester.clock import Clock
from harvester.logs import Failures
from harvester.notify import notify
from harvester.scheduler import Planned

BEAT = 1.0
"""Seconds between two looks at the loop's delay."""
LATEST = 5.0
"""Seconds that the loop may be late."""
QUIET = timedelta(minutes=15)
"""A run may show no sign of progress for so long; longer than anything it waits for may take: an
exchange (10 min) and its repetition, a renewal (5 min), a statement (2 min)."""
START_GOES_ON = 60
"""Seconds that a start may take from here on. An embedded Postgres may be recovering."""

_log = structlog.stdlib.get_logger(__name__)


class Pulse:
    """How late the event loop is, by its own clock."""

    def __init__(self) -> None:
        self._measured = 0.0
        self._due: float | None = None

    @property
    def delay(self) -> float:
        """Seconds: as last measured, or as long as the next measurement is overdue."""
        overdue = asyncio.get_running_loop().time() - self._due if self._due else 0.0
        return max(self._measured, overdue)

    async def beat(self) -> None:
        """Measure until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self._due = loop.time() + BEAT
            await asyncio.sleep(BEAT)
            self._measured = max(0.0, loop.time() - self._due)
            metrics.LOOP_DELAY.set(self._measured)


@dataclass(frozen=True, slots=True)
class Progress:
    """A job, and since when its signs of progress are what they are."""

    job: Planned
    since: datetime


def late(delay: float) -> list[str]:
    """What is wrong with the loop, in at most one sentence."""
    return [f"the event loop is {delay:.0f} s late"] if delay > LATEST else []


def stuck(jobs: Iterable[Progress], now: datetime) -> list[str]:
    """Which jobs do not advance, a sentence each.

    One that runs is stuck when it should have ended long ago, and shows no sign of progress; one
    that rests, when it was due long ago. A platform that hangs ends in a time-out, which is a sign.
    """
    return [sentence for each in jobs if (sentence := _stuck(each, now))]


def _stuck(progress: Progress, now: datetime) -> str | None:
    job = progress.job
    if job.began is not None:
        over = now - job.began - job.interval
        if over > QUIET and now - progress.since > QUIET:
            return f"{job.name} runs since {job.began:%H:%M:%S} UTC and does not advance"
    elif job.due is not None and now - job.due > QUIET:
        return f"{job.name} was due at {job.due:%H:%M:%S} UTC and does not run"
    return None


class Watchdog:
    """Tells systemd that the daemon is alive, as long as that is so; says once when it is not."""

    def __init__(
        self, pulse: Pulse, clock: Clock, planned: Callable[[], list[Planned] | None]
    ) -> None:
        """`planned` gives None until the start is over."""
        self._pulse = pulse
        self._clock = clock
        self._planned = planned
        self._seen: dict[str, Progress] = {}
        self._failures = Failures(_log)

    async def look(self) -> None:
        """To be called a few times within the watchdog's time."""
        jobs = self._planned()
        wrong = late(self._pulse.delay) + stuck(self._progress(jobs or []), self._clock.now())
        if wrong:
            self._failures.failing("watchdog", "withheld", why="; ".join(wrong))
        elif jobs is None:
            notify(f"EXTEND_TIMEOUT_USEC={START_GOES_ON * 10**6}")
        else:
            self._failures.well("watchdog")
            notify("WATCHDOG=1")

    def _progress(self, jobs: list[Planned]) -> Iterable[Progress]:
        last, self._seen = self._seen, {}
        for job in jobs:
            seen = last.get(job.name)
            same = seen and seen.job.signs == job.signs
            since = seen.since if seen and same else self._clock.now()
            self._seen[job.name] = Progress(job, since)
        return self._seen.values()
