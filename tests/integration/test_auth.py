"""Tokens of an account: had once, renewed in time, and never asked for where that could harm."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from befallen import says
from clocks import SetClock
from fix_platforms import NOW, Stage, login, staged, token_failures
from prometheus_client import REGISTRY

from harvester.auth import Keeper
from harvester.auth.held import FIRST_BACKOFF, LONGEST_BACKOFF
from harvester.auth.life import PROBE_EVERY
from harvester.errors import (
    CredentialRefused,
    PlatformError,
    RenewalRefused,
    ServerFailed,
    Throttled,
)
from harvester.model import Credentials, Token
from harvester.simulator.faults import Answer, Fault, html_page, refuse
from harvester.simulator.mydevices import FakeMydevices

if TYPE_CHECKING:
    from harvester.store.pool import Pool

TOKEN_CALL = "/oauth/token"
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
MICROSECOND = timedelta(microseconds=1)


@pytest.fixture(params=["as documented"])
async def stage(request: pytest.FixtureRequest, pool: "Pool") -> AsyncIterator[Stage]:
    async with staged("mydevices", pool, quirk=request.param) as stage:
        yield stage


def quirk(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("stage", [name], indirect=True)


async def asked(keeper: Keeper, times: int = 50) -> list[Token | BaseException]:
    """What so many who ask at once are given."""
    asking = (keeper.token() for _ in range(times))
    return await asyncio.gather(*asking, return_exceptions=True)


async def test_the_first_who_asks_logs_in_and_all_others_share_it(stage: Stage) -> None:
    keeper = await stage.keeper()
    tokens = await asked(keeper)
    assert len({id(token) for token in tokens}) == 1
    assert tokens[0] is await keeper.token()
    assert stage.fake.token_calls == {"password": 1}


async def test_after_a_restart_the_token_comes_from_the_vault(stage: Stage) -> None:
    token = await (await stage.keeper()).token()
    restarted = await stage.keeper()
    assert await restarted.token() == token
    assert stage.fake.token_calls == {"password": 1}
    assert token.expires_at
    stage.clock.set(token.expires_at)
    assert await restarted.token() != token
    assert stage.fake.token_calls == {"password": 1, "refresh_token": 1}


@pytest.mark.parametrize(
    ("stage", "margin"),
    [("as documented", timedelta(minutes=5)), ("short lives", timedelta(seconds=12))],
    indirect=["stage"],
)
async def test_a_token_is_renewed_before_its_end_by_a_margin_that_fits_its_life(
    stage: Stage, margin: timedelta
) -> None:
    keeper = await stage.keeper()
    token = await keeper.token()
    assert token.expires_at
    stage.clock.set(token.expires_at - margin - MICROSECOND)
    assert await keeper.token() is token
    stage.clock.advance(MICROSECOND)
    renewed = {id(token) for token in await asked(keeper)}
    assert len(renewed) == 1 and id(token) not in renewed
    assert stage.fake.token_calls == {"password": 1, "refresh_token": 1}


@quirk("rotating refresh tokens")
async def test_a_token_is_renewed_for_weeks_on_one_login(stage: Stage) -> None:
    keeper = await stage.keeper()
    for _ in range(20):
        await keeper.token()
        stage.clock.advance(DAY)
    assert stage.fake.token_calls == {"password": 1, "refresh_token": 19}
    assert stage.fake.violations == []


async def test_an_ended_refresh_token_is_not_tried_where_a_password_is_at_hand(
    stage: Stage,
) -> None:
    keeper = await stage.keeper()
    token = await keeper.token()
    assert token.refresh_expires_at
    stage.clock.set(token.refresh_expires_at)
    assert await keeper.token() is not token
    assert stage.fake.token_calls == {"password": 2}


async def test_without_a_password_a_clock_that_is_fast_ends_no_refresh_token(stage: Stage) -> None:
    token = await (await stage.keeper()).token()
    assert token.refresh_expires_at
    fast = SetClock(stage.clock, ahead=token.refresh_expires_at - NOW)
    assert await (await stage.keeper(Credentials(stage.ana.name), clock=fast)).token() != token
    assert stage.fake.token_calls == {"password": 1, "refresh_token": 1}


@quirk("rotating refresh tokens")
async def test_who_finds_his_refresh_token_used_logs_in_again(stage: Stage) -> None:
    keeper = await stage.keeper()
    token = await keeper.token()
    await stage.adapter.renew(stage.client, token, NOW)  # by somebody else
    stage.clock.advance(DAY)
    before = token_failures("refresh_token", "revoked")
    assert await keeper.token() is not token
    assert stage.fake.token_calls == {"password": 2, "refresh_token": 2}
    assert token_failures("refresh_token", "revoked") == before + 1


async def test_who_was_logged_out_logs_in_again(stage: Stage) -> None:
    assert isinstance(stage.fake, FakeMydevices)
    keeper = await stage.keeper()
    await keeper.token()
    stage.fake.log_out(stage.ana.name)
    stage.clock.advance(DAY)
    before = token_failures("refresh_token", "session_gone")
    assert {type(token) for token in await asked(keeper)} == {Token}
    assert stage.fake.token_calls == {"password": 2, "refresh_token": 1}
    assert token_failures("refresh_token", "session_gone") == before + 1


async def test_a_disabled_user_is_not_logged_in_again(stage: Stage) -> None:
    assert isinstance(stage.fake, FakeMydevices)
    keeper = await stage.keeper()
    await keeper.token()
    stage.fake.disable(stage.ana.name)
    stage.clock.advance(DAY)
    for _ in range(3):
        with pytest.raises(CredentialRefused, match="account_disabled"):
            await keeper.token()
        stage.clock.advance(PROBE_EVERY / 3 - SECOND)
    assert stage.fake.token_calls == {"password": 1, "refresh_token": 1}


async def test_without_a_password_a_token_of_the_vault_does_until_it_is_spent(
    stage: Stage,
) -> None:
    await (await stage.keeper()).token()
    keeper = await stage.keeper(Credentials(stage.ana.name))
    stage.clock.advance(DAY)
    assert await keeper.token()
    stage.clock.advance(3 * DAY)
    with pytest.raises(RenewalRefused):
        await keeper.token()
    for _ in range(3):
        stage.clock.advance(DAY)
        with pytest.raises(CredentialRefused, match="give the account a password") as refusal:
            await keeper.token()
        assert refusal.value.reason == "refresh_expired"
    assert stage.fake.token_calls == {"password": 1, "refresh_token": 2}


async def test_a_wrong_password_is_sent_once_however_many_ask(stage: Stage) -> None:
    keeper = await stage.keeper(login(stage.ana, "wrong"))
    before = token_failures("password", "bad_credentials")
    for _ in range(3):
        told = await asked(keeper)
        assert {type(each) for each in told} == {CredentialRefused}
        assert all("bad_credentials" in str(each) for each in told)
        stage.clock.advance(PROBE_EVERY / 3 - SECOND)
    assert stage.fake.token_calls == {"password": 1}
    assert stage.fake.violations == []
    assert token_failures("password", "bad_credentials") == before + 1


@pytest.mark.parametrize("status", [401, 403])
async def test_what_is_raised_again_and_again_keeps_neither_traces_nor_the_answer(
    stage: Stage, status: int
) -> None:
    stage.fake.faults.add(Fault(TOKEN_CALL, says('{"error": "large"}', status)))
    keeper = await stage.keeper()
    for _ in range(20):
        with pytest.raises(PlatformError) as refusal:
            await keeper.token()
    assert len(refusal.traceback) < 10
    assert refusal.value.__cause__ is refusal.value.__context__ is None
    assert stage.calls() == 1


async def test_trouble_is_met_with_growing_pauses_until_it_is_over(stage: Stage) -> None:
    keeper, trouble = await stage.keeper(), Fault(TOKEN_CALL, refuse(503), times=4)
    stage.fake.faults.add(trouble)
    for n, pause in enumerate([5, 10, 20, 40], start=1):
        assert {type(each) for each in await asked(keeper)} == {ServerFailed}
        stage.clock.advance(pause * SECOND * 0.8 - MICROSECOND)
        assert {type(each) for each in await asked(keeper)} == {ServerFailed}
        assert trouble.fired == n == stage.calls()
        stage.clock.advance(pause * SECOND * 0.2 + MICROSECOND)
    token = await keeper.token()
    assert stage.calls() == 5
    stage.fake.faults.add(Fault(TOKEN_CALL, html_page()))
    stage.clock.advance(DAY)
    with pytest.raises(PlatformError):
        await keeper.token()
    stage.clock.advance(FIRST_BACKOFF)
    assert await keeper.token() is not token


async def test_a_platform_that_asks_for_patience_gets_it(stage: Stage) -> None:
    async def busy(_request: web.Request, _honest: Answer) -> web.StreamResponse:
        return web.Response(status=429, headers={"Retry-After": "90"})

    keeper = await stage.keeper()
    stage.fake.faults.add(Fault(TOKEN_CALL, busy))
    for passed in (0, 89):
        stage.clock.set(NOW + passed * SECOND)
        with pytest.raises(Throttled):
            await keeper.token()
    assert stage.calls() == 1
    stage.clock.advance(SECOND)
    assert await keeper.token()


async def test_a_token_serves_to_its_end_while_it_cannot_be_renewed(stage: Stage) -> None:
    keeper = await stage.keeper()
    token = await keeper.token()
    assert token.expires_at
    stage.fake.faults.add(Fault(TOKEN_CALL, refuse(500), times=None))
    stage.clock.set(token.expires_at - LONGEST_BACKOFF)
    assert await asked(keeper, 3) == [token] * 3
    assert stage.fake.token_calls == {"password": 1, "refresh_token": 1}
    stage.clock.set(token.expires_at - MICROSECOND)
    assert await keeper.token() is token
    stage.clock.set(token.expires_at)
    with pytest.raises(ServerFailed):
        await keeper.token()


async def test_the_tenants_own_client_logs_in_again_by_its_secret(stage: Stage) -> None:
    keeper = await stage.keeper(Credentials(None))
    token = await keeper.token()
    assert token.refresh_token is None
    stage.clock.advance(DAY)
    assert await keeper.token() is not token
    assert stage.fake.token_calls == {"client_credentials": 2}


async def test_a_token_that_cannot_be_saved_is_used_by_nobody(stage: Stage) -> None:
    keeper = await stage.keeper()
    await stage.pool.execute(
        "alter table vault.credential add constraint shut check (access_token is null) not valid"
    )
    try:
        with pytest.raises(Exception, match="shut"):
            await keeper.token()
    finally:
        await stage.pool.execute("alter table vault.credential drop constraint shut")
    assert await keeper.token() == await (await stage.keeper(owner="two")).token()
    assert stage.calls() == 1


async def test_every_call_is_counted_by_its_grant(stage: Stage) -> None:
    def calls() -> list[float]:
        labels = {"tenant": "acme", "platform": "mydevices"}
        name = "harvester_token_requests_total"
        grants = ("password", "refresh_token", "client_credentials")
        return [REGISTRY.get_sample_value(name, labels | {"grant": g}) or 0 for g in grants]

    before = calls()
    keeper, client = await stage.keeper(), await stage.keeper(Credentials(None))
    for _ in range(3):
        await keeper.token()
        await client.token()
        stage.clock.advance(DAY)
    assert [now - was for now, was in zip(calls(), before, strict=True)] == [1, 2, 3]
