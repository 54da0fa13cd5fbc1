"""A token call was sent and no answer came: nobody knows whether the refresh token is spent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from accessed import standing
from aiohttp import web
from befallen import says
from fix_platforms import LARGEST_BODY, Stage, staged
from persons import log_in

from harvester.auth import Keeper
from harvester.auth.held import FIRST_BACKOFF, LONGEST_BACKOFF
from harvester.auth.life import MOST_TRIES, TRY_AGAIN
from harvester.errors import (
    AnswerLost,
    CredentialRefused,
    NoToken,
    PlatformError,
    RenewalRefused,
    Unreachable,
)
from harvester.model import Credentials
from harvester.simulator.faults import (
    Answer,
    Fault,
    Kind,
    cut,
    html_page,
    oversized,
    refuse,
)

if TYPE_CHECKING:
    from harvester.store.pool import Pool

TOKEN_CALL, LOOK = "POST /v1.0/oauth/token", "GET /v1.0/oauth/token"
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
ROTATES = "rotating refresh tokens"


@pytest.fixture(params=["as documented"])
async def stage(request: pytest.FixtureRequest, pool: Pool) -> AsyncIterator[Stage]:
    async with staged("mydevices", pool, quirk=request.param) as stage:
        yield stage


def quirk(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("stage", names, indirect=True)


async def unheard(request: web.Request, _honest: Answer) -> web.StreamResponse:
    """The connection ends before the platform has read what was asked."""
    if request.transport:
        request.transport.close()
    return web.Response()


async def due(stage: Stage, *, password: bool) -> Keeper:
    """Of Ana, whose access token has ended, and whose refresh token has not."""
    await log_in(stage)
    stage.clock.advance(DAY)
    return await stage.keeper(None if password else Credentials(stage.ana.name))


async def lose(stage: Stage, keeper: Keeper, kind: Kind) -> None:
    """The answer to the next token call."""
    stage.fake.faults.add(Fault(TOKEN_CALL, kind))
    with pytest.raises(PlatformError) as lost:
        await keeper.token()
    assert isinstance(lost.value, AnswerLost | NoToken)
    stage.clock.advance(LONGEST_BACKOFF)


@quirk("as documented", ROTATES)
@pytest.mark.parametrize("password", [True, False])
async def test_what_the_platform_never_read_is_asked_once_more_and_well(
    stage: Stage, password: bool
) -> None:
    keeper = await due(stage, password=password)
    await lose(stage, keeper, unheard)
    assert await standing(stage, stage.ana.name) == ("answer_lost", None)
    assert await keeper.token()
    assert stage.fake.token_calls["refresh_token"] == 2
    assert stage.fake.violations == []


@pytest.mark.parametrize("password", [True, False])
async def test_a_token_that_serves_again_loses_nothing(stage: Stage, password: bool) -> None:
    keeper = await due(stage, password=password)
    for _ in range(5):
        await lose(stage, keeper, cut(0))
        assert await keeper.token()
        stage.clock.advance(DAY)
    assert stage.fake.token_calls == {"password": 1, "refresh_token": 10}


@quirk(ROTATES)
@pytest.mark.parametrize("kind", [cut(0), oversized(LARGEST_BODY + 1), says("{}"), says('{"acc')])
async def test_a_spent_one_is_found_out_and_the_password_goes_in(stage: Stage, kind: Kind) -> None:
    keeper = await due(stage, password=True)
    await lose(stage, keeper, kind)
    assert await keeper.token()
    assert await standing(stage, stage.ana.name) == ("active", None)
    assert stage.fake.token_calls["refresh_token"] == 2


@quirk(ROTATES)
async def test_a_spent_one_without_a_password_needs_a_login_and_is_left_alone(
    stage: Stage,
) -> None:
    keeper = await due(stage, password=False)
    await lose(stage, keeper, cut(0))
    with pytest.raises(RenewalRefused):
        await keeper.token()
    assert await standing(stage, stage.ana.name) == ("needs_login", "revoked")
    for _ in range(5):
        stage.clock.advance(DAY)
        with pytest.raises(CredentialRefused, match="harvester login"):
            await keeper.token()
    assert stage.fake.token_calls["refresh_token"] == 2
    assert len(stage.fake.violations) == 1, "the one that is allowed"


@quirk("as documented", ROTATES)
async def test_lost_twice_it_is_sent_no_more_and_the_password_goes_in_at_once(
    stage: Stage,
) -> None:
    keeper = await due(stage, password=True)
    await lose(stage, keeper, unheard)
    stage.fake.faults.add(Fault(TOKEN_CALL, unheard))
    assert await keeper.token()
    assert stage.fake.token_calls == {"refresh_token": 2, "password": 2}
    assert await standing(stage, stage.ana.name) == ("active", None)


@quirk("as documented", ROTATES)
async def test_lost_twice_without_a_password_it_needs_a_login(stage: Stage) -> None:
    keeper = await due(stage, password=False)
    await lose(stage, keeper, unheard)
    await lose(stage, keeper, unheard)
    for owner in ("one", "two"):
        other = await stage.keeper(Credentials(stage.ana.name), owner=owner)
        with pytest.raises(CredentialRefused) as refusal:
            await other.token()
        assert refusal.value.reason == "answer_lost"
    assert await standing(stage, stage.ana.name) == ("needs_login", "answer_lost")
    assert stage.fake.token_calls["refresh_token"] == 2


@quirk(ROTATES)
async def test_the_one_retry_waits_until_the_platform_answers_at_all(stage: Stage) -> None:
    keeper = await due(stage, password=False)
    await lose(stage, keeper, unheard)
    away = stage.fake.faults.add(Fault(LOOK, refuse(503), times=None))
    for _ in range(5):
        with pytest.raises(Unreachable) as told:
            await keeper.token()
        assert not isinstance(told.value, AnswerLost)
        stage.clock.advance(LONGEST_BACKOFF)
    assert stage.fake.token_calls["refresh_token"] == 1
    assert await standing(stage, stage.ana.name) == ("answer_lost", None)
    away.times = 0
    assert await keeper.token()
    assert stage.fake.violations == []


async def test_a_call_that_was_refused_or_never_sent_leaves_no_doubt(stage: Stage) -> None:
    keeper = await due(stage, password=False)
    for kind in (refuse(500), refuse(503), refuse(429), html_page()) * 2:
        stage.fake.faults.add(Fault(TOKEN_CALL, kind))
        with pytest.raises(PlatformError):
            await keeper.token()
        assert (await standing(stage, stage.ana.name))[0] == "active"
        stage.clock.advance(LONGEST_BACKOFF)
    assert await keeper.token()


async def test_logins_whose_answers_are_lost_are_made_ever_more_rarely(stage: Stage) -> None:
    """Each may be a refusal that nobody heard, and count towards a lock."""
    keeper = await stage.keeper()
    lost = stage.fake.faults.add(Fault(TOKEN_CALL, cut(0), times=None))
    for _ in range(10 * 60):
        with pytest.raises(PlatformError):
            await keeper.token()
        stage.clock.advance(60 * SECOND)
    assert MOST_TRIES + 8 <= stage.calls() <= MOST_TRIES + 10
    lost.times = 0
    stage.clock.advance(TRY_AGAIN)
    assert await keeper.token()
    assert keeper.tries_left == MOST_TRIES
    assert FIRST_BACKOFF < LONGEST_BACKOFF


async def test_who_ended_while_logins_rest_waits_for_the_password(stage: Stage) -> None:
    keeper = await due(stage, password=True)
    stage.clock.advance(2 * DAY)
    for _ in range(MOST_TRIES):
        await lose(stage, keeper, cut(0))
    with pytest.raises(RenewalRefused):
        await keeper.token()
    assert await standing(stage, stage.ana.name) == ("active", None)
    stage.clock.advance(TRY_AGAIN)
    assert await keeper.token()
