"""What befalls an account at one platform only, met by the real keeper of its token."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import pytest
from accessed import counted, goes_on, log_in, standing
from fix_platforms import Stage, login, staged

from harvester.auth import AccountApi, Keeper
from harvester.auth.life import PROBE_EVERY
from harvester.errors import CredentialRefused, Forbidden
from harvester.platforms.devicehive import claims
from harvester.simulator.coiote import FakeCoiote
from harvester.simulator.devicehive import FakeDevicehive
from harvester.simulator.fakes import Fake
from harvester.simulator.faults import Fault
from harvester.simulator.usergrid import FakeUsergrid
from harvester.simulator.usergrid_quirks import inner_failure

if TYPE_CHECKING:
    from harvester.store.pool import Pool

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
AnyFake = TypeVar("AnyFake", bound=Fake)


@asynccontextmanager
async def at(
    kind: type[AnyFake], pool: "Pool", **switched: object
) -> AsyncIterator[tuple[Stage, AnyFake]]:
    name = kind.__name__.removeprefix("Fake").casefold()
    async with staged(name, pool, **switched) as stage:
        assert isinstance(stage.fake, kind)
        yield stage, stage.fake
        assert stage.fake.violations == []


async def refused(stage: Stage, keeper: Keeper) -> str:
    """Why nothing is tried any more."""
    with pytest.raises(CredentialRefused) as told:
        await keeper.token()
    assert await standing(stage, stage.ana.name) == ("quarantined", told.value.reason)
    return told.value.reason


@pytest.mark.parametrize("kind", [FakeUsergrid, FakeCoiote])
async def test_a_token_that_was_revoked_costs_one_login(
    pool: "Pool", kind: type[FakeUsergrid] | type[FakeCoiote]
) -> None:
    async with at(kind, pool) as (stage, fake):
        api = AccountApi(await stage.keeper(), stage.client)
        assert await goes_on(stage, api)
        fake.revoke(stage.ana.name)
        refusals = counted("requests", stage, outcome="unauthorized")
        for _ in range(3):
            assert await goes_on(stage, api)
        assert counted("requests", stage, outcome="unauthorized") == refusals + 1
        assert fake.token_calls == {"password": 2}


async def test_a_login_is_made_anew_each_day_where_a_newer_one_sees_more(pool: "Pool") -> None:
    async with at(FakeDevicehive, pool) as (stage, fake):
        keeper = await stage.keeper()
        networks = (await _networks(keeper))[0]
        other = next(each for each in fake.tokens.site.networks if str(each) not in networks)
        fake.assign(stage.ana.name, other)
        seen = [await _networks(keeper, stage) for _ in range(26)]
        assert [str(other) in each for each in seen] == [False] * 24 + [True] * 2
        assert fake.token_calls["password"] == 2
