"""What ends a quarantine, and whom it never concerns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from accessed import standing
from befallen import says
from fix_platforms import Stage, login, staged
from persons import log_in
from pydantic import SecretStr
from structlog.testing import capture_logs

from harvester.auth import Keeper, Shared
from harvester.auth.held import LONGEST_BACKOFF, LOOK_EVERY
from harvester.auth.life import MOST_ASKED, MOST_TRIES, PROBE_EVERY
from harvester.errors import CredentialRefused, ServerFailed, TokenError
from harvester.model import Credentials
from harvester.simulator.faults import Fault, refuse
from harvester.simulator.mydevices import FakeMydevices

if TYPE_CHECKING:
    from harvester.store.pool import Pool

DAY = timedelta(days=1)


@pytest.fixture
async def stage(pool: Pool) -> AsyncIterator[Stage]:
    async with staged("mydevices", pool) as stage:
        yield stage


async def refused(keeper: Keeper) -> CredentialRefused:
    with pytest.raises(CredentialRefused) as refusal:
        await keeper.token()
    return refusal.value


async def enabled_again(stage: Stage, keeper: Keeper) -> None:
    """Ana was disabled, which the keeper met, and is not any more."""
    assert isinstance(stage.fake, FakeMydevices)
    stage.fake.disable(stage.ana.name)
    assert (await refused(keeper)).reason == "account_disabled"
    stage.fake.tokens.disabled.clear()


def configure(stage: Stage, secret: str) -> None:
    """From now on this is the secret of the tenant's client for users."""
    stage.options = stage.options.model_copy(update={"client_secret": SecretStr(secret)})
    stage.adapter = type(stage.adapter)(stage.options)


async def crowd(stage: Stage) -> list[Keeper]:
    """Of the three users of the tenant, and of others whom the platform does not know."""
    users = [login(user) for user in stage.tenant.users]
    users += [Credentials(f"user{n}", "secret") for n in range(47)]
    shared = Shared()
    return [await stage.keeper(user, shared=shared) for user in users]


async def reasons(keepers: list[Keeper]) -> list[str]:
    """Why they have no token; nothing of those who have one."""
    told = await asyncio.gather(*(each.token() for each in keepers), return_exceptions=True)
    return [each.reason for each in told if isinstance(each, TokenError)]


async def test_a_new_secret_is_tried_at_once_and_an_old_one_is_not(stage: Stage) -> None:
    await refused(await stage.keeper(login(stage.ana, "wrong")))
    await refused(await stage.keeper(login(stage.ana, "wrong")))
    assert stage.calls() == 1
    await refused(await stage.keeper(login(stage.ana, "wrong too")))
    assert await (await stage.keeper()).token()
    assert await standing(stage, stage.ana.name) == ("active", None)
    assert stage.fake.token_calls == {"password": 3}


async def test_a_new_secret_has_all_tries_anew(stage: Stage) -> None:
    for _ in range(MOST_TRIES + 1):
        await refused(await stage.keeper(login(stage.ana, "wrong")))
        stage.clock.advance(PROBE_EVERY)
    keeper = await stage.keeper(login(stage.ana, "wrong too"))
    await refused(keeper)
    assert keeper.tries_left == MOST_TRIES - 1


@pytest.mark.parametrize("probes", [0, MOST_TRIES])
async def test_a_reload_tries_once_more_what_was_mended_at_the_platform(
    stage: Stage, probes: int
) -> None:
    keeper = await stage.keeper()
    for _ in range(probes):
        await enabled_again(stage, keeper)
        stage.clock.advance(PROBE_EVERY)
    await enabled_again(stage, keeper)
    calls = stage.calls()
    keeper.try_again()
    assert await keeper.token()
    assert stage.calls() == calls + 1


async def test_a_reload_in_vain_costs_one_call_and_not_one_for_each_who_asks(
    stage: Stage,
) -> None:
    keeper = await stage.keeper(login(stage.ana, "wrong"))
    await refused(keeper)
    keeper.try_again()
    for _ in range(5):
        await refused(keeper)
        stage.clock.advance(LOOK_EVERY)
    assert stage.fake.token_calls == {"password": 2}


async def test_what_was_mended_at_the_platform_is_found_by_the_next_probe(stage: Stage) -> None:
    keeper = await stage.keeper()
    await enabled_again(stage, keeper)
    stage.clock.advance(PROBE_EVERY)
    assert await keeper.token()
    assert stage.fake.token_calls == {"password": 2}


@pytest.mark.parametrize("looks", ["by itself", "asked"])
async def test_a_look_that_meets_a_platform_in_trouble_is_made_again_after_it(
    stage: Stage, looks: str
) -> None:
    keeper = await stage.keeper()
    await enabled_again(stage, keeper)
    if looks == "asked":
        keeper.try_again()
    else:
        stage.clock.advance(PROBE_EVERY)
    stage.fake.faults.add(Fault("POST ", refuse(503)))
    with pytest.raises(ServerFailed):
        await keeper.token()
    stage.clock.advance(LONGEST_BACKOFF)
    assert await keeper.token()
    assert stage.fake.token_calls == {"password": 3}


async def test_a_program_that_reloads_by_the_hour_locks_nobody(stage: Stage) -> None:
    keeper = await stage.keeper(login(stage.ana, "wrong"))
    for _ in range(10 * 24):
        keeper.try_again()
        await refused(keeper)
        stage.clock.advance(timedelta(hours=1))
    assert stage.fake.token_calls == {"password": MOST_ASKED}
    assert MOST_TRIES < MOST_ASKED < 10, "where the strictest platform locks an account"


async def test_a_kept_password_goes_where_the_configured_one_is_taken_out(stage: Stage) -> None:
    await log_in(stage, keep=True)
    stage.clock.advance(3 * DAY)
    await refused(await stage.keeper(login(stage.ana, "wrong")))
    assert await (await stage.keeper(Credentials(stage.ana.name))).token()
    assert await standing(stage, stage.ana.name) == ("active", None)


async def test_a_kept_password_that_is_refused_is_left_alone_too(stage: Stage) -> None:
    assert isinstance(stage.fake, FakeMydevices)
    await log_in(stage, keep=True)
    stage.clock.advance(3 * DAY)
    stage.fake.disable(stage.ana.name)
    for _ in range(3):
        reason = (await refused(await stage.keeper(Credentials(stage.ana.name)))).reason
        assert reason in ("account_disabled", "refresh_expired")
        stage.clock.advance(timedelta(minutes=10))
    assert (await standing(stage, stage.ana.name))[0] == "quarantined"
    assert stage.fake.token_calls["password"] == 2


async def test_the_quarantine_of_one_concerns_no_other_account(stage: Stage) -> None:
    shared = Shared()
    await refused(await stage.keeper(login(stage.ana, "wrong"), shared=shared))
    bojan = login(stage.tenant.users[1])
    assert await (await stage.keeper(bojan, shared=shared)).token()
    assert (await standing(stage, stage.ana.name))[0] == "quarantined"
    assert await standing(stage, bojan.user) == ("active", None)


async def test_a_refresh_token_that_serves_outlives_a_refused_password(stage: Stage) -> None:
    await log_in(stage)
    keeper = await stage.keeper(login(stage.ana, "wrong"))
    for _ in range(5):
        assert await keeper.token()
        stage.clock.advance(DAY)
    assert stage.fake.token_calls == {"password": 1, "refresh_token": 4}


async def test_a_refused_client_is_met_by_one_account_and_told_once(stage: Stage) -> None:
    configure(stage, "wrong")
    keepers = await crowd(stage)
    with capture_logs() as logs:
        for _ in range(20):
            assert await reasons(keepers) == ["client_rejected"] * 50
            stage.clock.advance(LOOK_EVERY)
    assert stage.fake.token_calls == {"password": 1}
    assert [each["what"] for each in logs if each["log_level"] == "warning"] == ["acme client"]


async def test_once_the_client_is_mended_all_of_its_accounts_log_in(stage: Stage) -> None:
    configure(stage, "wrong")
    assert len(await reasons(await crowd(stage))) == 50
    configure(stage, stage.tenant.user_client.secret)
    assert await reasons(await crowd(stage)) == ["bad_credentials"] * 47
    assert stage.fake.token_calls == {"password": 51}


async def test_a_reload_asks_once_more_for_all_of_a_refused_client(stage: Stage) -> None:
    configure(stage, "wrong")
    keepers = await crowd(stage)
    for calls in (1, 2):
        assert await reasons(keepers) == ["client_rejected"] * 50
        assert stage.fake.token_calls == {"password": calls}
        for keeper in keepers:
            keeper.try_again()


async def test_after_a_reload_whoever_comes_first_finds_a_client_that_was_mended(
    stage: Stage,
) -> None:
    stage.fake.faults.add(Fault("/oauth/token", says('{"error": "invalid_client"}', 401)))
    ana, bojan, *_ = await crowd(stage)
    assert await reasons([ana]) == await reasons([bojan]) == ["client_rejected"]
    for keeper in (ana, bojan):
        keeper.try_again()
    assert await bojan.token()
    assert await ana.token()
    assert stage.fake.token_calls == {"password": 3}


async def test_the_tenants_own_client_says_nothing_of_that_of_its_users(stage: Stage) -> None:
    configure(stage, "wrong")
    await refused(await stage.keeper())
    assert await (await stage.keeper(Credentials(None))).token()
