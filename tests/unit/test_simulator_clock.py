"""A clock moved by hand wakes those whose time has come; the real one waits for the wall clock."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from harvester.simulator.clock import HandClock, RealClock

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


async def test_sleepers_wake_in_the_order_of_their_instants() -> None:
    clock, woken = HandClock(NOON), list[int]()

    async def sleep(minutes: int) -> None:
        await clock.sleep_until(NOON + minutes * MINUTE)
        woken.append(minutes)

    async with asyncio.TaskGroup() as group:
        for minutes in (5, 1, 9, 3):
            group.create_task(sleep(minutes))
        await asyncio.sleep(0)
        clock.advance(5 * MINUTE)
        for _ in range(3):
            await asyncio.sleep(0)
        assert woken == [1, 3, 5]
        clock.set(NOON + 9 * MINUTE)
    assert woken == [1, 3, 5, 9]


async def test_who_sleeps_until_the_past_does_not_sleep() -> None:
    clock = HandClock(NOON)
    await clock.sleep_until(NOON)
    await clock.sleep_until(NOON - MINUTE)


async def test_a_sleeper_may_give_up() -> None:
    clock = HandClock(NOON)
    sleeper = asyncio.create_task(clock.sleep_until(NOON + MINUTE))
    await asyncio.sleep(0)
    sleeper.cancel()
    await asyncio.gather(sleeper, return_exceptions=True)
    clock.advance(MINUTE)
    assert sleeper.cancelled()


def test_the_clock_never_goes_back() -> None:
    clock = HandClock(NOON)
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance(-MINUTE)
    assert clock.now() == NOON


async def test_the_real_clock_sleeps_on_when_the_wall_clock_was_set_back() -> None:
    told = [NOON - MINUTE / 60_000, NOON - MINUTE / 60_000, NOON]

    class SetBack(RealClock):
        def now(self) -> datetime:
            return told.pop(0)

    await SetBack().sleep_until(NOON)
    assert told == []
    assert RealClock().now().utcoffset() == timedelta(0)
