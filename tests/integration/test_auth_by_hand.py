"""A person logs an account in or out beside a running daemon, which learns of it by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from befallen import Gate, the_next
from fix_platforms import NOW, Stage, login, ring, staged
from persons import log_in, log_out, person
from structlog.testing import capture_logs

from harvester.auth import by_hand, sealed
from harvester.auth.held import LONGEST_BACKOFF, LOOK_EVERY, Held
from harvester.auth.life import Life
from harvester.auth.sealed import Vault
from harvester.errors import CredentialRefused, RenewalRefused, TokenError
from harvester.model import Credentials, Token
from harvester.simulator.mydevices import FakeMydevices
from harvester.store.credentials import Event
from harvester.vault import Keys

if TYPE_CHECKING:
    from harvester.store.pool import Pool

EVENT = Event(NOW, "password", "ok", None, None, None, "person")
DAY, MICROSECOND = timedelta(days=1), timedelta(microseconds=1)


@pytest.fixture
async def stage(pool: Pool) -> AsyncIterator[Stage]:
    async with staged("mydevices", pool) as stage:
        yield stage


async def others_vault(stage: Stage) -> Vault:
    """The same account's, in the hands of the daemon."""
    account = await stage.account_of(login(stage.ana), owner="one")
    return Vault(account, stage.pool, stage.keys)


async def kept_password(vault: Vault) -> str | None:
    return await vault.password(await vault.load())


def without_password(stage: Stage) -> Credentials:
    return Credentials(stage.ana.name)


async def test_a_refused_account_takes_up_a_login_within_half_a_minute(stage: Stage) -> None:
    keeper = await stage.keeper(login(stage.ana, "wrong"))
    for _ in range(2):
        with pytest.raises(CredentialRefused):
            await keeper.token()
    token = await log_in(stage)
    stage.clock.advance(LOOK_EVERY - MICROSECOND)
    with pytest.raises(CredentialRefused):  # the vault is not looked at each time
        await keeper.token()
    stage.clock.advance(MICROSECOND)
    assert await keeper.token() == token
    assert stage.fake.token_calls == {"password": 2}


async def test_a_login_whose_token_ended_before_it_was_found_still_mends(stage: Stage) -> None:
    keeper = await stage.keeper(without_password(stage))
    with pytest.raises(CredentialRefused):
        await keeper.token()
    await log_in(stage)
    stage.clock.advance(DAY)
    assert await keeper.token()
    assert stage.fake.token_calls == {"password": 1, "refresh_token": 1}


async def test_what_is_refused_is_not_tried_again_because_of_a_logout(stage: Stage) -> None:
    assert isinstance(stage.fake, FakeMydevices)
    keeper = await stage.keeper()
    await keeper.token()
    stage.fake.disable(stage.ana.name)
    stage.clock.advance(DAY)
    with pytest.raises(CredentialRefused):
        await keeper.token()
    assert await log_out(stage)
    calls = stage.calls()
    for _ in range(3):
        stage.clock.advance(LOOK_EVERY)
        with pytest.raises(CredentialRefused):
            await keeper.token()
    assert stage.calls() == calls


async def test_a_login_after_a_logout_mends_too(stage: Stage) -> None:
    await log_in(stage)
    stage.clock.advance(3 * DAY)
    keeper = await stage.keeper(without_password(stage))
    with pytest.raises(RenewalRefused):
        await keeper.token()
    await log_out(stage)
    token = await log_in(stage)
    stage.clock.advance(LOOK_EVERY)
    assert await keeper.token() == token


async def test_a_daemon_that_is_well_uses_the_newer_login_once_its_own_token_ends(
    stage: Stage,
) -> None:
    keeper = await stage.keeper()
    first = await keeper.token()
    stage.clock.advance(DAY / 2)
    second = await log_in(stage)
    assert await keeper.token() is first
    stage.clock.advance(DAY / 2)
    assert await keeper.token() == second
    assert stage.fake.token_calls == {"password": 2}


async def test_a_kept_password_serves_once_the_token_can_be_renewed_no_more(stage: Stage) -> None:
    await log_in(stage, keep=True)
    keeper = await stage.keeper(without_password(stage))
    stage.clock.advance(3 * DAY)
    assert await keeper.token()
    assert stage.fake.token_calls == {"password": 2}


async def test_the_configured_password_goes_before_a_kept_one(stage: Stage) -> None:
    await log_in(stage, keep=True)
    stage.clock.advance(3 * DAY)
    with pytest.raises(CredentialRefused, match="bad_credentials"):
        await (await stage.keeper(login(stage.ana, "wrong"))).token()


async def test_a_login_that_keeps_no_password_forgets_one_kept_before(stage: Stage) -> None:
    _, vault = await person(stage)
    await log_in(stage, keep=True)
    assert await kept_password(vault) == stage.ana.password
    await log_in(stage)
    assert await kept_password(vault) is None
    stage.clock.advance(3 * DAY)
    for refusal in (RenewalRefused, CredentialRefused):
        with pytest.raises(refusal) as told:
            await (await stage.keeper(without_password(stage))).token()
    assert f"run harvester login acme {stage.ana.name}" in str(told.value)
    assert stage.fake.token_calls == {"password": 2, "refresh_token": 1}


async def test_a_refused_login_by_hand_is_sent_once_and_changes_nothing(stage: Stage) -> None:
    _, vault = await person(stage)
    await log_in(stage, keep=True)
    before = await vault.load()
    with pytest.raises(CredentialRefused, match="bad_credentials"):
        await log_in(stage, "wrong")
    assert await vault.load() == before
    assert await kept_password(vault) == stage.ana.password
    assert stage.fake.token_calls == {"password": 2}


async def test_a_login_that_is_broken_off_is_saved_all_the_same(stage: Stage) -> None:
    _, vault = await person(stage)
    gate = Gate()
    stage.fake.faults.add(the_next("POST", gate))
    asking = asyncio.create_task(log_in(stage))
    await gate.arrived.wait()
    asking.cancel()
    gate.open.set()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert (await vault.load()).held


async def test_a_logout_leaves_nothing_secret_and_a_restart_needs_a_password(stage: Stage) -> None:
    await log_in(stage, keep=True)
    assert await log_out(stage)
    assert not await log_out(stage)
    rows = await stage.pool.fetch(
        "select access_token, refresh_token, password from vault.credential where account_id = $1",
        await stage.account(stage.ana.name),
    )
    assert [tuple(row) for row in rows] == [(None, None, None)]
    with pytest.raises(CredentialRefused, match="no password") as refusal:
        await (await stage.keeper(without_password(stage))).token()
    assert refusal.value.reason == "logged_out"
    assert await (await stage.keeper()).token()
    assert stage.fake.token_calls == {"password": 2}


async def test_a_daemon_that_holds_the_token_uses_it_after_a_logout_until_it_ends(
    stage: Stage,
) -> None:
    await log_in(stage)
    keeper = await stage.keeper(without_password(stage))
    token = await keeper.token()
    await log_out(stage)
    assert token.expires_at
    stage.clock.set(token.expires_at - MICROSECOND)
    assert await keeper.token() is token
    stage.clock.advance(MICROSECOND)
    with pytest.raises(CredentialRefused, match="no password"):
        await keeper.token()
    assert stage.fake.token_calls == {"password": 1}


async def test_a_renewal_of_another_instance_is_waited_for(stage: Stage) -> None:
    account, vault = await person(stage)
    told = asyncio.Event()
    async with (await others_vault(stage)).alone():
        asking = asyncio.create_task(
            by_hand.log_out(
                account, stage.adapter, stage.client, vault, stage.clock, waits=told.set
            )
        )
        await told.wait()
        assert not asking.done()
    assert await asking == (False, False)


async def test_the_wait_for_another_instance_has_an_end(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed, "PATIENCE", 0.05)
    _, vault = await person(stage)
    told = list[str]()
    async with (await others_vault(stage)).alone():
        with pytest.raises(TokenError, match="being renewed by another instance"):
            async with vault.alone(lambda: told.append("waits")):
                pytest.fail("two have the account")
    assert told == ["waits"]


async def test_who_lost_the_account_saves_neither_token_nor_password(stage: Stage) -> None:
    _, vault = await person(stage)
    await log_in(stage, keep=True)
    before, newer = await vault.load(), Held(Token("x"), NOW, 9)
    async with vault.alone() as stale:
        await stage.pool.execute("update harvester_data.account_lease set until = '-infinity'")
        async with (await others_vault(stage)).alone():
            for lost in (
                vault.save_login(stale, Life(), newer, None, EVENT),
                vault.forget(stale, Life(), EVENT),
            ):
                with pytest.raises(TokenError, match="another instance"):
                    await lost
    assert await vault.load() == before
    assert await kept_password(vault) == stage.ana.password


async def test_a_kept_password_is_sealed_for_its_owner(stage: Stage) -> None:
    account, vault = await person(stage)
    await log_in(stage, keep=True)
    kept = await vault.load()
    assert kept.password and stage.ana.password.encode() not in kept.password.password
    copied = await stage.account_of(login(stage.ana), owner="person", deployment="copy")
    with pytest.raises(TokenError) as broken:
        await Vault(copied, stage.pool, stage.keys).password(kept)
    assert broken.value.reason == "seal_broken"
    await stage.pool.execute(
        "update vault.credential set access_token = password where account_id = $1",
        account.account_id,
    )
    with pytest.raises(TokenError):
        await vault.load()


async def test_a_login_mends_what_our_keys_do_not_open(stage: Stage) -> None:
    await log_in(stage, keep=True)
    lost = Keys(lambda: ring("new"), stage.clock)
    keeper = await stage.keeper(keys=lost)
    with capture_logs() as told:
        for _ in range(4):
            with pytest.raises(TokenError) as broken:
                await keeper.token()
            assert broken.value.reason == "seal_broken"
            stage.clock.advance(LONGEST_BACKOFF)
    assert stage.fake.token_calls == {"password": 1}
    assert stage.ana.password not in str(told)
    stage.keys = lost
    token = await log_in(stage)
    assert await keeper.token() == token


async def test_a_logout_erases_what_our_keys_do_not_open(stage: Stage) -> None:
    await log_in(stage, keep=True)
    stage.keys = Keys(lambda: ring("new"), stage.clock)
    assert await log_out(stage)
    assert await (await stage.keeper()).token()
