"""One token call of an account is in flight, and what comes of it is not lost: neither to those who
wait for it, nor to another instance."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from befallen import Gate
from fix_platforms import NOW, Stage, login, staged

from harvester.auth import sealed
from harvester.auth.calls import LONGEST_CALL
from harvester.auth.held import FIRST_BACKOFF
from harvester.auth.sealed import RENEWAL_LASTS
from harvester.client import sessions
from harvester.errors import AnswerLost, CredentialRefused, TokenError
from harvester.simulator.faults import Answer, Fault
from harvester.store import leases

if TYPE_CHECKING:
    from harvester.store.pool import Pool

TOKEN_CALL = "/oauth/token"
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)


@pytest.fixture
async def stage(pool: "Pool") -> AsyncIterator[Stage]:
    async with staged("mydevices", pool, quirk="rotating refresh tokens") as stage:
        yield stage


async def test_a_call_that_hangs_is_given_up(pool: "Pool", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "CALL_SECONDS", 0.05)
    async with staged("mydevices", pool) as stage:
        keeper, gate = await stage.keeper(), Gate()
        stage.fake.faults.add(Fault(TOKEN_CALL, gate))
        with pytest.raises(AnswerLost):
            await keeper.token()
        gate.open.set()
        stage.clock.advance(FIRST_BACKOFF)
        assert await keeper.token()


def test_all_calls_of_a_renewal_end_before_another_instance_may_begin() -> None:
    a_renewal = sessions.CONNECT_SECONDS + 3 * sessions.CALL_SECONDS
    assert a_renewal < LONGEST_CALL < RENEWAL_LASTS.total_seconds()


async def test_who_asks_may_be_cancelled_and_the_call_goes_on(stage: Stage) -> None:
    keeper, gate = await stage.keeper(), Gate()
    first = await keeper.token()
    stage.clock.advance(DAY)
    stage.fake.faults.add(Fault(TOKEN_CALL, gate))
    asking = [asyncio.create_task(keeper.token()) for _ in range(3)]
    await gate.arrived.wait()
    asking[0].cancel()
    gate.open.set()
    told = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(told[0], asyncio.CancelledError)
    assert told[1] is told[2] is await keeper.token() is not first
    assert stage.fake.token_calls == {"password": 1, "refresh_token": 1}
    assert stage.fake.violations == []


async def test_no_further_cancel_breaks_it_off(stage: Stage) -> None:
    """As a stop does that comes while a reload ends the tenant."""
    keeper, gate = await stage.keeper(), Gate()
    await keeper.token()
    stage.clock.advance(DAY)
    stage.fake.faults.add(Fault(TOKEN_CALL, gate))
    asking = asyncio.create_task(keeper.token())
    await gate.arrived.wait()
    for _ in range(3):
        asking.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
        assert not asking.done()
    gate.open.set()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await keeper.token() == await (await stage.keeper(owner="two")).token()
    assert stage.fake.token_calls == {"password": 1, "refresh_token": 1}


async def test_many_who_wait_for_a_token_that_hardly_lives_cost_one_call(stage: Stage) -> None:
    async def short(_request: web.Request, _honest: Answer) -> web.StreamResponse:
        stage.clock.advance(SECOND)
        return web.json_response({"access_token": "over", "expires_in": 1})

    stage.fake.faults.add(Fault(TOKEN_CALL, short, times=None))
    keeper = await stage.keeper()
    told = await asyncio.gather(*(keeper.token() for _ in range(50)))
    assert len({id(each) for each in told}) == 1
    assert stage.calls() == 1


async def test_a_refusal_that_nobody_waited_for_is_known(stage: Stage) -> None:
    keeper, gate = await stage.keeper(login(stage.ana, "wrong")), Gate()
    stage.fake.faults.add(Fault(TOKEN_CALL, gate))
    asking = asyncio.create_task(keeper.token())
    await gate.arrived.wait()
    asking.cancel()
    gate.open.set()
    with pytest.raises(asyncio.CancelledError):
        await asking
    with pytest.raises(CredentialRefused):
        await keeper.token()
    assert stage.calls() == 1


def found_held(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set once somebody finds that another has the account."""
    found, take = asyncio.Event(), leases.take_account

    async def taken(*of: Any) -> int | None:
        fence = await take(*of)
        if fence is None:
            found.set()
        return fence

    monkeypatch.setattr(leases, "take_account", taken)
    return found


async def test_of_two_instances_one_asks_and_the_other_waits_for_what_it_saves(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two, gate = await stage.keeper(), await stage.keeper(owner="two"), Gate()
    stage.fake.faults.add(Fault(TOKEN_CALL, gate))
    asking = asyncio.create_task(one.token())
    await gate.arrived.wait()
    held, waiting = found_held(monkeypatch), asyncio.create_task(two.token())
    await held.wait()
    gate.open.set()
    assert await waiting == await asking
    assert stage.fake.token_calls == {"password": 1}


async def test_the_wait_for_another_instance_has_an_end(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed, "PATIENCE", 0.05)
    one, two, gate = await stage.keeper(), await stage.keeper(owner="two"), Gate()
    stage.fake.faults.add(Fault(TOKEN_CALL, gate))
    asking = asyncio.create_task(one.token())
    await gate.arrived.wait()
    with pytest.raises(TokenError) as held:
        await two.token()
    assert held.value.reason == "held"
    gate.open.set()
    token = await asking
    stage.clock.advance(FIRST_BACKOFF)
    assert await two.token() == token


async def test_however_many_ask_in_both_instances_one_call_is_made(stage: Stage) -> None:
    keepers = [await stage.keeper(owner=str(n % 2)) for n in range(2)]
    asking = (keepers[n % 2].token() for n in range(50))
    told = await asyncio.gather(*asking)
    assert stage.fake.token_calls == {"password": 1}
    assert len({each.access_token for each in told}) == 1


async def test_an_instance_adopts_a_renewal_although_the_lease_is_not_its_own(
    stage: Stage,
) -> None:
    one, two = await stage.keeper(), await stage.keeper(owner="two")
    first, adopted = await one.token(), await two.token()
    assert adopted == first
    second = await one.replace(first)
    assert await two.replace(adopted) == second
    assert stage.fake.token_calls == {"password": 1, "refresh_token": 1}


async def test_who_was_too_slow_with_a_renewal_takes_the_other_instances(stage: Stage) -> None:
    one, two, gate = await stage.keeper(), await stage.keeper(owner="two"), Gate()
    stage.fake.faults.add(Fault(TOKEN_CALL, gate))
    asking = asyncio.create_task(one.token())
    await gate.arrived.wait()
    await stage.pool.execute("update harvester_data.account_lease set until = '-infinity'")
    token = await two.token()
    gate.open.set()
    with pytest.raises(TokenError) as held:
        await asking
    assert held.value.reason == "held"
    stage.clock.advance(FIRST_BACKOFF)
    assert await one.token() == token
    assert stage.clock.now() == NOW + FIRST_BACKOFF
