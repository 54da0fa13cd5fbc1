"""The database is away when a token call is answered: what came is in a file, nothing is burnt."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from accessed import standing
from aiohttp import web
from fix_platforms import Stage, login, ring, staged
from fix_postgres import Connection, Database
from fix_store import Line, line_to
from persons import log_in, log_out

from harvester.auth.held import FIRST_BACKOFF, LONGEST_BACKOFF
from harvester.auth.life import PROBE_EVERY
from harvester.errors import CredentialRefused, StoreUnavailable, TokenError
from harvester.model import Credentials, Token
from harvester.simulator.faults import Answer, Fault
from harvester.store import credentials
from harvester.store.pool import open_pool
from harvester.vault import Keys

TOKEN_CALL = "/oauth/token"
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)


class Crash(BaseException):
    """The end of the process, as far as what runs in it can tell."""


@pytest.fixture
async def line(database: Database) -> AsyncIterator[Line]:
    async with line_to(database) as line:
        yield line


@pytest.fixture
async def stage(line: Line, database: Database) -> AsyncIterator[Stage]:
    """Ana has been logged in by hand, and her access token has ended."""
    async with (
        open_pool(line.dsn, database.password) as pool,
        staged("mydevices", pool, quirk="rotating refresh tokens") as stage,
    ):
        await log_in(stage)
        stage.clock.advance(DAY)
        yield stage


def cut_at_the_answer(stage: Stage, line: Line) -> None:
    """The database goes away while the next token call is under way."""

    async def cut(request: web.Request, honest: Answer) -> web.StreamResponse:
        line.cut()
        return await honest(request)

    stage.fake.faults.add(Fault(TOKEN_CALL, cut))


def ana(stage: Stage) -> Credentials:
    return Credentials(stage.ana.name)


def files(stage: Stage, folder: str = "one") -> list[Path]:
    return list((stage.spills / folder).glob("*"))


async def spilled(stage: Stage, line: Line) -> Token:
    """A token that came while the database was away; it is back, and the daemon is not."""
    cut_at_the_answer(stage, line)
    token = await (await stage.keeper(ana(stage))).token()
    await line.mend()
    return token


async def saved(stage: Stage) -> list[str]:
    """Where a token came from, in the words of the audit trail."""
    rows = await stage.pool.fetch(
        'select "grant" from harvester_data.auth_event where outcome = $1 order by event_id', "ok"
    )
    return [row[0] for row in rows]


async def test_the_token_is_used_and_lies_sealed_in_a_file_of_ours_alone(
    stage: Stage, line: Line
) -> None:
    cut_at_the_answer(stage, line)
    keeper = await stage.keeper(ana(stage))
    token = await keeper.token()
    [file] = files(stage)
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    content, name = file.read_bytes(), file.name
    for secret in (token.access_token, token.refresh_token or "", stage.ana.name):
        for part in secret.split("."):
            assert part.encode() not in content and part not in name
    stage.clock.advance(DAY / 2)
    assert await keeper.token() is token
    assert stage.fake.token_calls == {"password": 1, "refresh_token": 1}


@pytest.mark.parametrize("owner", ["one", "two"])
async def test_who_comes_next_adopts_it_before_anything_else(
    stage: Stage, line: Line, connection: Connection, owner: str
) -> None:
    token = await spilled(stage, line)
    assert await standing(stage, stage.ana.name) == ("renewing", None)
    await connection.execute("update harvester_data.account_lease set until = '-infinity'")
    keeper = await stage.keeper(ana(stage), owner=owner, folder="one")
    assert await keeper.token() == token
    assert await standing(stage, stage.ana.name) == ("active", None)
    assert files(stage) == []
    assert await saved(stage) == ["password", "adopted"]
    stage.clock.advance(DAY)
    assert await keeper.token() != token
    assert stage.fake.token_calls == {"password": 1, "refresh_token": 2}
    assert stage.fake.violations == []


async def test_a_daemon_that_goes_on_saves_it_as_soon_as_the_database_is_back(
    stage: Stage, line: Line
) -> None:
    cut_at_the_answer(stage, line)
    keeper = await stage.keeper(ana(stage))
    token = await keeper.token()
    with pytest.raises(StoreUnavailable):
        await keeper.keep()
    await line.mend()
    await keeper.keep()
    assert files(stage) == []
    assert await (await stage.keeper(ana(stage), owner="two")).token() == token
    assert stage.fake.token_calls == {"password": 1, "refresh_token": 1}


async def test_one_that_cannot_be_kept_anywhere_is_used_by_nobody_and_saved_first(
    stage: Stage, line: Line
) -> None:
    (stage.spills / "one").write_text("in the way of the folder")
    cut_at_the_answer(stage, line)
    keeper = await stage.keeper(ana(stage))
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            await keeper.token()
        stage.clock.advance(LONGEST_BACKOFF)
    await line.mend()
    token = await keeper.token()
    assert await (await stage.keeper(ana(stage), owner="two")).token() == token
    assert await saved(stage) == ["password", "adopted"]
    assert stage.fake.token_calls == {"password": 1, "refresh_token": 1}


async def test_a_folder_that_cannot_be_written_costs_nothing_while_the_database_is_there(
    stage: Stage,
) -> None:
    (stage.spills / "one").write_text("in the way of the folder")
    for _ in range(3):
        assert await (await stage.keeper(ana(stage))).token()
        stage.clock.advance(DAY)
    assert stage.fake.violations == []


async def test_a_crash_between_the_file_and_the_database_loses_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dying(*_: Any) -> None:
        raise Crash

    with monkeypatch.context() as crashing, pytest.raises(Crash):
        crashing.setattr(credentials, "save", dying)
        await (await stage.keeper(ana(stage))).token()
    assert await (await stage.keeper(ana(stage))).token()
    assert stage.fake.token_calls == {"password": 1, "refresh_token": 1}


async def test_a_file_of_a_token_that_was_replaced_since_changes_nothing(
    stage: Stage, line: Line
) -> None:
    await spilled(stage, line)
    [file] = files(stage)
    stale = file.read_bytes()
    await (await stage.keeper(ana(stage))).token()
    stage.clock.advance(DAY)
    newest = await (await stage.keeper(ana(stage))).token()
    file.write_bytes(stale)
    assert await (await stage.keeper(ana(stage))).token() == newest
    assert files(stage) == []
    assert stage.fake.violations == []


async def test_another_accounts_file_changes_nothing(stage: Stage, line: Line) -> None:
    anas = await spilled(stage, line)
    [file] = files(stage)
    bojan = await stage.keeper(login(stage.tenant.users[1]))
    await bojan.token()
    stage.clock.advance(DAY)
    cut_at_the_answer(stage, line)
    await bojan.token()
    await line.mend()
    [other] = [each for each in files(stage) if each != file]
    other.write_bytes(file.read_bytes())
    before = await stage.pool.fetch("select * from vault.credential order by account_id")
    assert await (await stage.keeper(login(stage.tenant.users[1]))).token() != anas
    after = await stage.pool.fetch("select * from vault.credential order by account_id")
    assert before[0] == after[0]


@pytest.mark.parametrize("content", [b"", b"\0", b"{}", b"[]", b'{"key_id": "k", "data": "AA=="}'])
async def test_a_broken_file_changes_nothing(stage: Stage, line: Line, content: bytes) -> None:
    await spilled(stage, line)
    [file] = files(stage)
    assert await (await stage.keeper(ana(stage))).token()
    file.write_bytes(content)
    stage.clock.advance(DAY)
    assert await (await stage.keeper(ana(stage))).token()
    assert stage.fake.token_calls == {"password": 1, "refresh_token": 2}
    assert stage.fake.violations == []


async def test_a_file_whose_key_is_missing_may_be_the_newest_token_and_stops_all(
    stage: Stage, line: Line
) -> None:
    with_new = Keys(lambda: ring("new", "k"), stage.clock)
    cut_at_the_answer(stage, line)
    token = await (await stage.keeper(ana(stage), keys=with_new)).token()
    await line.mend()
    with pytest.raises(TokenError) as broken:
        await (await stage.keeper(ana(stage))).token()
    assert broken.value.reason == "seal_broken"
    assert await (await stage.keeper(ana(stage), keys=with_new)).token() == token
    assert stage.fake.token_calls == {"password": 1, "refresh_token": 1}


async def test_a_file_that_cannot_be_read_may_be_the_newest_token_and_stops_all(
    stage: Stage, line: Line
) -> None:
    token = await spilled(stage, line)
    [file] = files(stage)
    aside = file.rename(stage.spills / "aside")
    file.mkdir()  # which even root cannot read as a file
    keeper = await stage.keeper(ana(stage))
    for _ in range(3):
        with pytest.raises(TokenError) as told:
            await keeper.token()
        assert told.value.reason == "spill_unreadable"
        stage.clock.advance(LONGEST_BACKOFF)
    file.rmdir()
    aside.rename(file)
    assert await keeper.token() == token
    assert stage.fake.token_calls == {"password": 1, "refresh_token": 1}


async def test_what_was_logged_out_does_not_come_back_out_of_a_file(
    stage: Stage, line: Line, connection: Connection
) -> None:
    await spilled(stage, line)
    await connection.execute("update harvester_data.account_lease set until = '-infinity'")
    assert await log_out(stage)
    with pytest.raises(CredentialRefused) as refusal:
        await (await stage.keeper(ana(stage))).token()
    assert refusal.value.reason == "logged_out"


async def test_a_refusal_that_could_not_be_noted_is_known_all_the_same(
    stage: Stage, line: Line
) -> None:
    stage.clock.advance(3 * DAY)
    cut_at_the_answer(stage, line)
    keeper = await stage.keeper(login(stage.ana, "wrong"))
    with pytest.raises(StoreUnavailable):
        await keeper.token()
    await line.mend()
    for _ in range(3):
        stage.clock.advance(FIRST_BACKOFF)
        with pytest.raises(TokenError):
            await keeper.token()
    assert await standing(stage, stage.ana.name) == ("quarantined", "bad_credentials")
    stage.clock.advance(PROBE_EVERY - 5 * FIRST_BACKOFF)
    with pytest.raises(CredentialRefused):
        await keeper.token()
    assert stage.fake.token_calls["password"] == 2
