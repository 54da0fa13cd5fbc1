"""Whether a refresh token was sent: what is known of it is not doubted, and nothing else is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from accessed import standing
from befallen import says
from fix_platforms import LARGEST_BODY, Stage, staged
from persons import log_in

from harvester.auth import Keeper
from harvester.auth.held import LONGEST_BACKOFF
from harvester.auth.life import RENEWING
from harvester.errors import CredentialRefused, PlatformError, StoreUnavailable
from harvester.model import Credentials
from harvester.simulator.faults import Fault, Kind, refuse
from harvester.store import credentials
from harvester.store.credentials import SealedLife

if TYPE_CHECKING:
    from harvester.store.pool import Pool

TOKEN_CALL = "POST /v1.0/oauth/token"
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


class Crash(BaseException):
    """The end of the process, as far as what runs in it can tell."""


@pytest.fixture
async def stage(pool: Pool) -> AsyncIterator[Stage]:
    """Ana has been logged in by hand, and her access token has ended."""
    async with staged("mydevices", pool, quirk="rotating refresh tokens") as stage:
        await log_in(stage)
        stage.clock.advance(DAY)
        yield stage


async def keeper_of(stage: Stage, owner: str = "one") -> Keeper:
    return await stage.keeper(Credentials(stage.ana.name), owner=owner)


def lose_connections(
    outage: pytest.MonkeyPatch, when: Callable[[SealedLife], bool], *, committed: bool
) -> None:
    """Whenever the account is made to stand so: after the commit, or before it."""
    stand = credentials.stand

    async def stood(pool: Pool, account_id: int, fence: int, now: SealedLife, *event: Any) -> None:
        if committed or not when(now):
            await stand(pool, account_id, fence, now, *event)
        if when(now):
            raise StoreUnavailable("gone")

    outage.setattr(credentials, "stand", stood)


async def test_an_intent_that_was_committed_unheard_is_no_call(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = await keeper_of(stage)
    with monkeypatch.context() as outage:
        lose_connections(outage, lambda now: now.state == RENEWING, committed=True)
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                await keeper.token()
            assert await standing(stage, stage.ana.name) == ("renewing", None)
            stage.clock.advance(MINUTE)
    assert await keeper.token()
    assert stage.fake.token_calls == {"password": 1, "refresh_token": 1}


async def test_what_came_of_one_call_says_nothing_of_another_instances(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dying(*_: Any, **__: Any) -> object:
        raise Crash

    one, two = await keeper_of(stage), await keeper_of(stage, "two")
    with monkeypatch.context() as outage, pytest.raises(StoreUnavailable):
        lose_connections(outage, lambda now: now.state != RENEWING, committed=False)
        stage.fake.faults.add(Fault(TOKEN_CALL, refuse(503)))
        await one.token()
    stage.clock.advance(MINUTE)
    with monkeypatch.context() as crashing, pytest.raises(Crash):
        crashing.setattr(stage.client, "post_once", dying)
        await two.token()
    stage.clock.advance(MINUTE)
    with pytest.raises(CredentialRefused) as told:
        await one.token()
    assert told.value.reason == "answer_lost"
    assert stage.fake.token_calls["refresh_token"] == 1, "as for two, nobody knows"


@pytest.mark.parametrize("kind", [says('{"access_token": "ey'), says(" " * (LARGEST_BODY + 1))])
async def test_a_grant_that_cannot_be_read_is_asked_for_twice_at_most(
    stage: Stage, kind: Kind
) -> None:
    keeper = await keeper_of(stage)
    unread = stage.fake.faults.add(Fault(TOKEN_CALL, kind, times=None))
    for _ in range(6):
        with pytest.raises(PlatformError):
            await keeper.token()
        stage.clock.advance(LONGEST_BACKOFF)
    assert unread.fired == 2
    assert await standing(stage, stage.ana.name) == ("needs_login", "answer_lost")
