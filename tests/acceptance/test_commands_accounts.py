"""How accounts stand, as `harvester status` and `harvester check` tell it, and nothing is burnt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from acceptance.commands import EX_NOPERM, EX_USAGE, configured, harvester
from acceptance.daemon import forked
from acceptance.stand import Stand, set_up, states
from fix_postgres import Database

from harvester.cli.check import check

ANA, BOJAN = "ana@acme.example", "bojan@acme.example"
LOGIN_ANA = f"harvester login acme {ANA}"
QUARANTINED = "state = 'quarantined', reason = 'bad_credentials', since = now() - interval '3 h'"
NEEDS_LOGIN = "state = 'needs_login', reason = 'refresh_expired', since = now() - interval '2 m'"


@pytest.fixture
async def stand(database: Database, tmp_path: Path) -> AsyncIterator[Stand]:
    async with set_up(database, tmp_path) as stand:
        await stand.harvested()
        yield stand


async def told(stand: Stand) -> list[str]:
    """What status says of accounts."""
    ended = await harvester("status", "acme", config=stand.path)
    assert ended.code == 0, ended.err
    return [line.rstrip() for line in ended.out.splitlines() if line.startswith("acme/")]


async def test_status_names_who_is_not_simply_active_the_most_urgent_first(stand: Stand) -> None:
    assert await told(stand) == []
    await stand.change(ANA, QUARANTINED)
    await stand.change(BOJAN, NEEDS_LOGIN)
    bojan, ana = await told(stand)
    assert bojan.startswith(f"acme/{BOJAN}: needs a login for 3 m, refresh_expired: run harvester")
    assert ana == (
        f"acme/{ANA}: left alone for 4 h, bad_credentials: mend that and reload, or run {LOGIN_ANA}"
    )
    await stand.change(ANA, "state = 'answer_lost', reason = null")
    await stand.change(BOJAN, "state = 'renewing', reason = null")
    lost, renewing = await told(stand)
    assert "was not answered" in lost and "by itself" in lost
    assert "is under way, or was broken off" in renewing


async def test_status_as_json_has_every_account(stand: Stand) -> None:
    await stand.change(ANA, QUARANTINED)
    stand.take_password(BOJAN)
    await stand.change(BOJAN, "ends_at = now() + interval '30 d'")
    streams = (await harvester("status", "acme", "--json", config=stand.path)).json
    assert [each["stream"] for each in streams] == ["readings", "task_reports"]
    found = {each["user"]: each for each in streams[0]["account_states"]}
    assert found.keys() > {ANA, BOJAN, None} and streams[0]["accounts"] == len(found) - 1
    assert (found[ANA]["state"], found[ANA]["reason"]) == ("quarantined", "bad_credentials")
    assert found[ANA]["session_ends_at"] is None, "a password is configured"
    assert found[None]["state"] == "active" and not found[None]["renewable"]
    end = datetime.fromisoformat(found[BOJAN]["session_ends_at"]) - datetime.now(UTC)
    assert timedelta(days=29) < end < timedelta(days=30)


async def test_a_session_that_no_renewal_moves_is_told_days_ahead(stand: Stand) -> None:
    await stand.change(ANA, "ends_at = now() + interval '6 d'")
    assert await told(stand) == [], "the password logs in before"
    stand.take_password(ANA)
    [ana] = await told(stand)
    assert ana == f"acme/{ANA}: its session ends in 6 d, and no renewal moves that: {LOGIN_ANA}"
    await stand.change(ANA, "ends_at = now() + interval '8 d'")
    assert await told(stand) == []
    await stand.change(ANA, "ends_at = null, refresh_token = null")
    assert "its session ends in 24 h" in (await told(stand))[0], "that of the access token"
    await stand.change(ANA, "password = 'x', password_key_id = 'k'")
    assert await told(stand) == [], "one that is kept will do"
    await stand.change(ANA, "refused = 'bad_credentials'")
    assert len(await told(stand)) == 1, "not one that was refused"


async def test_who_was_never_logged_in_is_told(stand: Stand) -> None:
    accounts = '[[tenant.account]]\nuser = "new"\n'
    text = stand.path.read_text().replace("[[tenant.account]]", f"{accounts}[[tenant.account]]", 1)
    stand.path.write_text(text)
    [new] = await told(stand)
    assert new == "acme/new: has neither a token nor a password: harvester login acme new"


async def test_check_tells_who_is_left_alone_and_tries_nothing(stand: Stand) -> None:
    await stand.change(ANA, QUARANTINED)
    stand.take_password(BOJAN)
    await stand.change(BOJAN, NEEDS_LOGIN)
    calls, rows = stand.fake.token_calls.total(), await stand.rows()
    ended = await harvester("check", "--json", config=stand.path)
    found = states(ended.out, "account")
    assert ended.code == EX_NOPERM
    assert found[f"acme/{ANA}"] == (
        "wrong",
        f"left alone, bad_credentials: mend that and reload, or run {LOGIN_ANA}",
    )
    assert found[f"acme/{BOJAN}"][1].startswith("needs a login, refresh_expired: run harvester")
    assert found["acme/(client)"][0] == "ok"
    assert (stand.fake.token_calls.total(), await stand.rows()) == (calls, rows)


async def test_who_needs_a_login_and_was_given_a_password_meanwhile_is_not_wrong(
    stand: Stand,
) -> None:
    await stand.change(ANA, NEEDS_LOGIN)
    ended = await harvester("check", "--json", config=stand.path)
    assert (ended.code, states(ended.out, "account")[f"acme/{ANA}"][0]) == (0, "ok")


PAUSED = {
    "refresh_expires_at = now() + interval '37 h'": ("ok", "its refresh token lasts until"),
    "refresh_expires_at = now() + interval '35 h'": ("wrong", "its refresh token ends"),
    "ends_at = now() + interval '35 h'": ("wrong", f"then {LOGIN_ANA}"),
    "refresh_expires_at = null, ends_at = null": ("unknown", "nobody knows when its refresh"),
    "refresh_token = null": ("wrong", "its token ends"),
    "access_token = null": ("wrong", "no token is held"),
    QUARANTINED: ("wrong", "left alone, bad_credentials"),
}


@pytest.mark.timeout(60)
async def test_check_tells_who_would_need_a_person_after_a_pause(
    stand: Stand, capsys: pytest.CaptureFixture[str]
) -> None:
    stand.take_password(ANA)
    requests = stand.fake.requests.total()
    for stands, (state, words) in PAUSED.items():
        await stand.change(ANA, stands)
        rows = await stand.rows()
        with pytest.raises(typer.Exit) as ended:  # here, and not each in a process of its own
            await asyncio.to_thread(check, stand.path, "36h", True)
        found = states(capsys.readouterr().out, "account")
        ana = found.pop(f"acme/{ANA}")
        assert (ana[0], words in ana[1]) == (state, True), ana
        assert ended.value.exit_code == (EX_NOPERM if state == "wrong" else 0)
        others = {told.removeprefix("needs nobody: ") for _, told in found.values()}
        assert others == {"its password logs it in again", "the tenant's client logs it in again"}
        assert (await stand.rows(), stand.fake.requests.total()) == (rows, requests)


async def test_a_password_that_was_refused_helps_nobody_after_a_pause(stand: Stand) -> None:
    await stand.change(ANA, "refused = 'bad_credentials', tries = 1")
    ended = await harvester("check", "--if-down-for", "30d", "--json", config=stand.path)
    assert states(ended.out, "account")[f"acme/{ANA}"][0] == "wrong"


async def test_before_the_first_run_a_password_is_known_to_do(
    database: Database, tmp_path: Path
) -> None:
    path = await asyncio.to_thread(configured, tmp_path, database, "acme")
    text = '[[tenant.account]]\nuser = "a"\npassword = { file = "typed" }\n'
    path.write_text(path.read_text() + text + '[[tenant.account]]\nuser = "b"\n')
    (tmp_path / "typed").write_text("hunter2")
    ended = await harvester("check", "--if-down-for", "36h", "--json", config=path)
    found = states(ended.out, "account")
    assert (found["acme/a"][0], found["acme/b"][0]) == ("ok", "wrong")
    ended = await harvester("check", "--if-down-for", "36 hours", config=path)
    assert (ended.code, 'such as "90s"' in ended.err) == (EX_USAGE, True), ended.err


async def test_a_daemon_forgets_what_is_older_in_its_audit_trail_than_configured(
    stand: Stand,
) -> None:
    stand.path.write_text(f'auth_events = "30d"\n{stand.path.read_text()}')
    old, count = "at < now() - interval '30 d'", "select count(*) from harvester.auth_events"
    async with stand.database.connected() as connection:
        await connection.execute(
            "update harvester_data.auth_event set at = at - interval '31 d' where event_id % 2 = 0"
        )
        assert await connection.fetchval(f"{count} where {old}")
        async with forked(stand.path) as daemon:
            while await connection.fetchval(f"{count} where {old}"):
                await asyncio.sleep(0.02)
            assert await daemon.end() == 0
        assert await connection.fetchval(count)
