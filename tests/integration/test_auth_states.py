"""Where an account stands outlives the daemon: after a restart it goes on from there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from accessed import standing
from fix_platforms import Stage, login, staged
from persons import log_in

from harvester.auth.held import FIRST_BACKOFF, LOOK_EVERY
from harvester.auth.life import MOST_TRIES, PROBE_EVERY, TRY_AGAIN
from harvester.errors import CredentialRefused, RenewalRefused, TokenError
from harvester.model import Credentials
from harvester.simulator.faults import Fault, cut

if TYPE_CHECKING:
    from harvester.store.pool import Pool

TOKEN_CALL = "/oauth/token"
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)

either = pytest.mark.parametrize("owner", ["one", "two"])
"""The same instance after a restart, or another."""


class Crash(BaseException):
    """The end of the process, as far as what runs in it can tell."""


@pytest.fixture(params=["as documented"])
async def stage(request: pytest.FixtureRequest, pool: Pool) -> AsyncIterator[Stage]:
    async with staged("mydevices", pool, quirk=request.param) as stage:
        yield stage


def crash_at_calls(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    async def dying(*_: Any, **__: Any) -> object:
        raise Crash

    monkeypatch.setattr(stage.client, "post_once", dying)


async def refused(stage: Stage, owner: str, password: str = "wrong") -> str:  # noqa: S107
    keeper = await stage.keeper(login(stage.ana, password), owner=owner)
    with pytest.raises(CredentialRefused) as refusal:
        await keeper.token()
    return refusal.value.reason


async def left_without(stage: Stage, owner: str) -> type[Exception]:
    """How an account that has no password is told that there is no token."""
    with pytest.raises(TokenError) as refusal:
        await (await stage.keeper(Credentials(stage.ana.name), owner=owner)).token()
    return refusal.type


async def spend(stage: Stage) -> None:
    """Ana's refresh token ends, and nothing else is at hand."""
    await log_in(stage)
    stage.clock.advance(3 * DAY)
    assert await left_without(stage, "one") is RenewalRefused


@either
async def test_a_quarantined_account_costs_no_call_in_all_of_its_quiet_time(
    stage: Stage, owner: str
) -> None:
    assert await refused(stage, "one") == "bad_credentials"
    for _ in range(10):
        stage.clock.advance(PROBE_EVERY / 10 - SECOND)
        assert await refused(stage, owner) == "bad_credentials"
    assert await standing(stage, stage.ana.name) == ("quarantined", "bad_credentials")
    assert stage.fake.token_calls == {"password": 1}


async def test_after_its_quiet_time_it_is_looked_once_and_then_it_is_quiet_again(
    stage: Stage,
) -> None:
    await refused(stage, "one")
    stage.clock.advance(PROBE_EVERY)
    keepers = [await stage.keeper(login(stage.ana, "wrong"), owner=str(n)) for n in range(5)]
    told = await asyncio.gather(*(each.token() for each in keepers), return_exceptions=True)
    assert {type(each) for each in told} == {CredentialRefused}
    stage.clock.advance(PROBE_EVERY - SECOND)
    assert await refused(stage, "one") == "bad_credentials"
    assert stage.fake.token_calls == {"password": 2}


async def test_a_secret_that_stays_refused_is_given_up_before_any_platform_locks(
    stage: Stage,
) -> None:
    for n in range(2 * MOST_TRIES):
        assert await refused(stage, str(n)) == "bad_credentials"
        stage.clock.advance(PROBE_EVERY)
    stage.clock.advance(400 * DAY)
    await refused(stage, "one")
    assert stage.fake.token_calls == {"password": MOST_TRIES}


async def test_a_running_daemon_probes_as_rarely(stage: Stage) -> None:
    keeper = await stage.keeper(login(stage.ana, "wrong"))
    for _ in range(3 * 24 * 4):
        with pytest.raises(CredentialRefused):
            await keeper.token()
        stage.clock.advance(timedelta(minutes=15))
    assert stage.fake.token_calls == {"password": MOST_TRIES}
    assert keeper.tries_left == 0


@either
async def test_an_account_that_needs_a_login_costs_no_call_until_it_has_one(
    stage: Stage, owner: str
) -> None:
    await spend(stage)
    assert await standing(stage, stage.ana.name) == ("needs_login", "refresh_expired")
    calls = stage.calls()
    for _ in range(5):
        stage.clock.advance(DAY)
        assert await left_without(stage, owner) is CredentialRefused
    assert stage.calls() == calls
    assert await (await stage.keeper(owner=owner)).token()
    assert await standing(stage, stage.ana.name) == ("active", None)


@either
async def test_a_call_whose_answer_was_lost_is_made_once_more_after_a_restart(
    stage: Stage, owner: str
) -> None:
    await log_in(stage)
    stage.clock.advance(DAY)
    stage.fake.faults.add(Fault(TOKEN_CALL, cut(0)))
    keeper = await stage.keeper(Credentials(stage.ana.name))
    with pytest.raises(Exception, match="token"):
        await keeper.token()
    assert await standing(stage, stage.ana.name) == ("answer_lost", None)
    assert await (await stage.keeper(Credentials(stage.ana.name), owner=owner)).token()
    assert await standing(stage, stage.ana.name) == ("active", None)
    assert stage.fake.token_calls == {"password": 1, "refresh_token": 2}


@either
async def test_a_renewal_that_a_crash_broke_off_is_made_once_more(
    stage: Stage, owner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await log_in(stage)
    stage.clock.advance(DAY)
    for _ in range(2):
        with monkeypatch.context() as crashing, pytest.raises(Crash):
            crash_at_calls(stage, crashing)
            await (await stage.keeper(Credentials(stage.ana.name))).token()
        assert await standing(stage, stage.ana.name) == ("renewing", None)
    assert await left_without(stage, owner) is CredentialRefused
    assert await standing(stage, stage.ana.name) == ("needs_login", "answer_lost")
    assert await left_without(stage, "one") is CredentialRefused
    assert await (await stage.keeper(owner=owner)).token()
    assert stage.fake.token_calls == {"password": 2}


@either
async def test_logins_that_crashes_broke_off_are_counted_and_then_made_hourly(
    stage: Stage, owner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as crashing:
        crash_at_calls(stage, crashing)
        for _ in range(MOST_TRIES):
            with pytest.raises(Crash):
                await (await stage.keeper()).token()
    keeper = await stage.keeper(owner=owner)
    for _ in range(9):
        with pytest.raises(TokenError, match="broken off") as told:
            await keeper.token()
        assert told.value.reason == "password_budget"
        stage.clock.advance(TRY_AGAIN / 10)
    assert stage.calls() == 0
    stage.clock.advance(TRY_AGAIN)
    assert await keeper.token()
    assert stage.fake.token_calls == {"password": 1}
    assert keeper.tries_left == MOST_TRIES


@either
async def test_a_login_mends_whatever_stood_in_the_way_also_of_a_running_daemon(
    stage: Stage, owner: str
) -> None:
    keeper = await stage.keeper(login(stage.ana, "wrong"), owner=owner)
    with pytest.raises(CredentialRefused):
        await keeper.token()
    token = await log_in(stage)
    stage.clock.advance(LOOK_EVERY)
    assert await keeper.token() == token
    assert await standing(stage, stage.ana.name) == ("active", None)
    assert FIRST_BACKOFF < LOOK_EVERY
