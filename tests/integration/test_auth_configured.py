"""An access token out of the configuration: it is all there is, and nothing renews it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from accessed import log_in, standing
from fix_platforms import Stage, staged

from harvester import platforms
from harvester.auth import Keeper
from harvester.auth.held import LOOK_EVERY
from harvester.errors import CredentialRefused
from harvester.model import Credentials, Token

if TYPE_CHECKING:
    from harvester.store.pool import Pool

TAKE_ONE = [name for name in platforms.names() if "access_token" in platforms.adapter(name).takes]


@pytest.fixture(params=TAKE_ONE)
async def stage(request: pytest.FixtureRequest, pool: Pool) -> AsyncIterator[Stage]:
    async with staged(request.param, pool) as stage:
        yield stage


async def keeper_of(stage: Stage, token: Token) -> Keeper:
    return await stage.keeper(Credentials(stage.ana.name, access_token=token.access_token))


async def ended(keeper: Keeper) -> str:
    with pytest.raises(CredentialRefused) as refusal:
        await keeper.token()
    return refusal.value.reason


async def test_one_that_the_platform_refuses_is_definite_and_another_one_works(
    stage: Stage,
) -> None:
    given, another = await log_in(stage), await log_in(stage)
    keeper, calls = await keeper_of(stage, given), stage.calls()
    token = await keeper.token()
    with pytest.raises(CredentialRefused) as refusal:
        await keeper.replace(token)
    assert refusal.value.reason == "access_token_ended"
    assert await standing(stage, stage.ana.name) == ("quarantined", "access_token_ended")
    anew = await (await keeper_of(stage, another)).replace(token)
    assert anew.access_token == another.access_token
    assert stage.calls() == calls


async def test_one_whose_end_is_known_is_given_up_at_its_end(stage: Stage) -> None:
    keeper = await keeper_of(stage, await log_in(stage))
    token = await keeper.token()
    if token.expires_at is None:  # nothing in it tells
        return
    stage.clock.set(token.expires_at - timedelta(microseconds=1))
    assert await keeper.token() is token
    stage.clock.set(token.expires_at)
    for _ in range(3):
        assert await ended(keeper) == "access_token_ended"
        stage.clock.advance(LOOK_EVERY)
    assert await standing(stage, stage.ana.name) == ("quarantined", "access_token_ended")
