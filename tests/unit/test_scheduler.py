"""When jobs run, and that nothing they do stops the schedule."""

import asyncio
from collections.abc import MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from harvester.clock import SystemClock
from harvester.errors import StoreUnavailable
from harvester.scheduler import WIDEST_OFFSET, Beats, Scheduler, first_run, offset
from harvester.simulator.clock import HandClock

NOW = datetime(2026, 3, 4, 10, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("last_success", "first"),
    [
        (None, NOW),
        (NOW - 2 * DAY, NOW),
        (NOW - DAY, NOW),
        (NOW - HOUR, NOW + 23 * HOUR),
        (NOW + 900 * DAY, NOW + DAY),
    ],
    ids=["never", "overdue", "just due", "fresh", "in the future"],
)
def test_the_first_run_is_decided_by_the_last_success(
    last_success: datetime | None, first: datetime
) -> None:
    assert first_run(NOW, DAY, last_success) == first


def test_jobs_are_set_apart_and_each_stays_in_its_place() -> None:
    offsets = [offset(f"tenant-{number}/readings", DAY) for number in range(100)]
    assert offsets == [offset(f"tenant-{number}/readings", DAY) for number in range(100)]
    assert len(set(offsets)) == 100
    assert timedelta(0) <= min(offsets) < WIDEST_OFFSET / 10
    assert WIDEST_OFFSET * 0.9 < max(offsets) < WIDEST_OFFSET
    assert max(offset(f"tenant-{number}", MINUTE) for number in range(100)) < MINUTE / 10


def test_the_offset_comes_once_after_the_first_run() -> None:
    beats = Beats(NOW, HOUR, offset=MINUTE)
    first = beats.get_next_fire_time(None, NOW)
    second = beats.get_next_fire_time(first, NOW)
    third = beats.get_next_fire_time(second, NOW)
    assert (first, second - first, third - second) == (NOW, HOUR + MINUTE, HOUR)


class Job:
    """Runs until it is let go."""

    def __init__(self) -> None:
        self.begun = 0
        self.ended = 0
        self.let_go = asyncio.Event()

    async def __call__(self) -> None:
        self.begun += 1
        await self.let_go.wait()
        self.ended += 1


async def beginning(job: Job) -> None:
    while not job.begun:
        await asyncio.sleep(0)


def planned(job: Job) -> Scheduler:
    scheduler = Scheduler(SystemClock())
    scheduler.plan("acme/readings", HOUR, job, None)
    return scheduler


async def test_a_tick_runs_the_job_and_waits_for_its_end() -> None:
    job = Job()
    scheduler = planned(job)
    tick = asyncio.create_task(scheduler.tick("acme/readings"))
    await beginning(job)
    assert (job.begun, tick.done()) == (1, False)
    assert scheduler.running == {"acme/readings"}
    job.let_go.set()
    await tick
    assert job.ended == 1
    assert scheduler.running == frozenset()


async def test_a_job_does_not_run_twice_at_once() -> None:
    job = Job()
    scheduler = planned(job)
    ticks = [asyncio.create_task(scheduler.tick("acme/readings")) for _ in range(3)]
    await beginning(job)
    job.let_go.set()
    await asyncio.gather(*ticks)
    assert (job.begun, job.ended) == (1, 1)


async def test_only_what_is_planned_can_be_ticked() -> None:
    with pytest.raises(KeyError):
        await planned(Job()).tick("acme/reading")


async def told_of(*results: Exception | None) -> list[MutableMapping[str, Any]]:
    """What is logged of a job whose runs end so, one after the other."""
    left = list(results)

    async def job() -> None:
        if error := left.pop(0):
            raise error

    scheduler = Scheduler(SystemClock())
    scheduler.plan("acme/readings", HOUR, job, None)
    with capture_logs() as told:
        while left:
            await scheduler.tick("acme/readings")
    return told


async def test_an_error_is_logged_once_and_the_job_runs_again() -> None:
    told = await told_of(ValueError("odd"), ValueError("odd"), None)
    assert [(entry["event"], entry["what"]) for entry in told] == [
        ("failing", "acme/readings"),
        ("well again", "acme/readings"),
    ]
    assert isinstance(told[0]["exc_info"], ValueError)


async def test_an_outage_is_nobodys_failure_and_nobodys_recovery() -> None:
    told = await told_of(ValueError("odd"), StoreUnavailable("away"), ValueError("odd"), None)
    assert [entry["event"] for entry in told] == ["failing", "well again"]


async def test_an_unplanned_job_ends_its_run_and_the_others_go_on() -> None:
    job, other = Job(), Job()
    scheduler = planned(job)
    scheduler.plan("globex/readings", HOUR, other, None)
    ticks = [asyncio.create_task(scheduler.tick(f"{each}/readings")) for each in ("acme", "globex")]
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(job.let_go.set)
    await scheduler.unplan("acme/readings", MINUTE)
    assert job.ended == 1
    assert scheduler.running == {"globex/readings"}
    assert [each.name for each in scheduler.planned()] == ["globex/readings"]
    await scheduler.unplan("acme/readings", MINUTE)
    with pytest.raises(KeyError):
        await scheduler.tick("acme/readings")
    other.let_go.set()
    await asyncio.gather(*ticks)


@pytest.mark.parametrize("patience", [timedelta(0), timedelta(milliseconds=10)])
async def test_patience_with_an_unplanned_job_has_an_end(patience: timedelta) -> None:
    job = Job()
    scheduler = planned(job)
    tick = asyncio.create_task(scheduler.tick("acme/readings"))
    await asyncio.sleep(0)
    with capture_logs() as told:
        await scheduler.unplan("acme/readings", patience)
    assert scheduler.running == frozenset()
    await tick
    assert (job.begun, job.ended) == (1, 0)
    assert [(entry["log_level"], entry["job"]) for entry in told] == [("warning", "acme/readings")]


async def test_a_cancelled_wait_for_the_end_can_be_taken_up_again() -> None:
    job = Job()
    scheduler = planned(job)
    tick = asyncio.create_task(scheduler.tick("acme/readings"))
    await asyncio.sleep(0)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(scheduler.unplan("acme/readings", MINUTE), 0.01)
    assert scheduler.running == {"acme/readings"}
    job.let_go.set()
    await scheduler.unplan("acme/readings", MINUTE)
    await tick
    assert (job.ended, scheduler.planned()) == (1, [])


async def test_how_a_job_stands_is_told() -> None:
    job, clock = Job(), HandClock(NOW)
    scheduler = Scheduler(clock)
    scheduler.plan("acme/readings", HOUR, job, None, lambda: job.begun)
    [at_rest] = scheduler.planned()
    tick = asyncio.create_task(scheduler.tick("acme/readings"))
    await beginning(job)
    [at_work] = scheduler.planned()
    job.let_go.set()
    await tick
    [after] = scheduler.planned()
    assert [(each.began, each.signs) for each in (at_rest, at_work, after)] == [
        (None, 0),
        (NOW, 1),
        (None, 1),
    ]
