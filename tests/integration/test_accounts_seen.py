"""Accounts as operators see them: told when they are left alone, measured, and kept on trail."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from fix_platforms import Stage, ring, staged, token_failures
from fix_store import Site
from fix_tenants import ACME, Shop, series
from structlog.testing import capture_logs

from harvester.auth.held import LONGEST_BACKOFF
from harvester.auth.life import MOST_TRIES, TRY_AGAIN
from harvester.errors import CredentialRefused, TokenError
from harvester.model import Credentials
from harvester.service import trail
from harvester.service.trail import Trail
from harvester.store import catalog
from harvester.vault import Keys

if TYPE_CHECKING:
    from harvester.store.pool import Pool

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
EVENT = """
insert into harvester_data.auth_event (at, account_id, "grant", outcome, instance)
values (now() - $2::interval, $1, 'password', 'ok', 'test')
"""
BROKEN_OFF = """
insert into vault.credential (account_id, state, since, asked_grant, asked_at, tries)
values ($1, 'answer_lost', $2, 'password', $2, $3)
"""


async def test_who_holds_nothing_to_log_in_with_is_counted_once_and_told_after_each_start(
    pool: Pool,
) -> None:
    async with staged("mydevices", pool) as stage:
        before, nobody = token_failures("password", "no_password"), Credentials(stage.ana.name)
        for _ in range(2):
            keeper = await stage.keeper(nobody)
            with capture_logs() as logs:
                for _ in range(3):
                    with pytest.raises(CredentialRefused):
                        await keeper.token()
                    stage.clock.advance(HOUR)
            [told] = logs
            assert (told["what"], told["reason"]) == (f"acme/{stage.ana.name}", "no_password")
            assert f"run harvester login acme {stage.ana.name}" in told["error"]
        assert token_failures("password", "no_password") == before + 1
        assert stage.calls() == 0


async def test_keys_that_open_nothing_are_told_and_counted_as_failures(pool: Pool) -> None:
    async with staged("mydevices", pool) as stage:
        await (await stage.keeper()).token()
        before = token_failures("password", "seal_broken")
        keeper = await stage.keeper(keys=Keys(lambda: ring("other"), stage.clock))
        with capture_logs() as logs, pytest.raises(TokenError, match="key"):
            await keeper.token()
        assert "seal_broken" in [each.get("reason") for each in logs]
        assert token_failures("password", "seal_broken") == before + 1
        assert stage.calls() == 1


async def test_a_file_that_cannot_be_read_is_told_and_counted_as_a_failure(pool: Pool) -> None:
    async with staged("mydevices", pool) as stage:
        before, nowhere = token_failures("password", "spill_unreadable"), stage.spills / "aside"
        nowhere.symlink_to(nowhere)  # where even root finds no file
        keeper = await stage.keeper(folder="aside")
        with capture_logs() as logs, pytest.raises(TokenError, match="cannot be read"):
            await keeper.token()
        assert (f"acme/{stage.ana.name}", "spill_unreadable") in [
            (each.get("what"), each.get("reason")) for each in logs
        ]
        assert token_failures("password", "spill_unreadable") == before + 1


async def test_logins_that_must_wait_are_told_once_and_counted_each_time(pool: Pool) -> None:
    async with staged("mydevices", pool) as stage:
        account_id, now = await stage.account(stage.ana.name), stage.clock.now()
        await stage.pool.execute(BROKEN_OFF, account_id, now, MOST_TRIES)
        before, keeper = token_failures("password", "password_budget"), await stage.keeper()
        assert timedelta() < 3 * LONGEST_BACKOFF < TRY_AGAIN
        with capture_logs() as logs:
            for _ in range(3):
                with pytest.raises(TokenError, match="broken off"):
                    await keeper.token()
                stage.clock.advance(LONGEST_BACKOFF)
        [told] = logs
        assert (told["what"], told["reason"]) == (f"acme/{stage.ana.name}", "password_budget")
        assert token_failures("password", "password_budget") == before + 3
        assert stage.calls() == 0


async def renewed(stage: Stage, *ages: timedelta) -> None:
    """Renew Ana's token so long after one another, with her password known."""
    keeper = await stage.keeper()
    token = await keeper.token()
    for age in ages:
        stage.clock.advance(age)
        token = await keeper.replace(token)


async def test_a_session_ends_for_a_person_only_where_no_password_begins_another(
    pool: Pool,
) -> None:
    async with staged("mydevices", pool, quirk="sessions that end") as stage:
        began = stage.clock.now()
        await renewed(stage, DAY, DAY, DAY, DAY / 4, DAY / 4)
        keeper = await stage.keeper()
        await keeper.token()
        assert keeper.session_ends_at is None
        keeper = await stage.keeper(Credentials(stage.ana.name))
        await keeper.token()
        assert keeper.session_ends_at == began + 5 * DAY
        assert keeper.held and not keeper.held.wants_login(stage.clock.now(), None)


async def test_what_tokens_have_left_is_measured_while_they_are_ours_to_renew(shop: Shop) -> None:
    await shop.begun()
    [acme] = [each for each in shop.tenants if each.name == "acme"]
    await shop.tenants.scheduler.tick(ACME)
    shop.clock.advance(HOUR)
    acme.measure()
    of = '{platform="mydevices",tenant="acme"}'
    left = {name: series("acme", name) for name in ("access_token", "refresh_token", "session")}
    day, access = DAY.total_seconds(), f"harvester_access_token_remaining_seconds{of}"
    refresh = f"harvester_refresh_token_remaining_seconds{of}"
    assert left["access_token"] == {access: day - 3600}
    assert left["refresh_token"] == {refresh: 2 * day - 3600}
    assert left["session"] == {}, "each has a password"
    assert list(series("acme", "password_logins_left").values()) == [5]
    await acme.release()
    acme.measure()
    for name in ("access_token", "refresh_token", "password_logins_left"):
        assert series("acme", name) == {}, "another instance may renew them now"


async def test_the_end_of_a_session_is_measured_where_a_person_must_begin_the_next(
    shop: Shop,
) -> None:
    await shop.begun()
    await shop.tenants.scheduler.tick(ACME)
    await shop.house.pool.execute("update vault.credential set refresh_token = null")
    [settings] = [each for each in shop.settings.tenants if each.name == "acme"]
    people = tuple(each.model_copy(update={"password": None}) for each in settings.accounts)
    await shop.tenants.begin(settings.model_copy(update={"accounts": people}))
    shop.clock.advance(HOUR)
    await shop.tenants.scheduler.tick(ACME)
    [acme] = [each for each in shop.tenants if each.name == "acme"]
    acme.measure()
    [left] = series("acme", "session_remaining_seconds").values()
    assert left == (DAY - HOUR).total_seconds()


async def test_the_audit_trail_forgets_what_is_old_and_nothing_else(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trail, "AT_ONCE", 2)
    ana = (await catalog.accounts(site.pool, site.lease, ["ana"]))["ana"]
    for days in (1, 29, 31, 32, 33, 34, 90):
        await site.pool.execute(EVENT, ana, timedelta(days=days))
    await Trail(site.pool, timedelta(days=30)).forget()
    kept = await site.pool.fetch("select now() - at as age from harvester.auth_events order by at")
    assert [row["age"].days for row in kept] == [29, 1]
