"""What may go wrong as an account is logged in by hand: told in words, and nothing is changed."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from acceptance.by_hand import KEPT, WRONG, Site, site_at
from acceptance.commands import (
    EX_NOPERM,
    EX_UNAVAILABLE,
    EX_USAGE,
    begun,
    outcome,
)
from aiohttp import web
from fix_postgres import Database

from harvester.simulator.faults import Answer, Fault, refuse

LEASED = "update harvester_data.account_lease set until = now() + $1::text::interval"
EX_NOINPUT, EX_CANTCREAT, EX_TEMPFAIL = 66, 73, 75


@pytest.fixture
async def site(database: Database, tmp_path: Path) -> AsyncIterator[Site]:
    async with site_at(database, tmp_path) as site:
        yield site


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (lambda s: ["acm", s.user], EX_USAGE, "did you mean acme?"),
        (lambda s: ["acme", s.user[1:]], EX_USAGE, "did you mean ana@"),
        (lambda s: ["acme", s.user], EX_USAGE, "--password-file FILE"),
        (lambda s: ["acme", s.user, "--password-file", s.folder], EX_NOINPUT, "is a directory"),
        (lambda s: ["acme", s.user, "--password-file", "/dev/null"], EX_NOINPUT, "is empty"),
        (
            lambda s: ["acme", s.user, "--password-file", "gone"],
            EX_NOINPUT,
            "the password file gone",
        ),
    ],
)
async def test_a_mistake_is_told_in_one_sentence(
    site: Site, arguments: Callable[[Site], list[Any]], code: int, words: str
) -> None:
    ended, said = await site.harvester("login", *arguments(site), "--config", site.config_file)
    assert (ended, words in said, said.count("\n")) == (code, True, 1), said
    assert site.fake.token_calls.total() == 0


async def test_an_account_must_be_configured_first(site: Site) -> None:
    text = site.config_file.read_text()
    site.config_file.write_text(text[: text.index("[[tenant.account]]")])
    code, said = await site.login()
    assert (code, "add a [[tenant.account]]" in said) == (EX_USAGE, True), said


async def test_a_wrong_password_is_sent_once_and_told(site: Site) -> None:
    code, said = await site.login(password=WRONG)
    assert (code, "bad_credentials" in said) == (EX_NOPERM, True), said
    assert said.count("\n") == 1 and f"Nothing was changed for acme/{site.user}" in said
    assert site.fake.token_calls == {"password": 1}
    assert await site.pool.fetchval("select count(*) from vault.credential") == 0
    [event] = await site.pool.fetch("select * from harvester.auth_events")
    assert (event["grant"], event["outcome"], event["reason"], event["status"]) == (
        "password",
        "definite",
        "bad_credentials",
        401,
    )


async def test_a_platform_in_trouble_is_told_and_nothing_changes(site: Site) -> None:
    assert (await site.login("--keep-password"))[0] == 0
    site.fake.faults.add(Fault("/oauth/token", refuse(503)))
    code, said = await site.login()
    assert (code, "Try again later" in said, said.count("\n")) == (EX_TEMPFAIL, True, 1), said
    text = site.config_file.read_text()
    site.config_file.write_text(text.replace(site.fake.url, "http://127.0.0.1:1"))
    code, said = await site.login()
    assert (code, "127.0.0.1" in said, said.count("\n")) == (EX_UNAVAILABLE, True, 1), said
    assert await site.pool.fetchval(KEPT) == 1


async def test_a_database_that_went_away_meanwhile_is_told_and_nothing_is_claimed(
    site: Site,
) -> None:
    name = await site.pool.fetchval("select current_database()")

    async def away(_request: web.Request, honest: Answer) -> web.StreamResponse:
        await site.pool.execute(f'alter database "{name}" set default_transaction_read_only = on')
        await site.pool.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = 'harvester' and datname = $1",
            name,
        )
        return await honest(_request)

    site.fake.faults.add(Fault("/oauth/token", away))
    code, said = await site.login()
    assert (code, said.count("\n")) == (EX_UNAVAILABLE, 1), said
    assert "Perhaps nothing was saved for acme/" in said


async def test_a_login_that_waits_for_another_instance_says_so(site: Site) -> None:
    assert (await site.login())[0] == 0
    await site.pool.execute(LEASED, "1 hour")
    process = await begun(*site.typed(site.password))
    assert process.stderr
    told = (await process.stderr.readline()).decode()
    assert "Another instance has the account in hand" in told
    await site.pool.execute(LEASED, "0 hours")
    code, said = site.ended(await outcome(process))
    assert (code, "Another instance" in said) == (0, False), said


async def test_a_key_file_is_made_private_and_never_written_over(site: Site) -> None:
    keys = site.folder / "keys"
    assert (await site.harvester("keys", "generate", keys))[0] == 0
    before = keys.read_text()
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    for path, words in ((keys, "is there already"), (site.folder / "no" / "keys", "The folder")):
        code, said = await site.harvester("keys", "generate", path)
        assert (code, words in said, said.count("\n")) == (EX_CANTCREAT, True, 1), said
    assert keys.read_text() == before
    assert not (site.folder / "no").exists()
