"""The schedule on the real APScheduler and the real clock."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from harvester.clock import SystemClock
from harvester.scheduler import Scheduler

OFTEN = timedelta(milliseconds=50)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
NAME = "acme/readings"


class Job:
    """Counts its runs, each of which goes on until the job is let go."""

    def __init__(self) -> None:
        self.begun = 0
        self.ended = 0
        self.beginnings = asyncio.Queue[float]()
        self.let_go = asyncio.Event()

    async def __call__(self) -> None:
        self.begun += 1
        self.beginnings.put_nowait(asyncio.get_running_loop().time())
        await self.let_go.wait()
        self.ended += 1

    async def next_beginning(self) -> float:
        """Of the loop's clock, in seconds."""
        return await asyncio.wait_for(self.beginnings.get(), 5)


@pytest.fixture
async def scheduler() -> AsyncIterator[Scheduler]:
    scheduler = Scheduler(SystemClock())
    scheduler.start()
    yield scheduler
    scheduler.stop()
    for each in scheduler.planned():
        await scheduler.unplan(each.name, timedelta(0))


async def test_a_job_that_never_ran_runs_at_once_and_then_by_its_interval(
    scheduler: Scheduler,
) -> None:
    (job := Job()).let_go.set()
    scheduler.plan("daily", DAY, job, None)
    await job.next_beginning()
    (often := Job()).let_go.set()
    scheduler.plan(NAME, OFTEN, often, None)
    first, _, _, last = [await often.next_beginning() for _ in range(4)]
    assert last - first >= 2.5 * OFTEN.total_seconds()
    assert job.begun == 1


async def test_a_restart_does_not_run_early_and_makes_up_what_was_missed(
    scheduler: Scheduler,
) -> None:
    (fresh := Job()).let_go.set()
    (overdue := Job()).let_go.set()
    now = SystemClock().now()
    scheduler.plan("fresh", DAY, fresh, now - DAY / 2)
    scheduler.plan("overdue", DAY, overdue, now - 2 * DAY)
    await overdue.next_beginning()
    await asyncio.sleep(0.05)
    assert fresh.begun == 0


async def test_a_run_longer_than_the_interval_is_left_alone(scheduler: Scheduler) -> None:
    job = Job()
    scheduler.plan(NAME, OFTEN, job, None)
    await job.next_beginning()
    await asyncio.sleep(0.15)
    assert job.begun == 1
    job.let_go.set()
    await job.next_beginning()


async def test_a_stop_leaves_what_runs_and_begins_nothing(scheduler: Scheduler) -> None:
    job = Job()
    scheduler.plan(NAME, OFTEN, job, None)
    await job.next_beginning()
    scheduler.stop()
    scheduler.stop()
    await asyncio.sleep(0.12)
    assert scheduler.running == {NAME}
    job.let_go.set()
    await scheduler.unplan(NAME, timedelta(seconds=5))
    assert (job.begun, job.ended) == (1, 1)


async def test_one_job_is_unplanned_and_the_other_keeps_its_time(scheduler: Scheduler) -> None:
    (gone := Job()).let_go.set()
    (kept := Job()).let_go.set()
    scheduler.plan("gone", OFTEN, gone, None)
    scheduler.plan(NAME, OFTEN, kept, None)
    await gone.next_beginning()
    await scheduler.unplan("gone", DAY)
    begun = gone.begun
    for _ in range(4):
        await kept.next_beginning()
    assert gone.begun == begun


async def test_a_run_that_is_due_when_its_job_is_unplanned_does_not_begin(
    scheduler: Scheduler,
) -> None:
    (job := Job()).let_go.set()
    scheduler.plan(NAME, OFTEN, job, None)
    await asyncio.sleep(0)  # APScheduler has made the run a task, which had no turn yet
    await scheduler.unplan(NAME, DAY)
    await asyncio.sleep(0.1)
    assert job.begun == 0


async def test_what_is_due_next_is_told(scheduler: Scheduler) -> None:
    now = SystemClock().now()
    scheduler.plan(NAME, DAY, Job(), now)
    [planned] = scheduler.planned()
    assert planned.due == now + DAY


async def test_a_clock_that_was_set_forward_is_followed(scheduler: Scheduler) -> None:
    (job := Job()).let_go.set()
    scheduler.plan(NAME, DAY, job, SystemClock().now() - DAY + 3 * OFTEN)
    await asyncio.sleep(0)
    forget_the_timer(scheduler)  # what a timer that runs for hours too long comes down to
    await asyncio.sleep(0.2)
    assert job.begun == 0
    scheduler.wake()
    await job.next_beginning()


def forget_the_timer(scheduler: Scheduler) -> None:
    scheduler._apscheduler._stop_timer()


async def test_a_run_that_is_due_when_the_stop_comes_does_not_begin(scheduler: Scheduler) -> None:
    (job := Job()).let_go.set()
    scheduler.plan(NAME, OFTEN, job, None)
    await asyncio.sleep(0)  # APScheduler has made the run a task, which had no turn yet
    scheduler.stop()
    await asyncio.sleep(0.1)
    assert job.begun == 0


async def test_a_run_that_comes_late_is_not_dropped(scheduler: Scheduler) -> None:
    (job := Job()).let_go.set()
    scheduler.plan(NAME, DAY, job, SystemClock().now() - DAY + OFTEN)
    await asyncio.sleep(0)
    block_the_loop_for(1.2)
    await job.next_beginning()


def block_the_loop_for(seconds: float) -> None:
    """As another room's mistake would: APScheduler by itself drops what is a second late."""
    until = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < until:
        pass


async def test_a_clock_that_was_set_back_does_not_silence_a_job() -> None:
    clock = SetClock()
    scheduler = Scheduler(clock)
    scheduler.start()
    (job := Job()).let_go.set()
    try:
        clock.ahead = 5 * HOUR
        scheduler.plan(NAME, DAY, job, clock.now() - DAY + HOUR)  # due in an hour
        scheduler.wake()
        await asyncio.sleep(0.1)
        assert job.begun == 0
        clock.ahead = timedelta(0) - DAY
        scheduler.wake()
        await job.next_beginning()
    finally:
        scheduler.stop()


class SetClock(SystemClock):
    """The machine's, set by so much."""

    ahead = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.ahead


@pytest.mark.parametrize("turns", range(6))
async def test_a_stop_in_the_moment_when_a_run_is_due_is_no_error(
    turns: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def rests() -> None:
        pass

    scheduler = Scheduler(SystemClock())
    scheduler.plan("job", timedelta(seconds=60), rests, None)
    scheduler.start()
    for _ in range(turns):
        await asyncio.sleep(0)
    scheduler.stop()
    for _ in range(6):
        await asyncio.sleep(0)
    assert [each.message for each in caplog.records if each.levelname == "ERROR"] == []
