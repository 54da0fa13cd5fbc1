"""`harvester check` and `harvester migrate`: told what is there, and nothing is burnt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from acceptance.commands import (
    EX_CONFIG,
    EX_NOPERM,
    EX_UNAVAILABLE,
    configured,
    harvester,
)
from acceptance.stand import Stand, set_up, states
from configured import FORGETS, TENANT
from fix_postgres import Database, Postgres
from fix_simulator import configured_for

from harvester import migrate as room
from harvester.migrate import migrations
from harvester.simulator.faults import Fault, refuse


@pytest.fixture
async def stand(database: Database, tmp_path: Path) -> AsyncIterator[Stand]:
    async with set_up(database, tmp_path) as stand:
        yield stand


async def test_a_tenant_is_told_that_its_interval_is_too_long_for_its_platform(
    tmp_path: Path,
) -> None:
    path = tmp_path / "config.toml"
    path.write_text('state_directory = "state"\n' + FORGETS + TENANT.replace("acme", "keeps"))
    ended = await harvester("check", "--if-down-for", "1h", "--json", config=path)
    told = "polled every 40 s and not every 5 m, as its platform soon forgets"
    assert states(ended.out, "configuration").keys() == {str(path), "acme"}
    assert states(ended.out, "configuration")["acme"] == ("ok", told)
    assert ended.code == 0


async def test_held_tokens_are_tried_and_nothing_is_burnt(stand: Stand) -> None:
    await stand.harvested()
    calls, rows = stand.fake.token_calls.total(), await stand.rows()
    reads = stand.fake.requests.copy()
    ended = await harvester("check", "--json", config=stand.path)
    assert ended.code == 0, ended.out
    accounts = states(ended.out, "account")
    assert {state for state, _ in accounts.values()} == {"ok"}
    asked = stand.fake.requests - reads
    assert asked["GET /v1.0/things/{thing}"] <= len(accounts) < reads["GET /v1.0/things/{thing}"]
    assert stand.fake.token_calls.total() == calls
    assert await stand.rows() == rows
    stand.fake.faults.add(Fault("/readings", refuse(401)))
    await stand.harvested()
    assert stand.fake.token_calls["refresh_token"] == 1, "it is good still"
    assert stand.fake.violations == []


async def test_a_refused_token_is_left_to_the_daemon(stand: Stand) -> None:
    await stand.harvested()
    calls, rows = stand.fake.token_calls.total(), await stand.rows()
    stand.fake.faults.add(Fault("GET ", refuse(401), times=None))
    ended = await harvester("check", "--json", config=stand.path)
    refused = {("unknown", "its token is refused; the daemon will renew it")}
    assert (ended.code, set(states(ended.out, "account").values())) == (0, refused)
    assert (stand.fake.token_calls.total(), await stand.rows()) == (calls, rows)


async def test_a_token_that_may_not_read_is_wrong(stand: Stand) -> None:
    await stand.harvested()
    stand.fake.faults.add(Fault("GET /v1.0/admin", refuse(403), times=None))
    ended = await harvester("check", "--json", config=stand.path)
    state, told = states(ended.out, "account")["acme/(client)"]
    assert (ended.code, state) == (EX_NOPERM, "wrong")
    assert "403" in told


async def test_before_a_login_nothing_is_known_and_nobody_logs_in(stand: Stand) -> None:
    ended = await harvester("check", config=stand.path)
    assert ended.code == 0
    assert ended.out.count("no token is held; unknown until login") >= 4
    assert "up to date" in ended.out
    assert stand.fake.token_calls.total() == 0


async def test_an_expired_token_is_not_tried(stand: Stand) -> None:
    await stand.harvested()
    async with stand.database.connected() as connection:
        await connection.execute("update vault.credential set expires_at = now()")
    reads = stand.fake.requests.total()
    ended = await harvester("check", "--json", config=stand.path)
    told = {("unknown", "its token has expired; unknown until login")}
    assert set(states(ended.out, "account").values()) == told
    assert stand.fake.requests.total() == reads + 2, "the base URL of each tenant"


async def test_an_account_without_a_token_or_a_password_cannot_work(stand: Stand) -> None:
    text = stand.path.read_text()
    stand.path.write_text(text.replace('password = { file = "ana@acme.example" }', "", 1))
    ended = await harvester("check", "--json", config=stand.path)
    assert ended.code == EX_NOPERM
    state, told = states(ended.out, "account")["acme/ana@acme.example"]
    assert (state, "harvester login acme ana@acme.example" in told) == ("wrong", True)


@pytest.mark.parametrize(
    ("spoiled", "refused", "told"),
    [
        ("set expires_at = now(), refresh_token = null", False, "has expired"),
        ("set expires_at = now(), refresh_expires_at = now()", False, "has expired"),
        ("set refresh_token = null", True, "is refused"),
    ],
)
async def test_a_token_that_ended_and_cannot_be_renewed_is_wrong(
    stand: Stand, spoiled: str, refused: bool, told: str
) -> None:
    await stand.harvested()
    text = stand.path.read_text()
    stand.path.write_text(text.replace('password = { file = "ana@acme.example" }', "", 1))
    async with stand.database.connected() as connection:
        await connection.execute(" ".join(("update vault.credential", spoiled)))
    if refused:
        stand.fake.faults.add(Fault("GET ", refuse(401), times=None))
    ended = await harvester("check", "--json", config=stand.path)
    accounts = states(ended.out, "account")
    state, words = accounts.pop("acme/ana@acme.example")
    assert (ended.code, state, told in words) == (EX_NOPERM, "wrong", True), words
    assert "harvester login acme ana@acme.example" in words
    assert {state for state, _ in accounts.values()} == {"unknown"}, "theirs are configured"


async def test_a_read_that_is_refused_is_told_as_such(stand: Stand) -> None:
    await stand.harvested()
    stand.fake.faults.add(Fault("GET /v1.0/admin", refuse(400), times=None))
    ended = await harvester("check", "--json", config=stand.path)
    state, told = states(ended.out, "account")["acme/(client)"]
    assert (ended.code, state, "400" in told) == (EX_NOPERM, "wrong", True)
    assert "not understood" not in told


async def test_a_key_file_that_opens_nothing_is_wrong(stand: Stand) -> None:
    await stand.harvested()
    made = await harvester("keys", "generate", stand.path.with_name("other"))
    assert made.code == 0
    text = stand.path.read_text()
    stand.path.write_text(f'key_file = "other"\n{text}')
    ended = await harvester("check", "--json", config=stand.path)
    [(state, told)] = states(ended.out, "keys").values()
    assert (ended.code, state) == (EX_CONFIG, "wrong")
    assert "acme/ana@acme.example" in told


async def test_all_that_is_wrong_with_the_configuration_is_told(tmp_path: Path) -> None:
    path = await asyncio.to_thread(configured, tmp_path, None, "acme")
    path.write_text(path.read_text().replace("interval", "intervall").replace("24h", "soon"))
    ended = await harvester("check", "--json", config=path)
    assert ended.code == EX_CONFIG
    told = [each["told"] for each in ended.json if each["state"] == "wrong"]
    assert [each for each in told if "did you mean interval?" in each]
    assert [each for each in told if "tenant.acme.history" in each]


async def test_a_database_that_is_away_is_wrong_and_the_rest_is_told(
    stand: Stand, database: Database
) -> None:
    text = stand.path.read_text()
    stand.path.write_text(text.replace(database.dsn.rpartition("/")[2], "nowhere", 1))
    ended = await harvester("check", "--json", config=stand.path)
    [(state, told)] = states(ended.out, "database").values()
    assert (ended.code, state) == (EX_UNAVAILABLE, "wrong")
    assert "nowhere" in told
    assert {state for state, _ in states(ended.out, "platform").values()} == {"ok"}
    assert {told for _, told in states(ended.out, "account").values()} == {
        "its login cannot be read"
    }


async def test_the_embedded_database_is_not_made_by_a_look(stand: Stand, tmp_path: Path) -> None:
    path = await configured_for(stand.fake, tmp_path, history="1h")
    ended = await harvester("check", "--json", config=path)
    made = "not made yet; harvester run makes it"
    assert ended.code == 0
    assert states(ended.out, "database") == {"embedded": ("unknown", made)}
    assert not (tmp_path / "state").exists()


@pytest.fixture
async def empty(postgres: Postgres) -> AsyncIterator[Database]:
    async with postgres.made("template1") as database:
        yield database


async def test_an_empty_database_is_checked_unchanged_then_migrated_once(
    empty: Database, tmp_path: Path
) -> None:
    path = await asyncio.to_thread(configured, tmp_path, empty, "acme")
    ended = await harvester("check", "--json", config=path)
    files = await asyncio.to_thread(migrations)
    [(state, told)] = states(ended.out, "database").values()
    assert state == "ok"
    assert f"{len(files)} migrations to apply: harvester run or harvester migrate does it" in told
    one, other = await asyncio.gather(
        harvester("migrate", config=path), harvester("migrate", config=path)
    )
    applied = sorted((one.out + other.out).splitlines())
    names = [f"applied {each.name}" for each in files]
    assert applied == sorted([*names, "The database is up to date."])


@pytest.mark.parametrize("command", ["check", "migrate", "status"])
async def test_a_newer_database_is_refused_by_every_command(
    database: Database, tmp_path: Path, command: str
) -> None:
    async with database.connected() as connection:
        await connection.execute(
            "insert into harvester_data.migration values (9999, '9999_later.sql', 'x')"
        )
    path = await asyncio.to_thread(configured, tmp_path, database, "acme")
    ended = await harvester(command, config=path)
    assert ended.code == EX_UNAVAILABLE
    assert "it has 9999_later.sql" in ended.said
    assert "Install the newer harvester" in ended.said


async def older(database: Database) -> None:
    """As a program without the sixth file leaves it."""
    files = await asyncio.to_thread(migrations)
    with pytest.MonkeyPatch.context() as program:
        program.setattr(room, "migrations", lambda: files[:5])
        async with database.connected() as connection:
            await connection.execute("drop schema harvester, harvester_data, vault cascade")
            await room.migrate(connection)


@pytest.mark.parametrize("command", ["login", "logout"])
async def test_an_older_database_is_not_migrated_under_a_daemon_by_a_login(
    stand: Stand, command: str
) -> None:
    await older(stand.database)
    typed = stand.path.with_name("typed")
    typed.write_text("hunter2")
    words: list[str | Path] = ["--password-file", typed] if command == "login" else []
    ended = await harvester(command, "acme", "ana@acme.example", *words, config=stand.path)
    assert (ended.code, "Run harvester migrate" in ended.err) == (EX_UNAVAILABLE, True), ended.err
    async with stand.database.connected() as connection:
        applied = await connection.fetchval("select max(version) from harvester_data.migration")
    assert (applied, stand.fake.token_calls.total()) == (5, 0)


async def test_an_older_database_is_checked_and_migrated(
    database: Database, tmp_path: Path
) -> None:
    await older(database)
    path = await asyncio.to_thread(configured, tmp_path, database, "acme")
    ended = await harvester("check", "--json", config=path)
    [(state, told)] = states(ended.out, "database").values()
    assert (state, "to apply" in told) == ("ok", True)
    assert "applied 0006_passwords.sql" in (await harvester("migrate", config=path)).out
