"""Reads of an account: a refused token costs one renewal, and never a storm of them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from befallen import the_next
from fix_platforms import Stage, staged, token_failures

from harvester.auth import AccountApi
from harvester.auth.held import FIRST_BACKOFF, LONGEST_BACKOFF
from harvester.errors import Forbidden, ServerFailed, TokenError
from harvester.model import Token
from harvester.simulator.faults import Fault, refuse

if TYPE_CHECKING:
    from harvester.store.pool import Pool

MICROSECOND = timedelta(microseconds=1)
READ, OTHER = "/companies", "/v1.0/things/"


@pytest.fixture
async def stage(pool: "Pool") -> AsyncIterator[Stage]:
    async with staged("mydevices", pool) as stage:
        yield stage


def bearing(token: Token) -> Fault:
    """A revocation: what bears this token is refused."""
    header = f"Bearer {token.access_token}"

    def meets(request: web.Request) -> bool:
        return request.headers.get("Authorization") == header

    return Fault(meets, refuse(401), times=None)


async def refused(api: AccountApi, path: str = READ) -> str:
    with pytest.raises(TokenError) as error:
        await api.get(path)
    return error.value.reason


async def test_a_refused_token_is_renewed_once_and_the_read_repeated_once(stage: Stage) -> None:
    api = await stage.api()
    whole = await api.get(READ)
    fault = stage.fake.faults.add(the_next("GET", refuse(401)))
    assert await api.get(READ) == whole
    assert fault.fired == 1
    assert stage.fake.token_calls == {"password": 1, "refresh_token": 1}


async def test_many_reads_that_are_refused_at_once_cost_one_renewal(stage: Stage) -> None:
    keeper = await stage.keeper()
    api = AccountApi(keeper, stage.client)
    revoked = stage.fake.faults.add(bearing(await keeper.token()))
    answers = await asyncio.gather(*(api.get(READ) for _ in range(50)))
    assert all(answer == answers[0] for answer in answers)
    assert revoked.fired == 50
    assert stage.fake.token_calls == {"password": 1, "refresh_token": 1}


async def test_a_late_refusal_of_an_older_token_leaves_the_newer_one_alone(stage: Stage) -> None:
    keeper = await stage.keeper()
    first = await keeper.token()
    second = await keeper.replace(first)
    assert second.access_token != first.access_token
    assert await keeper.replace(first) is second
    assert await keeper.token() is second
    assert stage.calls() == 2


async def test_a_late_refusal_does_not_bring_back_a_token_that_has_ended(stage: Stage) -> None:
    keeper = await stage.keeper()
    first = await keeper.token()
    second = await keeper.replace(first)
    assert second.expires_at
    stage.clock.set(second.expires_at)
    assert (await keeper.replace(first)).access_token != second.access_token


async def test_a_renewed_token_that_is_refused_too_ends_the_read(stage: Stage) -> None:
    api = await stage.api()
    fault = stage.fake.faults.add(Fault(READ, refuse(401), times=None))
    before = token_failures("refresh_token", "unauthorized_after_refresh")
    assert await refused(api) == "unauthorized_after_refresh"
    assert fault.fired == 2
    assert stage.fake.token_calls == {"password": 1, "refresh_token": 1}
    assert token_failures("refresh_token", "unauthorized_after_refresh") == before + 1


async def test_refusals_that_no_renewal_mends_lead_to_ever_fewer_renewals(stage: Stage) -> None:
    api = await stage.api()
    stage.fake.faults.add(Fault(READ, refuse(401), times=None))
    pause = FIRST_BACKOFF
    for renewals in range(1, 9):
        for passes in (pause * 0.8 - MICROSECOND, pause * 0.2 + MICROSECOND):
            told = await asyncio.gather(*(refused(api) for _ in range(10)))
            assert set(told) == {"unauthorized_after_refresh"}
            assert stage.fake.token_calls == {"password": 1, "refresh_token": renewals}
            stage.clock.advance(passes)
        pause = min(2 * pause, LONGEST_BACKOFF)


async def test_who_was_refused_with_an_older_token_still_gets_the_newer(stage: Stage) -> None:
    keeper = await stage.keeper()
    first = await keeper.token()
    second = await keeper.replace(first)
    assert keeper.distrust().reason == "unauthorized_after_refresh"
    assert await keeper.replace(first) is second
    with pytest.raises(TokenError):
        await keeper.replace(second)
    assert await keeper.token() is second


async def test_one_path_that_is_always_refused_stops_no_other(stage: Stage) -> None:
    api = await stage.api()
    stage.fake.faults.add(Fault(OTHER, refuse(401), times=None))
    for _ in range(5):
        assert await refused(api, OTHER + "1") == "unauthorized_after_refresh"
        assert await api.get(READ)
    assert stage.fake.token_calls == {"password": 1, "refresh_token": 1}


async def test_a_refused_token_that_cannot_be_renewed_is_told_as_that(stage: Stage) -> None:
    keeper = await stage.keeper()
    api = AccountApi(keeper, stage.client)
    stage.fake.faults.add(bearing(await keeper.token()))
    stage.fake.faults.add(Fault("/oauth/token", refuse(500)))
    for _ in range(3):
        with pytest.raises(ServerFailed):
            await api.get(READ)
    assert stage.calls() == 2
    stage.clock.advance(FIRST_BACKOFF)
    assert await api.get(READ)


async def test_what_is_forbidden_is_not_asked_again_with_another_token(stage: Stage) -> None:
    api = await stage.api()
    fault = stage.fake.faults.add(Fault(READ, refuse(403), times=None))
    with pytest.raises(Forbidden):
        await api.get(READ)
    assert (fault.fired, stage.calls()) == (1, 1)
