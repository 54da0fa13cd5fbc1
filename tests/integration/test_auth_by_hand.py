"""A person logs an account in or out beside a running daemon, which learns of it by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from exchanged import LeapClock
from fix_platforms import NOW, Gate, Stage, login, staged, the_next
from structlog.testing import capture_logs

from harvester.auth import LOOK_EVERY, Account, by_hand
from harvester.auth.held import Held
from harvester.auth.sealed import Vault
from harvester.errors import CredentialRefused, TokenError
from harvester.model import Credentials, Token
from harvester.simulator.clock import HandClock
from harvester.simulator.mydevices import FakeMydevices
from harvester.vault import KeyRing

if TYPE_CHECKING:
    from harvester.store.pool import Pool

DAY, MICROSECOND = timedelta(days=1), timedelta(microseconds=1)


@pytest.fixture
async def stage(pool: Pool) -> AsyncIterator[Stage]:
    async with staged("mydevices", pool) as stage:
        yield stage


async def person(stage: Stage, password: str | None = None) -> tuple[Account, Vault]:
    """Ana's account and its vault, in the hands of another process than the daemon."""
    account = await stage.account_of(login(stage.ana, password), owner="person")
    return account, Vault(account, stage.pool, stage.ring)


async def log_in(stage: Stage, password: str | None = None, *, keep: bool = False) -> Token:
    account, vault = await person(stage, password)
    return await by_hand.log_in(
        account,
        stage.adapter,
        stage.client,
        vault,
        stage.clock,
        keep_password=keep,
        waits=unlooked_for,
    )


def unlooked_for() -> None:
    pytest.fail("nobody has to be waited for")


async def others_vault(stage: Stage) -> Vault:
    """The same account's, in the hands of the daemon."""
    account = await stage.account_of(login(stage.ana), owner="one")
    return Vault(account, stage.pool, stage.ring)


class Watched(HandClock):
    """Tells when somebody sleeps by it."""

    def __init__(self, start: datetime) -> None:
        super().__init__(start)
        self.asleep = asyncio.Event()

    async def sleep_until(self, instant: datetime) -> None:
        self.asleep.set()
        await super().sleep_until(instant)


async def log_out(stage: Stage) -> bool:
    _, vault = await person(stage)
    return await by_hand.log_out(vault, stage.clock, waits=unlooked_for)


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
    with capture_logs() as told:
        assert await keeper.token() == token
    assert [each["event"] for each in told] == ["well again"]
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
    with pytest.raises(CredentialRefused):
        await keeper.token()
    await log_out(stage)
    token = await log_in(stage)
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
    assert await vault.password() == stage.ana.password
    await log_in(stage)
    assert await vault.password() is None
    stage.clock.advance(3 * DAY)
    with pytest.raises(CredentialRefused, match=f"harvester login acme {stage.ana.name}"):
        await (await stage.keeper(without_password(stage))).token()
    assert stage.fake.token_calls == {"password": 2}


async def test_a_refused_login_by_hand_is_sent_once_and_changes_nothing(stage: Stage) -> None:
    _, vault = await person(stage)
    await log_in(stage, keep=True)
    before = await vault.load()
    with pytest.raises(CredentialRefused, match="bad_credentials"):
        await log_in(stage, "wrong")
    assert await vault.load() == before
    assert await vault.password() == stage.ana.password
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
    held = await vault.load()
    assert held and held.is_usable


async def test_a_logout_leaves_nothing_secret_and_a_restart_needs_a_password(stage: Stage) -> None:
    await log_in(stage, keep=True)
    assert await log_out(stage)
    assert not await log_out(stage)
    rows = await stage.pool.fetch(
        "select access_token, refresh_token, password"
        " from vault.token left join vault.password using (account_id) where account_id = $1",
        await stage.account(stage.ana.name),
    )
    assert [tuple(row) for row in rows] == [(None, None, None)]
    with pytest.raises(CredentialRefused, match="no password"):
        await (await stage.keeper(without_password(stage))).token()
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
    _, vault = await person(stage)
    clock, other, told = Watched(NOW), await others_vault(stage), list[str]()
    async with other.lease():
        asking = asyncio.create_task(
            by_hand.log_out(vault, clock, waits=lambda: told.append("waits"))
        )
        await clock.asleep.wait()
        assert told == ["waits"]
        await other.save(1, Held(Token("x"), NOW, 1))
    clock.advance(by_hand.AGAIN)
    assert await asking


async def test_the_wait_for_another_instance_has_an_end(stage: Stage) -> None:
    _, vault = await person(stage)
    clock, told = LeapClock(NOW), list[str]()
    async with (await others_vault(stage)).lease():
        with pytest.raises(TokenError, match="being renewed by another instance"):
            await by_hand.log_out(vault, clock, waits=lambda: told.append("waits"))
    assert told == ["waits"]
    assert clock.now() - NOW == by_hand.PATIENCE


async def test_who_lost_the_account_saves_neither_token_nor_password(stage: Stage) -> None:
    _, vault = await person(stage)
    await log_in(stage, keep=True)
    before, newer = await vault.load(), Held(Token("x"), NOW, 9)
    async with vault.lease() as stale:
        assert stale
        await stage.pool.execute("update harvester_data.account_lease set until = '-infinity'")
        async with (await others_vault(stage)).lease():
            for lost in (vault.save_login(stale, newer, None), vault.forget(stale)):
                with pytest.raises(TokenError, match="another instance"):
                    await lost
    assert await vault.load() == before
    assert await vault.password() == stage.ana.password


async def test_a_kept_password_is_sealed_for_its_owner(stage: Stage) -> None:
    account, vault = await person(stage)
    await log_in(stage, keep=True)
    [row] = await stage.pool.fetch(
        "select * from vault.password where account_id = $1", account.account_id
    )
    assert stage.ana.password.encode() not in row["password"]
    copied = await stage.account_of(login(stage.ana), owner="person", deployment="copy")
    assert await Vault(copied, stage.pool, stage.ring).password() is None
    await stage.pool.execute(
        "update vault.token set access_token = $2 where account_id = $1",
        account.account_id,
        row["password"],
    )
    held = await vault.load()
    assert held and not held.is_usable


async def test_a_kept_login_that_cannot_be_used_is_told_once(stage: Stage) -> None:
    await log_in(stage, keep=True)
    with capture_logs() as told:
        keeper = await stage.keeper(without_password(stage), ring=KeyRing({"new": b"n" * 32}))
        for _ in range(4):
            with pytest.raises(CredentialRefused, match="no password"):
                await keeper.token()
            stage.clock.advance(LOOK_EVERY)
    kept = [each["what"] for each in told if each.get("reason") == "seal_broken"]
    assert kept == [f"acme/{stage.ana.name} kept {what}" for what in ("access_token", "password")]
