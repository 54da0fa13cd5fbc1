"""The tenant's client is refused: that says nothing of any account's own secret."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
from accessed import standing
from befallen import says
from fix_platforms import Stage, login, staged
from persons import log_in

from harvester.auth import Keeper, Shared
from harvester.auth.held import LOOK_EVERY
from harvester.auth.life import MOST_ASKED, MOST_TRIES, PROBE_EVERY
from harvester.errors import ClientRefused
from harvester.simulator.faults import Fault

if TYPE_CHECKING:
    from harvester.store.pool import Pool


@pytest.fixture
async def stage(pool: Pool) -> AsyncIterator[Stage]:
    async with staged("mydevices", pool) as stage:
        yield stage


def fault(stage: Stage, times: int | None = None) -> Fault:
    kind = says('{"error": "invalid_client"}', 401)
    return stage.fake.faults.add(Fault("POST ", kind, times=times))


async def refused(keeper: Keeper) -> None:
    with pytest.raises(ClientRefused):
        await keeper.token()


@pytest.mark.parametrize("asked", [False, True])
async def test_it_costs_no_account_one_of_its_tries(stage: Stage, asked: bool) -> None:
    keeper, met = await stage.keeper(), fault(stage)
    for _ in range(2 * MOST_ASKED):
        await refused(keeper)
        assert keeper.tries_left == MOST_TRIES
        stage.clock.advance(PROBE_EVERY)
        if asked:
            keeper.try_again()
    met.times = 0
    assert await keeper.token()


async def test_it_is_over_for_all_once_a_person_has_logged_in_who_met_it(stage: Stage) -> None:
    shared = Shared()
    ana = await stage.keeper(shared=shared)
    others = [await stage.keeper(login(user), shared=shared) for user in stage.tenant.users[1:]]
    fault(stage, times=1)
    for keeper in (ana, *others):
        await refused(keeper)
    token = await log_in(stage)
    stage.clock.advance(LOOK_EVERY)
    assert await ana.token() == token
    for keeper in others:
        assert await keeper.token()
    assert await standing(stage, stage.ana.name) == ("active", None)
    assert stage.fake.token_calls == {"password": 2 + len(others)}
