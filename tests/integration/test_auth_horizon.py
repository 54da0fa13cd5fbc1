"""How long an account can go on: tokens are renewed for their own sake, and ends are seen ahead."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from accessed import standing
from aiohttp import web
from fix_platforms import NOW, Stage, login, staged
from persons import log_in
from pydantic import SecretStr

from harvester.auth.held import LOOK_EVERY, UNKNOWN_KEPT
from harvester.errors import ClientRefused, CredentialRefused, RenewalRefused
from harvester.model import Credentials
from harvester.platforms.mydevices import Adapter
from harvester.platforms.mydevices.options import MyDevicesOptions
from harvester.simulator.faults import Answer, Fault
from harvester.simulator.mydevices import FakeMydevices

if TYPE_CHECKING:
    from harvester.store.pool import Pool

TOKEN_CALL = "/oauth/token"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture(params=["as documented"])
async def stage(request: pytest.FixtureRequest, pool: Pool) -> AsyncIterator[Stage]:
    async with staged("mydevices", pool, quirk=request.param) as stage:
        yield stage


def quirk(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("stage", names, indirect=True)


def ana(stage: Stage) -> Credentials:
    return Credentials(stage.ana.name)


def answer_with(stage: Stage, **told: object) -> None:
    """Token answers say this instead of what they say; None leaves it out."""

    async def kind(request: web.Request, honest: Answer) -> web.StreamResponse:
        answer = await honest(request)
        assert isinstance(answer, web.Response) and isinstance(answer.body, bytes)
        said = {**json.loads(answer.body), **told}
        return web.json_response({k: v for k, v in said.items() if v is not None})

    stage.fake.faults.add(Fault(TOKEN_CALL, kind, times=None))


async def known_end(stage: Stage) -> datetime | None:
    end: datetime | None = await stage.pool.fetchval(
        "select ends_at from harvester.accounts where tenant in"
        ' (select name from harvester_data.tenant where tenant_id = $1) and "user" = $2',
        stage.tenant_id,
        stage.ana.name,
    )
    return end


async def outcomes(stage: Stage) -> set[str]:
    rows = await stage.pool.fetch(
        "select outcome from harvester_data.auth_event where account_id = $1",
        await stage.account(stage.ana.name),
    )
    return {row[0] for row in rows}


async def test_any_new_refresh_token_takes_the_place_of_the_old_one(stage: Stage) -> None:
    keeper = await stage.keeper()
    first = await keeper.token()
    stage.clock.advance(DAY)
    second = await keeper.token()
    assert second.refresh_token and second.refresh_token != first.refresh_token
    assert (await (await stage.keeper()).token()).refresh_token == second.refresh_token


@pytest.mark.parametrize("said", [None, ""])
async def test_an_answer_without_one_keeps_the_old_one(stage: Stage, said: str | None) -> None:
    first = await (await stage.keeper()).token()
    answer_with(stage, refresh_token=said, refresh_expires_in=None)
    stage.clock.advance(DAY)
    second = await (await stage.keeper()).token()
    assert second.access_token != first.access_token
    assert second.refresh_token == first.refresh_token
    assert second.refresh_expires_at == first.refresh_expires_at


async def test_a_refresh_token_is_renewed_before_it_dies_though_nobody_asks(stage: Stage) -> None:
    await log_in(stage)
    keeper = await stage.keeper(ana(stage))
    await keeper.token()
    for _ in range(14 * 24):
        stage.clock.advance(HOUR)
        await keeper.keep()
    assert stage.fake.token_calls == {"password": 1, "refresh_token": 14}
    assert await keeper.token()


async def test_one_of_unknown_end_is_renewed_weekly(stage: Stage) -> None:
    answer_with(stage, refresh_expires_in=0, refresh_token="opaque", expires_in=400 * 86_400)
    await log_in(stage)
    keeper = await stage.keeper(ana(stage))
    assert (await keeper.token()).refresh_expires_at is None
    stage.clock.advance(UNKNOWN_KEPT - HOUR)
    await keeper.keep()
    assert stage.fake.token_calls == {"password": 1}
    stage.clock.advance(HOUR)
    with pytest.raises(RenewalRefused):  # which the fake never gave
        await keeper.keep()
    assert stage.fake.token_calls["refresh_token"] == 1


@quirk("sessions that end")
async def test_an_end_that_no_renewal_moves_is_recognized_and_known_days_ahead(
    stage: Stage,
) -> None:
    await log_in(stage)
    keeper = await stage.keeper(ana(stage))
    seen: list[datetime | None] = []
    for _ in range(5 * 24 - 1):
        await keeper.token()
        await keeper.keep()
        seen.append(await known_end(stage))
        stage.clock.advance(HOUR)
    assert seen[0] is None
    assert seen[-1] == NOW + 5 * DAY
    assert seen.index(NOW + 5 * DAY) <= 4.1 * 24
    assert stage.fake.token_calls["refresh_token"] < 12


@quirk("sessions that end")
async def test_with_a_password_the_next_session_begins_before_the_end(stage: Stage) -> None:
    keeper = await stage.keeper()
    for _ in range(20 * 24):
        await keeper.token()
        await keeper.keep()
        stage.clock.advance(HOUR)
    assert stage.fake.token_calls["password"] in (5, 6)
    assert await outcomes(stage) == {"ok"}
    assert (await standing(stage, stage.ana.name)) == ("active", None)


@quirk("sessions that end")
async def test_a_login_that_fails_before_the_end_costs_no_token_that_still_serves(
    stage: Stage,
) -> None:
    assert isinstance(stage.fake, FakeMydevices)
    await log_in(stage)
    keeper = await stage.keeper(login(stage.ana, "wrong"))
    for _ in range(5 * 24 - 1):
        assert await keeper.token()
        await keeper.keep()
        stage.clock.advance(HOUR)
    assert stage.fake.token_calls["password"] == 2
    stage.clock.advance(2 * HOUR)
    for _ in range(2):
        with pytest.raises((CredentialRefused, RenewalRefused)):
            await keeper.token()
        stage.clock.advance(LOOK_EVERY)
    assert await standing(stage, stage.ana.name) == ("quarantined", "bad_credentials")


class Daily(Adapter):
    """As of a platform where a newer login sees more."""

    login_lasts = DAY


def daily(stage: Stage) -> Daily:
    assert isinstance(stage.options, MyDevicesOptions)
    return Daily(stage.options)


async def test_a_login_that_is_old_is_made_anew_though_its_token_serves(stage: Stage) -> None:
    adapter = daily(stage)
    keeper = await stage.keeper(adapter=adapter)
    for _ in range(3 * 24):
        await keeper.token()
        await keeper.keep()
        stage.clock.advance(HOUR)
    assert stage.fake.token_calls["password"] == 3


async def test_a_daily_login_that_is_refused_or_in_vain_stops_nothing(stage: Stage) -> None:
    await log_in(stage)
    adapter = daily(stage)
    keeper = await stage.keeper(login(stage.ana, "wrong"), adapter=adapter)
    for _ in range(10 * 24):
        assert await keeper.token()
        await keeper.keep()
        stage.clock.advance(HOUR)
    assert stage.fake.token_calls["password"] <= 1 + 5
    assert await standing(stage, stage.ana.name) == ("active", None)


async def test_a_daily_login_whose_client_is_refused_asks_for_nothing_more(stage: Stage) -> None:
    await log_in(stage)
    assert isinstance(stage.options, MyDevicesOptions)
    wrong = stage.options.model_copy(update={"client_secret": SecretStr("wrong")})
    stage.clock.advance(DAY)
    with pytest.raises(ClientRefused):
        await (await stage.keeper(adapter=Daily(wrong))).token()
    assert stage.fake.token_calls == {"password": 2}
