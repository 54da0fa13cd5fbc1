"""Time as it really goes: waits longer than a token lives, and clocks that somebody sets."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from accessed import standing
from aiohttp import web
from befallen import Gate
from clocks import SetClock
from exchanged import LeapClock
from fix_platforms import NOW, Stage, login, staged
from persons import log_in

from harvester.auth import AccountApi
from harvester.auth.life import MOST_TRIES
from harvester.client import Client
from harvester.errors import PlatformError, Throttled
from harvester.model import Credentials
from harvester.simulator.faults import Answer, Fault, throttle
from harvester.simulator.mydevices import FakeMydevices

if TYPE_CHECKING:
    from harvester.store.pool import Pool

READ, TOKEN_CALL = "/companies", "/oauth/token"
HOUR, DAY, SECOND = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)


@pytest.fixture
async def stage(pool: Pool) -> AsyncIterator[Stage]:
    """Its access tokens live for five minutes."""
    async with staged("mydevices", pool, access_ttl=300, rotate=True) as stage:
        yield stage


def refused_reads(stage: Stage) -> list[str]:
    """Reads that were answered with 401, from now on."""
    found: list[str] = []

    async def noted(request: web.Request, honest: Answer) -> web.StreamResponse:
        assert isinstance(stage.fake, FakeMydevices)
        try:
            stage.fake.tokens.bearer(request.headers.get("Authorization"))
        except Exception as refusal:
            found.append(repr(refusal))
            raise
        return await honest(request)

    stage.fake.faults.add(Fault("GET ", noted, times=None))
    return found


async def test_a_read_that_is_told_to_wait_is_repeated_with_a_token_that_lives(
    stage: Stage,
) -> None:
    clock = LeapClock(NOW)
    stage.clock, stage.world.clock = clock, clock
    refused = refused_reads(stage)
    client = Client(stage.fake.url, clock, tenant="acme", platform="mydevices", concurrency=4)
    async with client:
        api = AccountApi(await stage.keeper(), client)
        for _ in range(20):
            stage.fake.faults.add(Fault(READ, throttle(45 * SECOND)))
            clock.advance(61 * SECOND)
            assert await api.get(READ)
    assert refused == []
    assert stage.fake.token_calls["password"] == 1
    assert clock.now() > NOW + 30 * timedelta(minutes=1)


async def test_reads_after_a_long_wait_of_the_whole_tenant_are_not_refused(stage: Stage) -> None:
    api, refused = await stage.api(), refused_reads(stage)
    assert await api.get(READ)
    stage.fake.faults.add(Fault(READ, throttle(40 * timedelta(minutes=1))))
    for _ in range(40):
        with pytest.raises(Throttled):
            await api.get(READ)
        stage.clock.advance(timedelta(minutes=1))
    assert await api.get(READ)
    assert refused == []
    assert stage.fake.token_calls["password"] == 1


async def test_reads_that_wait_for_a_slot_through_an_expiry_are_not_refused(
    stage: Stage,
) -> None:
    refused, gate = refused_reads(stage), Gate()
    client = Client(stage.fake.url, stage.clock, tenant="acme", platform="mydevices", concurrency=1)
    async with client:
        api = AccountApi(await stage.keeper(), client)
        stage.fake.faults.add(Fault(READ, gate))
        reads = asyncio.gather(*(api.get(READ) for _ in range(10)))
        await gate.arrived.wait()
        stage.clock.advance(6 * timedelta(minutes=1))
        gate.open.set()
        assert len(await reads) == 10
    # What the first one was sent with had died by the time that the platform looked at it.
    assert len(refused) <= 1
    assert stage.fake.token_calls == {"password": 1, "refresh_token": 1}


async def test_the_token_that_was_refused_is_compared_with_the_newest(stage: Stage) -> None:
    keeper, other = await stage.keeper(), await stage.keeper(owner="two")
    first, same = await keeper.token(), await other.token()
    assert first == same
    second = await keeper.replace(first)
    replacing = (each for _ in range(20) for each in (keeper.replace(first), other.replace(same)))
    late = await asyncio.gather(*replacing)
    assert {each.access_token for each in late} == {second.access_token}
    assert stage.fake.token_calls == {"password": 1, "refresh_token": 1}


@pytest.mark.parametrize("password", [True, False])
@pytest.mark.parametrize("seed", range(3))
async def test_a_clock_that_jumps_by_days_neither_hammers_nor_loses_an_account(
    pool: Pool, seed: int, password: bool
) -> None:
    async with staged("mydevices", pool, rotate=True) as stage:
        await log_in(stage)
        chance, ours = random.Random(seed), SetClock(stage.clock)  # noqa: S311
        keeper = await stage.keeper(None if password else Credentials(stage.ana.name), clock=ours)
        api, failed = AccountApi(keeper, stage.client), 0
        for _ in range(60):
            ours.ahead = chance.choice([-1, 0, 1]) * chance.random() * 20 * DAY
            stage.clock.advance(chance.random() * DAY)
            try:
                assert await api.get(READ)
            except PlatformError:
                failed += 1
        ours.ahead = timedelta()
        assert failed == 0
        assert stage.fake.violations == []
        assert stage.calls() <= 2 * 60


async def test_a_clock_that_jumps_does_not_try_a_refused_password_on_and_on(
    stage: Stage,
) -> None:
    ours = SetClock(stage.clock)
    keeper = await stage.keeper(login(stage.ana, "wrong"), clock=ours)
    chance = random.Random(7)  # noqa: S311
    for _ in range(200):
        ours.ahead = (chance.random() - 0.5) * 40 * DAY
        with pytest.raises(PlatformError):
            await keeper.token()
    assert stage.calls() == MOST_TRIES
    assert (await standing(stage, stage.ana.name))[0] == "quarantined"
