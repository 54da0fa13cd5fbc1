"""How every adapter gets its accounts in and keeps them in, shown on the real one before its fake,
with the real keeper of tokens and time moved by hand."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import pytest
from accessed import (
    OWN,
    STOPPED,
    counted,
    goes_on,
    known_reasons,
    log_in,
    people,
    renew,
    serves,
    standing,
)
from fix_platforms import NOW, Stage, login

from harvester import platforms
from harvester.auth import AccountApi, by_hand
from harvester.auth.held import LARGEST_MARGIN
from harvester.auth.sealed import Vault
from harvester.errors import CredentialRefused, RenewalRefused, RequestRefused, TokenError
from harvester.model import Credentials
from harvester.simulator import fakes

PLATFORMS = platforms.names()
ASPECT = "access"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MICROSECOND, MILLISECOND = timedelta(microseconds=1), timedelta(milliseconds=1)
WEEK_OF_HOURS = 7 * 24


def nobody() -> None:
    """Has the account in hand beside us."""
    raise AssertionError


@pytest.mark.parametrize("name", PLATFORMS)
def test_every_platform_has_a_fake(name: str) -> None:
    assert fakes.simulated(name)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("none", "none has no fake: write harvester/simulator/none.py with QUIRKS, options, serve"),
        ("faults", "the fake of faults is not whole: add QUIRKS, options, serve to harvester/"),
    ],
)
def test_a_platform_without_a_fake_is_told_what_to_write(name: str, sentence: str) -> None:
    with pytest.raises(LookupError, match=sentence):
        fakes.simulated(name)


async def test_a_login_gives_a_token_that_serves_until_the_end_that_is_believed(
    quirky: Stage,
) -> None:
    for credentials in people(quirky):
        token = await log_in(quirky, credentials)
        quirky.clock.set(max(quirky.clock.now(), (token.expires_at or NOW) - MICROSECOND))
        assert await serves(quirky, token, credentials)


async def test_a_token_is_refused_after_its_end(stage: Stage) -> None:
    token = await log_in(stage)
    assert token.expires_at and token.expires_at > NOW
    stage.clock.set(token.expires_at + MILLISECOND)
    assert not await serves(stage, token)


async def test_a_renewed_token_serves_on_and_can_be_renewed_again(quirky: Stage) -> None:
    token = await log_in(quirky)
    if token.refresh_token is None:
        with pytest.raises(RenewalRefused):
            await renew(quirky, token)
        return
    calls = quirky.calls()
    for _ in range(3):
        assert token.expires_at
        quirky.clock.set(token.expires_at)
        token = await renew(quirky, token)
        assert await serves(quirky, token)
    assert quirky.calls() == calls + 3
    assert quirky.fake.violations == []


async def test_a_refresh_token_that_ended_leaves_the_password(quirky: Stage) -> None:
    token = await log_in(quirky)
    # Who has none says so at once.
    quirky.clock.set((token.refresh_expires_at or NOW) + MILLISECOND)
    with pytest.raises(RenewalRefused):
        await renew(quirky, token)
    assert await serves(quirky, await log_in(quirky))


async def test_a_token_is_renewed_before_its_end_by_a_margin_of_its_life(quirky: Stage) -> None:
    keeper = await quirky.keeper()
    token = await keeper.token()
    if token.expires_at is None:  # then it is used until it is refused
        quirky.clock.advance(DAY)
        assert await keeper.token() is token
        return
    margin = min(LARGEST_MARGIN, (token.expires_at - NOW) / 5)
    quirky.clock.set(token.expires_at - margin - MICROSECOND)
    assert await keeper.token() is token
    quirky.clock.advance(MICROSECOND)
    renewed = set(await asyncio.gather(*(keeper.token() for _ in range(20))))
    assert len(renewed) == 1 and token not in renewed
    assert await serves(quirky, token), "nobody was left with a dead one"
    assert quirky.fake.violations == []


async def test_an_account_stays_in_over_many_lives_of_its_tokens(quirky: Stage) -> None:
    for credentials in people(quirky):
        keeper = await quirky.keeper(credentials)
        api, unknown = AccountApi(keeper, quirky.client), 0
        refused = counted("requests", quirky, outcome="unauthorized")
        failed = counted("token_failures", quirky)
        for _ in range(6):
            assert await goes_on(quirky, api, credentials)
            end = (await keeper.token()).expires_at
            unknown += end is None
            quirky.clock.set(end or quirky.clock.now() + 8 * DAY)
        # One whose end nobody told is used until a read is refused, and no longer.
        assert counted("requests", quirky, outcome="unauthorized") - refused <= unknown
        assert counted("token_failures", quirky) == failed
    assert quirky.fake.violations == []


async def test_a_week_of_asking_costs_one_call_a_life_and_no_refused_read(stage: Stage) -> None:
    keeper = await stage.keeper()
    api, tokens = AccountApi(keeper, stage.client), set()
    life = (await keeper.token()).expires_at
    refused = counted("requests", stage, outcome="unauthorized")
    asked = counted("token_requests", stage)
    for _ in range(WEEK_OF_HOURS):
        assert await goes_on(stage, api)
        tokens.add((await keeper.token()).access_token)
        stage.clock.advance(HOUR)
    assert life
    assert len(tokens) == max(1, 7 * DAY // max(HOUR, life - NOW))
    assert counted("token_requests", stage) - asked == len(tokens) - 1
    assert counted("requests", stage, outcome="unauthorized") == refused
    assert stage.fake.violations == []


async def test_the_tenants_own_client_holds_no_refresh_token(quirky: Stage) -> None:
    if quirky.adapter.own_client:  # its secret does the same, and always
        assert (await log_in(quirky, OWN)).refresh_token is None


@pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
async def test_what_stands_in_place_of_a_password_serves_to_its_end_and_is_then_left_alone(
    stage: Stage, kind: str
) -> None:
    if kind not in stage.adapter.takes:
        return
    token = await log_in(stage)
    given = Credentials(stage.ana.name, **{kind: getattr(token, kind)})
    keeper = await stage.keeper(given)
    assert await goes_on(stage, AccountApi(keeper, stage.client))
    end = token.expires_at if kind == "access_token" else token.refresh_expires_at
    assert end
    stage.clock.set(end - LARGEST_MARGIN)
    assert await goes_on(stage, AccountApi(await stage.keeper(given), stage.client))
    stage.clock.set(end + DAY)  # and the last access token of a refresh token has ended too
    for _ in range(2):  # there are two ways at most: the login, and a renewal
        with pytest.raises(TokenError):
            await keeper.token()
        stage.clock.advance(HOUR / 2)
    calls = stage.calls()
    for each in (keeper, await stage.keeper(given)):
        for _ in range(10):
            with pytest.raises(TokenError):
                await each.token()
            stage.clock.advance(HOUR / 2)
    assert stage.calls() == calls
    state, reason = await standing(stage, stage.ana.name)
    assert state in STOPPED and reason in known_reasons(stage.adapter)


async def test_a_person_logs_in_and_out_and_in_between_the_kept_password_does(
    stage: Stage,
) -> None:
    account = await stage.account_of(login(stage.ana), owner="person")
    vault = Vault(account, stage.pool, stage.keys)
    person = account, stage.adapter, stage.client, vault, stage.clock
    token = await by_hand.log_in(*person, keep_password=True, waits=nobody)
    nothing = Credentials(stage.ana.name)
    keeper = await stage.keeper(nothing)
    assert await keeper.token() == token and token.expires_at
    stage.clock.set((token.refresh_expires_at or token.expires_at) + DAY)
    logins = counted("token_requests", stage, grant="password")
    token = await keeper.token()
    assert await serves(stage, token)
    assert counted("token_requests", stage, grant="password") == logins + 1
    is_ended, was_kept = await by_hand.log_out(*person, waits=nobody)
    assert was_kept and await serves(stage, token) is not is_ended
    with pytest.raises(CredentialRefused):
        await (await stage.keeper(nothing)).token()
    assert await standing(stage, stage.ana.name) == ("needs_login", "logged_out")


async def test_a_token_that_was_revoked_serves_no_more_and_else_it_goes_on(quirky: Stage) -> None:
    for credentials in people(quirky):
        token, other = [await log_in(quirky, credentials) for _ in range(2)]
        revoked = False
        with suppress(RequestRefused):
            revoked = await quirky.adapter.revoke(quirky.client, credentials, token)
        assert await serves(quirky, token, credentials) is not revoked
        assert await serves(quirky, other, credentials)
        assert await serves(quirky, await log_in(quirky, credentials), credentials)
    assert quirky.fake.violations == []
