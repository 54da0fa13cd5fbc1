"""Accounts logged in and out by hand with the command, beside the daemon."""

from __future__ import annotations

import asyncio
import os
import pty
import select
import signal
import termios
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from acceptance.by_hand import KEPT, Site, site_at
from acceptance.commands import (
    HARVESTER,
    outcome,
)
from acceptance.daemon import hurried, metric
from fix_postgres import Database

from harvester.auth import REASONS
from harvester.platforms.mydevices import Adapter

ACCOUNTS, FAILURES = "harvester_accounts", "harvester_token_failures_total"
COUNTS = {
    "tenant": "select count(*) from harvester_data.tenant",
    "account": "select count(*) from harvester_data.account",
}


@pytest.fixture
async def site(database: Database, tmp_path: Path) -> AsyncIterator[Site]:
    async with site_at(database, tmp_path) as site:
        yield site


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


async def test_who_types_the_password_is_logged_in_and_a_daemon_needs_none(site: Site) -> None:
    async with asked(site) as (process, terminal):
        os.write(terminal, f"{site.password}\n".encode())
        code, said = site.ended(await outcome(process))
        assert select.select([terminal], [], [], 0)[0] == []  # nothing was shown
    assert (code, f"acme/{site.user} is logged in" in said) == (0, True), said
    assert f"Password of {site.user} at mydevices" in said and "is not kept" in said
    assert await site.pool.fetchval(KEPT) == 0
    async with site.running() as daemon:
        await daemon.ready()
        await site.harvested()
        assert await daemon.end() == 0
    assert site.fake.token_calls == {"password": 1}


@pytest.mark.timeout(90)
async def test_a_running_daemon_whose_account_needs_a_login_takes_it_up(site: Site) -> None:
    async with site.running(hurried(LOOK_EVERY=1)) as daemon:
        address = await daemon.ready()
        await daemon.told("no_password")
        await became(address, "needs_login")
        assert await metric(address, FAILURES, grant="password", reason="no_password") == 1
        for reason in (*REASONS, *Adapter.token_reasons):
            assert await metric(address, FAILURES, grant="refresh_token", reason=reason) == 0
        assert (await site.login())[0] == 0
        await site.harvested()
        await became(address, "active")
        assert await daemon.end() == 0
    assert "well again" in "".join(daemon.said)
    assert site.fake.token_calls == {"password": 1}


async def test_a_kept_password_serves_when_the_session_is_gone(site: Site) -> None:
    keys = site.folder / "its keys"
    code, said = await site.harvester("keys", "generate", keys)
    assert (code, "Keep a copy" in said) == (0, True), said
    line = next(line for line in said.splitlines() if "key_file = " in line).strip()
    site.config_file.write_text(f"{line}\n{site.config_file.read_text()}")
    code, said = await site.login("--keep-password")
    assert (code, said) == (0, said.splitlines()[0] + "\nIts password is kept, sealed.\n")
    key_id = await site.pool.fetchval("select password_key_id from vault.credential")
    assert key_id and key_id in keys.read_text()
    site.fake.log_out(site.user)
    await site.pool.execute("update vault.credential set expires_at = now()")
    async with site.running():
        await site.harvested()
    assert site.fake.token_calls == {"password": 2, "refresh_token": 1}


async def test_after_a_logout_a_daemon_needs_the_password_again(site: Site) -> None:
    assert (await site.login("--keep-password"))[0] == 0
    code, said = await site.harvester(*site.of("logout"))
    assert (code, f"acme/{site.user} is logged out here" in said) == (0, True), said
    async with site.running() as daemon:
        await daemon.told("logged_out")
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
        code, said = site.ended(await outcome(process))
    assert (code, site.fake.token_calls.total()) == (130, 0), said


async def test_a_password_comes_through_a_pipe(site: Site) -> None:
    words = *site.of("login"), "--password-file", "/dev/stdin"
    code, said = await site.harvester(*words, piped=f"{site.password}\n")
    assert (code, "is logged in" in said) == (0, True), said


async def test_a_logout_of_who_was_never_here_leaves_no_rows(site: Site) -> None:
    code, said = await site.harvester(*site.of("logout"))
    assert (code, "neither token nor password was kept" in said) == (0, True), said
    for table in ("tenant", "account"):
        assert await site.pool.fetchval(COUNTS[table]) == 0


async def became(address: str, state: str) -> None:
    """Wait until the account is counted in this state, and in no other."""
    while await metric(address, ACCOUNTS, state=state) != 1:
        await asyncio.sleep(0.05)
