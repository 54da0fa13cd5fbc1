"""When jobs run. What is due in a run is decided elsewhere, so a missed run loses nothing.

APScheduler only says when: the runs are tasks of our own, because its shutdown would cancel them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from harvester.clock import Clock
from harvester.errors import HarvesterError, StoreUnavailable
from harvester.logs import Failures

log = structlog.stdlib.get_logger(__name__)

Job = Callable[[], Awaitable[object]]
Signs = Callable[[], object]

WIDEST_OFFSET = timedelta(seconds=30)


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


@dataclass(frozen=True, slots=True)
class Planned:
    """How a job stands: when it is due next, since when it runs, and its signs of progress."""

    name: str
    interval: timedelta
    due: datetime | None
    began: datetime | None
    signs: object


@dataclass(slots=True, eq=False)
class _Job:
    name: str
    interval: timedelta
    run: Job
    signs: Signs
    failures: Failures = field(default_factory=lambda: Failures(log))
    task: asyncio.Task[None] | None = None
    began: datetime | None = None
    over: bool = False


class Scheduler:
    """One job a name; a job that still runs when its time comes is left alone until the next."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._jobs: dict[str, _Job] = {}
        self._stopped = False
        # APScheduler's own default drops a run that comes a second late.
        self._apscheduler = AsyncIOScheduler(
            timezone=UTC,
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    @property
    def running(self) -> frozenset[str]:
        """The names of the jobs that run now."""
        return frozenset(job.name for job in self._jobs.values() if job.task)

    def planned(self) -> list[Planned]:
        """How all jobs stand; those that are over, until their last run has ended."""
        due = {
            # A job has no time yet before the start.
            each.id: getattr(each, "next_run_time", None)
            for each in self._apscheduler.get_jobs()
        }
        return [
            Planned(job.name, job.interval, due.get(job.name), job.began, job.signs())
            for job in self._jobs.values()
        ]

    def plan(
        self,
        name: str,
        interval: timedelta,
        job: Job,
        last_success: datetime | None,
        signs: Signs = lambda: None,
    ) -> None:
        """Run `job` every `interval` once started; its last success decides when first.

        What `signs` gives differs from before when a run got on. A StoreUnavailable that `job`
        raises is told elsewhere, once for all jobs.
        """
        first = first_run(self._clock.now(), interval, last_success)
        beats = Beats(first, interval, offset(name, interval))
        self._jobs[name] = _Job(name, interval, job, signs)
        self._apscheduler.add_job(self._due, beats, args=[name], id=name)

    async def unplan(self, name: str, patience: timedelta) -> None:
        """Begin no more runs of a job, and return when the last one has ended.

        It is cancelled when `patience` is over. A job that is not planned is none to wait for.
        """
        if (job := self._jobs.get(name)) is None:
            return
        if not (job.over or self._stopped):
            self._apscheduler.remove_job(name)
        job.over = True
        if job.task and not await _ended(job.task, patience):
            log.warning("cancelled: did not end in time", job=name)
            job.task.cancel()
            await _ended(job.task, None)
        self._jobs.pop(name, None)

    def start(self) -> None:
        """Begin to run what is planned, by the machine's clock; needs a running loop."""
        self._apscheduler.start()

    def wake(self) -> None:
        """Look at the clock again, which may have been set.

        Forward, and the timer runs too long; back, and what was due soon is due far ahead.
        """
        if self._stopped or not self._apscheduler.running:
            return
        now = self._clock.now()
        for each in self._apscheduler.get_jobs():
            if each.next_run_time - now > self._jobs[each.id].interval + WIDEST_OFFSET:
                each.modify(next_run_time=now)
        self._apscheduler.wakeup()

    async def tick(self, name: str) -> None:
        """Run a planned job now and wait for its end; one that runs already is waited for.

        Needs no start. Raises KeyError for a name that is not planned.
        """
        await asyncio.wait([self._launched(self._jobs[name])])

    def stop(self) -> None:
        """Begin no more runs by schedule; leave those that run alone."""
        if not self._stopped and self._apscheduler.running:
            # Not a shutdown, which would cancel what is due in this turn, and log that as an error.
            self._apscheduler.pause()
        self._stopped = True

    async def _due(self, name: str) -> None:
        # An end takes effect at the loop's next turn; a run due in this one must not begin.
        job = self._jobs.get(name)
        if job and not (job.over or self._stopped):
            self._launched(job)

    def _launched(self, job: _Job) -> asyncio.Task[None]:
        if job.task is None:
            job.began = self._clock.now()
            job.task = asyncio.create_task(_run(job), name=job.name)
            # Not at the end of `_run`: a task that is cancelled before it begins never gets there.
            job.task.add_done_callback(lambda _: _rest(job))
        return job.task


async def _ended(task: asyncio.Task[None], patience: timedelta | None) -> bool:
    done, _ = await asyncio.wait(
        [task], timeout=None if patience is None else patience.total_seconds()
    )
    return bool(done)


def _rest(job: _Job) -> None:
    job.task = job.began = None


async def _run(job: _Job) -> None:
    try:
        await job.run()
    except StoreUnavailable:
        pass  # neither this job's failure nor its end
    except HarvesterError as error:  # foreseen: told in a sentence
        job.failures.failing(job.name, type(error).__name__, error=str(error))
    except Exception as error:  # the last place that can: a schedule outlives its jobs' errors
        job.failures.failing(job.name, type(error).__name__, exc_info=error)
    else:
        job.failures.well(job.name)
