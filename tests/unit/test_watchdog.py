"""When systemd hears that the daemon is alive, and when not; a socket stands for systemd."""

import asyncio
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from harvester.scheduler import Planned, Scheduler
from harvester.service.watchdog import LATEST, QUIET, Progress, Pulse, Watchdog, late, stuck
from harvester.simulator.clock import HandClock

NOW = datetime(2026, 3, 4, 10, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
INTERVAL = 5 * MINUTE
LONG_AGO = NOW - INTERVAL - QUIET - MINUTE
NAME = "acme readings"


def job(due: datetime | None = None, began: datetime | None = None) -> Planned:
    return Planned(NAME, INTERVAL, due, began, None)


@pytest.mark.parametrize(
    ("planned", "since", "sentence"),
    [
        (job(due=NOW + MINUTE), LONG_AGO, None),
        (job(due=NOW - QUIET), LONG_AGO, None),
        (job(due=NOW - QUIET - MINUTE), LONG_AGO, "was due at 10:14:00 UTC and does not run"),
        (job(began=NOW - QUIET - MINUTE), LONG_AGO, None),
        (job(began=LONG_AGO), NOW - QUIET, None),
        (job(began=LONG_AGO), LONG_AGO, "runs since 10:09:00 UTC and does not advance"),
        (job(due=LONG_AGO, began=NOW - MINUTE), LONG_AGO, None),
        (job(), LONG_AGO, None),
    ],
    ids=[
        "rests",
        "a little overdue",
        "overdue",
        "within its deadline",
        "over its deadline, but it gets on",
        "stuck",
        "due while it runs",
        "not started",
    ],
)
def test_a_job_is_stuck_when(planned: Planned, since: datetime, sentence: str | None) -> None:
    expected = [f"{NAME} {sentence}"] if sentence else []
    assert stuck([Progress(planned, since)], NOW) == expected


def test_a_loop_may_be_a_little_late() -> None:
    assert late(LATEST) == []
    assert late(LATEST + 2) == ["the event loop is 7 s late"]


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listening


def heard(systemd: socket.socket) -> str | None:
    try:
        return systemd.recv(4096).decode()
    except BlockingIOError:
        return None


class Tick:
    """A run that has asked so many times, and ends when it is let go."""

    def __init__(self) -> None:
        self.asked = 0
        self.let_go = asyncio.Event()

    async def __call__(self) -> None:
        await self.let_go.wait()


async def watched(tick: Tick, clock: HandClock) -> tuple[Watchdog, asyncio.Task[None]]:
    """A watchdog over a run that has begun."""
    scheduler = Scheduler(clock)
    scheduler.plan(NAME, INTERVAL, tick, None, lambda: tick.asked)
    running = asyncio.create_task(scheduler.tick(NAME))
    await asyncio.sleep(0)
    return Watchdog(Pulse(), clock, scheduler.planned), running


async def test_a_run_that_is_stuck_for_ever_is_told_once_and_systemd_hears_nothing(
    systemd: socket.socket,
) -> None:
    clock, tick = HandClock(NOW), Tick()
    watchdog, running = await watched(tick, clock)
    pings = []
    with capture_logs() as told:
        for _ in range(10):
            await watchdog.look()
            pings.append(heard(systemd))
            clock.advance(INTERVAL)
    assert pings == ["WATCHDOG=1"] * 5 + [None] * 5
    [line] = told
    assert line["why"] == f"{NAME} runs since 10:30:00 UTC and does not advance"
    tick.let_go.set()
    await running
    await watchdog.look()
    assert heard(systemd) == "WATCHDOG=1"


async def test_a_platform_that_is_slow_for_hours_does_not_end_the_daemon(
    systemd: socket.socket,
) -> None:
    clock, tick = HandClock(NOW), Tick()
    watchdog, running = await watched(tick, clock)
    for _ in range(30):
        clock.advance(timedelta(minutes=11))
        tick.asked += 1  # a time-out, then the next try
        await watchdog.look()
        assert heard(systemd) == "WATCHDOG=1"
    tick.let_go.set()
    await running


async def test_a_start_that_takes_long_asks_for_more_time(systemd: socket.socket) -> None:
    await Watchdog(Pulse(), HandClock(NOW), lambda: None).look()
    assert heard(systemd) == "EXTEND_TIMEOUT_USEC=60000000"


async def test_a_loop_that_was_held_up_is_not_on_time_until_it_is_measured_again(
    systemd: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harvester.service.watchdog.BEAT", 0.05)
    monkeypatch.setattr("harvester.service.watchdog.LATEST", 0.3)
    pulse = Pulse()
    watchdog = Watchdog(pulse, HandClock(NOW), list)
    beating = asyncio.create_task(pulse.beat())
    await asyncio.sleep(0)
    hold_the_loop_for(0.5)
    with capture_logs():
        await watchdog.look()  # before the pulse was felt
        assert heard(systemd) is None
        for _ in range(3):
            await asyncio.sleep(0)
        await watchdog.look()  # it was felt, late
        assert heard(systemd) is None
        while pulse.delay > 0.3:
            await asyncio.sleep(0.05)
        await watchdog.look()
    assert heard(systemd) == "WATCHDOG=1"
    beating.cancel()


def hold_the_loop_for(seconds: float) -> None:
    until = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < until:
        pass
