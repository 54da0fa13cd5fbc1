"""When jobs run. What is due in a run is decided elsewhere, so a missed run loses nothing.

APScheduler only says when: the runs are tasks of our own, because its shutdown would cancel them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from harvester.clock import Clock
from harvester.errors import HarvesterError
from harvester.logs import Failures

log = structlog.stdlib.get_logger(__name__)

Job = Callable[[], Awaitable[object]]

WIDEST_OFFSET = timedelta(seconds=30)
FAREWELL = 5.0
"""Seconds that a cancelled run gets to end."""


def first_run(now: datetime, interval: timedelta, last_success: datetime | None) -> datetime:
    """At once if it never went well or is overdue, whatever the interval; else when it is due."""
    if last_success is None:
        return now
    # A success ahead of the clock, which was set back since, must not silence the job.
    return min(max(now, last_success + interval), now + interval)


def offset(name: str, interval: timedelta) -> timedelta:
    """The job's own delay, always the same: jobs that began together come apart after one run."""
    share = int.from_bytes(blake2b(name.encode(), digest_size=4).digest(), "big") / 2**32
    return min(interval / 10, WIDEST_OFFSET) * share


@dataclass(frozen=True)
class Beats(BaseTrigger):  # type: ignore[misc]  # apscheduler has no types
    """First at `first`, then every `interval`, moved once by `offset`."""

    first: datetime
    interval: timedelta
    offset: timedelta

    def get_next_fire_time(self, previous: datetime | None, _now: datetime) -> datetime:
        if previous is None:
            return self.first
        return previous + self.interval + (self.offset if previous == self.first else timedelta())


class Scheduler:
    """One job a name; a job that still runs when its time comes is left alone until the next."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._jobs: dict[str, Job] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._failures = Failures(log)
        self._stopped = False
        # APScheduler's own default drops a run that comes a second late.
        self._apscheduler = AsyncIOScheduler(
            timezone=UTC,
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    @property
    def running(self) -> frozenset[str]:
        """The names of the jobs that run now."""
        return frozenset(self._running)

    def plan(self, name: str, interval: timedelta, job: Job, last_success: datetime | None) -> None:
        """Run `job` every `interval` once started; its last success decides when first."""
        first = first_run(self._clock.now(), interval, last_success)
        beats = Beats(first, interval, offset(name, interval))
        self._jobs[name] = job
        self._apscheduler.add_job(self._due, beats, args=[name], id=name)

    def start(self) -> None:
        """Begin to run what is planned, by the machine's clock; needs a running loop."""
        self._apscheduler.start()

    async def tick(self, name: str) -> None:
        """Run a planned job now and wait for its end; one that runs already is waited for.

        Needs no start. Raises KeyError for a name that is not planned.
        """
        await asyncio.wait([self._launched(name)])

    def stop(self) -> None:
        """Begin no more runs by schedule; leave those that run alone."""
        if not self._stopped and self._apscheduler.running:
            self._apscheduler.shutdown(wait=False)
        self._stopped = True

    async def drain(self, patience: timedelta) -> None:
        """Wait for what runs; cancel what still does when `patience` is over."""
        await self._wait(patience.total_seconds())
        for name, task in self._running.items():
            log.warning("cancelled: did not end in time", job=name)
            task.cancel()
        await self._wait(FAREWELL)

    async def _wait(self, seconds: float) -> None:
        if self._running:
            await asyncio.wait(self._running.values(), timeout=seconds)

    async def _due(self, name: str) -> None:
        # A stop takes effect at the loop's next turn; a run due in this one must not begin.
        if not self._stopped:
            self._launched(name)

    def _launched(self, name: str) -> asyncio.Task[None]:
        job = self._jobs[name]
        if name not in self._running:
            task = self._running[name] = asyncio.create_task(self._run(name, job), name=name)
            # Not at the end of `_run`: a task that is cancelled before it begins never gets there.
            task.add_done_callback(lambda _: self._running.pop(name))
        return self._running[name]

    async def _run(self, name: str, job: Job) -> None:
        try:
            await job()
        except HarvesterError as error:  # foreseen: told in a sentence
            self._failures.failing(name, type(error).__name__, error=str(error))
        except Exception as error:  # the last place that can: a schedule outlives its jobs' errors
            self._failures.failing(name, type(error).__name__, exc_info=error)
        else:
            self._failures.well(name)
