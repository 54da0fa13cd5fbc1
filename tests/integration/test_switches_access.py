"""What befalls an account at one platform only, met by the real keeper of its token."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from accessed import counted, goes_on, log_in, serves, standing
from fix_platforms import NOW, Stage, login, staged

from harvester.auth import AccountApi, Keeper
from harvester.auth.life import PROBE_EVERY
from harvester.errors import CredentialRefused, Forbidden
from harvester.model import Credentials, Token
from harvester.platforms.devicehive import claims
from harvester.simulator.coiote import FakeCoiote
from harvester.simulator.devicehive import FakeDevicehive
from harvester.simulator.faults import Fault
from harvester.simulator.usergrid import FakeUsergrid
from harvester.simulator.usergrid_quirks import inner_failure

if TYPE_CHECKING:
    from harvester.store.pool import Pool

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
AnyFake = TypeVar("AnyFake", bound=FakeUsergrid | FakeCoiote | FakeDevicehive)


@asynccontextmanager
async def at(
    kind: type[AnyFake], pool: "Pool", **switched: Any
) -> AsyncIterator[tuple[Stage, AnyFake]]:
    """The platform of a fake."""
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
async def test_a_token_that_was_revoked_costs_one_read_and_one_login(
    pool: "Pool", kind: type[FakeUsergrid | FakeCoiote]
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


async def test_a_password_that_was_changed_is_met_at_the_end_of_the_token(pool: "Pool") -> None:
    async with at(FakeUsergrid, pool) as (stage, fake):
        keeper = await stage.keeper()
        token = await keeper.token()
        fake.change_password(stage.ana.name, "new")
        assert await keeper.token() is token and await serves(stage, token)
        stage.clock.advance(7 * DAY)
        for _ in range(3):
            assert await refused(stage, keeper) == "bad_credentials"
            stage.clock.advance(HOUR)
        assert fake.token_calls == {"password": 2}
        changed = await stage.keeper(login(stage.ana, "new"))
        assert await serves(stage, await changed.token())


async def test_a_user_who_is_no_more_is_left_alone_at_the_first_read(pool: "Pool") -> None:
    async with at(FakeUsergrid, pool) as (stage, fake):
        keeper = await stage.keeper()
        api = AccountApi(keeper, stage.client)
        assert await goes_on(stage, api)
        fake.remove(stage.ana.name)
        for _ in range(3):
            with pytest.raises(CredentialRefused):
                await goes_on(stage, api)
            stage.clock.advance(HOUR)
        assert fake.token_calls == {"password": 2}


async def test_a_failure_that_reads_as_a_refusal_is_over_after_a_while(pool: "Pool") -> None:
    async with at(FakeUsergrid, pool) as (stage, fake):
        fake.faults.add(Fault("POST ", inner_failure()))
        keeper = await stage.keeper()
        assert await refused(stage, keeper) == "bad_credentials"
        stage.clock.advance(PROBE_EVERY)
        assert await serves(stage, await keeper.token())
        assert await standing(stage, stage.ana.name) == ("active", None)


async def test_a_lock_that_others_brought_about_is_over_after_a_while(pool: "Pool") -> None:
    async with at(FakeCoiote, pool, lock_after=5) as (stage, fake):
        for typo in "abcde":
            with pytest.raises(CredentialRefused):
                await log_in(stage, login(stage.ana, typo))
        keeper = await stage.keeper()
        assert await refused(stage, keeper) == "bad_credentials"
        stage.clock.advance(PROBE_EVERY)
        assert await serves(stage, await keeper.token())
        assert fake.token_calls == {"password": 5 + 2}


@pytest.mark.parametrize("told", ["as documented", "absent"])
async def test_a_life_is_by_our_clock_whatever_the_platforms_says(pool: "Pool", told: str) -> None:
    skewed = {"clock_skew": -2 * HOUR, "expires_in": told}  # a JWT tells both of its ends
    async with at(FakeCoiote, pool, **skewed) as (stage, _):
        assert (await log_in(stage)).expires_at == NOW + timedelta(minutes=5)


async def test_what_a_user_may_not_see_costs_no_token(pool: "Pool") -> None:
    async with at(FakeCoiote, pool) as (stage, fake):
        api = AccountApi(await stage.keeper(), stage.client)
        fake.forbid(stage.ana.name)
        for _ in range(3):
            with pytest.raises(Forbidden):
                await goes_on(stage, api)
        assert fake.token_calls == {"password": 1}


def networks(token: Token) -> set[str]:
    rights = claims.rights(token.access_token)
    assert rights and rights.only_reads
    return set(rights.n)


async def test_a_login_is_made_anew_each_day_where_a_newer_one_sees_more(pool: "Pool") -> None:
    async with at(FakeDevicehive, pool) as (stage, fake):
        keeper = await stage.keeper()
        hers = networks(await keeper.token())
        other = next(each for each in fake.tokens.site.networks if str(each) not in hers)
        fake.assign(stage.ana.name, other)
        seen = []
        for _ in range(26):
            seen.append(networks(await keeper.token()) - hers)
            stage.clock.advance(HOUR)
        assert seen == [set()] * 24 + [{str(other)}] * 2
        assert fake.token_calls["password"] == 2


@pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
async def test_a_configured_token_is_asked_for_no_newer_one(pool: "Pool", kind: str) -> None:
    month = 30 * 86_400
    async with at(FakeDevicehive, pool, access_ttl=month, refresh_ttl=month) as (stage, fake):
        given = Credentials(stage.ana.name, **{kind: getattr(await log_in(stage), kind)})
        keeper = await stage.keeper(given)
        token, calls = await keeper.token(), fake.token_calls.total()
        for _ in range(14):
            stage.clock.advance(DAY)
            await keeper.keep()
            assert await keeper.token() is token
        assert fake.token_calls.total() == calls
        assert await standing(stage, stage.ana.name) == ("active", None)


async def test_another_signing_key_costs_a_login_and_is_never_known(pool: "Pool") -> None:
    async with at(FakeDevicehive, pool, jwt_secret="anybodys") as (stage, fake):
        keeper = await stage.keeper()
        api = AccountApi(keeper, stage.client)
        assert await goes_on(stage, api)
        assert networks(await keeper.token())
        fake.change_secret()
        assert await goes_on(stage, api)
        assert fake.token_calls == {"password": 2, "refresh_token": 1, "create": 2}
