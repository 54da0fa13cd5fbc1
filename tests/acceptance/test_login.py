"""Accounts logged in and out by hand with the installed command, beside the installed daemon."""

from __future__ import annotations

import asyncio
import os
import pty
import select
import signal
import stat
import termios
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest
from acceptance.daemon import HARVESTER, Daemon, running
from aiohttp import web
from fix_postgres import Database
from fix_simulator import stored_in
from prometheus_client.parser import text_string_to_metric_families

from harvester.auth import REASONS
from harvester.platforms.mydevices import Adapter
from harvester.simulator.clock import RealClock
from harvester.simulator.faults import Answer, Fault, refuse
from harvester.simulator.mydevices import FakeMydevices, serve
from harvester.simulator.world import World

EX_USAGE, EX_NOINPUT, EX_UNAVAILABLE, EX_CANTCREAT, EX_TEMPFAIL, EX_NOPERM = 64, 66, 69, 73, 75, 77
ACCOUNTS, FAILURES = "harvester_accounts", "harvester_token_failures_total"
COUNTS = {
    "tenant": "select count(*) from harvester_data.tenant",
    "account": "select count(*) from harvester_data.account",
}
WRONG = "wr&ng pässword"
CONFIG = """
state_directory = "state"
{head}
[web]
port = 0
[[tenant]]
name = "acme"
platform = "mydevices"
interval = "5s"
history = "24h"
[tenant.options]
base_url = "{url}"
client_id = "{client}"
client_secret = {{ file = "client_secret" }}
[[tenant.account]]
user = "{user}"
"""


@dataclass(slots=True)
class Site:
    """One account without a password in the configuration, and who knows it."""

    fake: FakeMydevices
    folder: Path
    pool: asyncpg.Pool[asyncpg.Record]
    user: str
    password: str

    @property
    def config_file(self) -> Path:
        return self.folder / "config.toml"

    async def harvester(self, *arguments: str | Path) -> tuple[int, str]:
        """A command without a terminal, to its end: its exit code and all that it said."""
        process = await asyncio.create_subprocess_exec(
            HARVESTER, *arguments, stdin=DEVNULL, stdout=PIPE, stderr=PIPE
        )
        return await self.ended(process)

    async def ended(self, process: Process) -> tuple[int, str]:
        said = b"".join(await process.communicate()).decode()
        assert process.returncode is not None
        self.check(said)
        return process.returncode, said

    def check(self, said: str) -> None:
        """It is told in words, without a secret."""
        secrets = (self.password, WRONG, self.fake.world.tenants["acme"].user_client.secret)
        assert not [secret for secret in secrets if secret in said]
        assert "Traceback" not in said

    async def login(self, *options: str, password: str | None = None) -> tuple[int, str]:
        file = self.folder / "typed"
        file.write_text(f"{password or self.password}\n", "utf-8")
        return await self.harvester(*self.of("login"), "--password-file", file, *options)

    def of(self, command: str) -> list[str]:
        return [command, "acme", self.user, "--config", str(self.config_file)]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Daemon]:
        async with running(self.config_file) as daemon:
            yield daemon
        self.check("".join(daemon.said))

    async def harvested(self) -> None:
        """Wait for readings."""
        while not await self.pool.fetchval("select count(*) from harvester.readings"):
            await asyncio.sleep(0.05)


@pytest.fixture
async def site(database: Database, tmp_path: Path) -> AsyncIterator[Site]:
    world = World("login", RealClock(), datetime.now(UTC) - timedelta(hours=2), things=3)
    tenant = world.tenants["acme"]
    ana = tenant.users[0]
    async with (
        serve(world) as fake,
        asyncpg.create_pool(database.dsn, password=database.password, ssl=database.ssl) as pool,
    ):
        text = CONFIG.format(
            head=stored_in(database, tmp_path),
            url=fake.url,
            client=tenant.user_client.id,
            user=ana.name,
        )
        (tmp_path / "config.toml").write_text(text)
        (tmp_path / "client_secret").write_text(tenant.user_client.secret)
        yield Site(fake, tmp_path, pool, ana.name, ana.password)


@asynccontextmanager
async def asked(site: Site) -> AsyncIterator[tuple[Process, int]]:
    """A login at its prompt on a terminal, which no longer shows what is typed; its other end."""
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        HARVESTER,
        *site.of("login"),
        stdin=theirs,
        stdout=PIPE,
        stderr=PIPE,
        start_new_session=True,  # else it asks on the terminal of who runs the tests
    )
    try:
        while termios.tcgetattr(theirs)[3] & termios.ECHO:
            assert process.returncode is None
            await asyncio.sleep(0.01)
        yield process, ours
    finally:
        os.close(theirs)
        os.close(ours)
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.timeout(60)
async def test_who_types_the_password_is_logged_in_and_a_daemon_needs_none(site: Site) -> None:
    async with asked(site) as (process, terminal):
        os.write(terminal, f"{site.password}\n".encode())
        code, said = await site.ended(process)
        assert select.select([terminal], [], [], 0)[0] == []  # nothing was shown
    assert (code, f"acme/{site.user} is logged in" in said) == (0, True), said
    assert f"Password of {site.user} at mydevices" in said and "is not kept" in said
    assert await site.pool.fetchval("select count(*) from vault.password") == 0
    async with site.running() as daemon:
        await daemon.ready()
        await site.harvested()
        assert await daemon.end() == 0
    assert site.fake.token_calls == {"password": 1}


@pytest.mark.timeout(90)
async def test_a_running_daemon_whose_account_is_quarantined_takes_up_a_login(site: Site) -> None:
    async with site.running() as daemon:
        address = await daemon.ready()
        await daemon.told("no_password")
        assert await scraped(address, ACCOUNTS, state="quarantined") == 1
        assert await scraped(address, FAILURES, grant="password", reason="no_password") == 1
        for reason in (*REASONS, *Adapter.token_reasons):
            assert await scraped(address, FAILURES, grant="refresh_token", reason=reason) == 0
        assert (await site.login())[0] == 0
        await site.harvested()
        assert await scraped(address, ACCOUNTS, state="active") == 1
        assert await daemon.end() == 0
    assert "well again" in "".join(daemon.said)
    assert site.fake.token_calls == {"password": 1}


async def test_a_wrong_password_is_sent_once_and_told(site: Site) -> None:
    code, said = await site.login(password=WRONG)
    assert (code, "bad_credentials" in said) == (EX_NOPERM, True), said
    assert said.count("\n") == 1 and f"Nothing was changed for acme/{site.user}" in said
    assert site.fake.token_calls == {"password": 1}
    assert await site.pool.fetchval("select count(*) from vault.token") == 0


@pytest.mark.timeout(60)
async def test_a_kept_password_serves_when_the_session_is_gone(site: Site) -> None:
    keys = site.folder / "its keys"
    code, said = await site.harvester("keys", "generate", keys)
    assert (code, "Keep a copy" in said) == (0, True), said
    line = next(line for line in said.splitlines() if "key_file = " in line).strip()
    site.config_file.write_text(f"{line}\n{site.config_file.read_text()}")
    code, said = await site.login("--keep-password")
    assert (code, said) == (0, said.splitlines()[0] + "\nIts password is kept, sealed.\n")
    [key_id] = await site.pool.fetchrow("select key_id from vault.password") or [None]
    assert key_id and key_id in keys.read_text()
    site.fake.log_out(site.user)
    await site.pool.execute("update vault.token set expires_at = now()")
    async with site.running():
        await site.harvested()
    assert site.fake.token_calls == {"password": 2, "refresh_token": 1}


@pytest.mark.timeout(60)
async def test_after_a_logout_a_daemon_needs_the_password_again(site: Site) -> None:
    assert (await site.login("--keep-password"))[0] == 0
    code, said = await site.harvester(*site.of("logout"))
    assert (code, f"acme/{site.user} is logged out here" in said) == (0, True), said
    async with site.running() as daemon:
        await daemon.told("no_password")
    assert site.fake.token_calls == {"password": 1}
    code, said = await site.harvester(*site.of("logout"))
    assert (code, "neither token nor password was kept" in said) == (0, True), said


async def test_a_configured_password_is_said_to_go_before_what_is_done_by_hand(site: Site) -> None:
    (site.folder / "ana").write_text(site.password)
    with site.config_file.open("a") as file:
        file.write('password = { file = "ana" }\n')
    for option in ("--keep-password", ""):
        code, said = await site.login(*filter(None, [option]))
        assert code == 0, said
        assert ("not the kept one" in said) is bool(option) and "is not kept" not in said
    code, said = await site.harvester(*site.of("logout"))
    assert (code, "take it out" in said) == (0, True), said


async def test_ctrl_c_at_the_prompt_ends_it(site: Site) -> None:
    async with asked(site) as (process, _):
        process.send_signal(signal.SIGINT)
        code, said = await site.ended(process)
    assert (code, site.fake.token_calls.total()) == (130, 0), said


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


async def test_a_password_comes_through_a_pipe(site: Site) -> None:
    process = await asyncio.create_subprocess_exec(
        HARVESTER, *site.of("login"), "--password-file", "/dev/stdin", stdin=PIPE, stdout=PIPE
    )
    said, _ = await process.communicate(f"{site.password}\n".encode())
    assert (process.returncode, b"is logged in" in said) == (0, True), said


async def test_a_logout_of_who_was_never_here_leaves_no_rows(site: Site) -> None:
    code, said = await site.harvester(*site.of("logout"))
    assert (code, "neither token nor password was kept" in said) == (0, True), said
    for table in ("tenant", "account"):
        assert await site.pool.fetchval(COUNTS[table]) == 0


async def test_a_login_that_waits_for_another_instance_says_so(site: Site) -> None:
    assert (await site.login())[0] == 0
    await site.pool.execute(
        "update harvester_data.account_lease set until = now() + interval '2 s'"
    )
    code, said = await site.login()
    assert (code, said.count("Another instance has the account in hand")) == (0, 1), said


async def test_a_platform_in_trouble_is_told_and_nothing_changes(site: Site) -> None:
    assert (await site.login("--keep-password"))[0] == 0
    site.fake.faults.add(Fault("/oauth/token", refuse(503)))
    code, said = await site.login()
    assert (code, "Try again later" in said, said.count("\n")) == (EX_TEMPFAIL, True, 1), said
    text = site.config_file.read_text()
    site.config_file.write_text(text.replace(site.fake.url, "http://127.0.0.1:1"))
    code, said = await site.login()
    assert (code, "127.0.0.1" in said, said.count("\n")) == (EX_UNAVAILABLE, True, 1), said
    assert await site.pool.fetchval("select count(*) from vault.password") == 1


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


async def test_an_account_must_be_configured_first(site: Site) -> None:
    text = site.config_file.read_text()
    site.config_file.write_text(text[: text.index("[[tenant.account]]")])
    code, said = await site.login()
    assert (code, "add a [[tenant.account]]" in said) == (EX_USAGE, True), said


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


async def scraped(address: str, metric: str, **labels: str) -> float:
    """The value of the one series that has these labels."""
    async with aiohttp.ClientSession() as http, http.get(address) as answer:
        families = text_string_to_metric_families(await answer.text())
    samples = (sample for family in families for sample in family.samples if sample.name == metric)
    [value] = [each.value for each in samples if labels.items() <= each.labels.items()]
    return value
