"""`harvester keys rotate` beside a daemon that harvests with a fake."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from asyncio.subprocess import PIPE
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from acceptance.commands import EX_CONFIG, EX_USAGE, Ended, configured, harvester
from acceptance.daemon import Daemon, forked
from fix_postgres import Connection, Database
from fix_simulator import configuration, stored_in
from sealed_rows import opened_rows, seal_rows

from harvester.simulator.clock import RealClock
from harvester.simulator.mydevices import FakeMydevices, serve
from harvester.simulator.tenants import User
from harvester.simulator.world import World
from harvester.vault import KeyFile, create

EX_TEMPFAIL = 75
HISTORY = timedelta(hours=2)
KILLED_AT = {
    "the draft is written": "pathlib.Path.replace = end",
    "the file is replaced": "durable.sync_folder = end",
    "the first row is sealed": "sealed.replace = once(sealed.replace)",
}
LAUNCHER = """
import os, pathlib, signal, sys
from harvester import durable
from harvester.cli import main
from harvester.store import sealed

def end(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def once(does):
    async def first(*words):
        await does(*words)
        end()
    return first

exec(sys.argv.pop(1))
main()
"""


@dataclass(slots=True)
class Site:
    """A platform, a database, and a configuration with a key file of its own."""

    fake: FakeMydevices
    config_file: Path
    connection: Connection
    file: KeyFile

    async def rotate(self, *options: str, **variables: str) -> Ended:
        return await harvester("keys", "rotate", *options, config=self.config_file, **variables)

    async def keys(self) -> list[str]:
        """The ids of the key file, the one that seals first."""
        return list(await asyncio.to_thread(self.file.load))

    async def sealed_under(self) -> set[str]:
        """The keys of all values, each of which is opened."""
        ring = await asyncio.to_thread(self.file.load)
        return {key_id for key_id, _ in (await opened_rows(self.connection, ring)).values()}

    async def harvested(self, since: datetime) -> None:
        """Wait until both tenants were pulled after that."""
        query = "select count(*) = 4 and bool_and(pulled_until > $1) from harvester.streams"
        while not await self.connection.fetchval(query, since):
            await asyncio.sleep(0.05)

    async def renewed(self) -> None:
        """End all access tokens, and wait until each tenant has another."""
        before = await self.generations()
        for name in self.fake.world.tenants:
            for user in self.users(name):
                self.fake.revoke(user.name)
        while any(now <= then for now, then in zip(await self.generations(), before, strict=True)):
            await asyncio.sleep(0.05)
        await self.harvested(datetime.now(UTC))

    async def generations(self) -> list[int]:
        """Of each tenant, added up over its accounts: which of them pulls is its own affair."""
        query = """
        select sum(generation)::int from vault.credential
        join harvester_data.account using (account_id) group by tenant_id order by tenant_id
        """
        return [row[0] for row in await self.connection.fetch(query)]

    def users(self, tenant: str) -> tuple[User, ...]:
        return self.fake.world.users(tenant)


@pytest.fixture
def its_keys(tmp_path: Path) -> KeyFile:
    assert create(tmp_path / "its keys")
    return KeyFile(tmp_path / "its keys")


@pytest.fixture
async def site(
    database: Database, connection: Connection, tmp_path: Path, its_keys: KeyFile
) -> AsyncIterator[Site]:
    world = World("rotating", RealClock(), datetime.now(UTC) - HISTORY, things=2)
    async with serve(world) as fake:
        head = 'key_file = "its keys"\n' + stored_in(database, tmp_path)
        path = await asyncio.to_thread(
            lambda: configuration(world, fake.url, tmp_path, interval="1s", head=head)
        )
        yield Site(fake, path, connection, its_keys)


@pytest.mark.timeout(40)
async def test_a_daemon_goes_on_while_its_keys_are_rotated_and_nobody_logs_in(site: Site) -> None:
    async with forked(site.config_file) as daemon:
        await daemon.ready()
        await site.harvested(datetime.now(UTC))
        logins = dict(site.fake.token_calls)
        [old] = await site.keys()
        ended = await site.rotate()
        new, *others = await site.keys()
        assert (ended.code, others) == (0, [old]), ended
        assert f"{new} is the first key" in ended.out
        assert await site.sealed_under() == {new}
        await site.renewed()
        assert await site.sealed_under() == {new}, "the daemon has read the file again by itself"
        assert site.fake.token_calls["password"] == logins["password"]
        assert await daemon.end() == 0
    assert not [line for line in daemon.said if '"level": "error"' in line or "failing" in line]
    async with forked(site.config_file) as daemon:
        await daemon.ready()
        await site.harvested(datetime.now(UTC))
    assert site.fake.token_calls["password"] == logins["password"]


@pytest.mark.timeout(40)
async def test_a_key_is_prepared_reloaded_and_then_rotated(site: Site) -> None:
    async with forked(site.config_file) as daemon:
        await daemon.ready()
        await site.harvested(datetime.now(UTC))
        assert [(await site.rotate("--prepare")).code for _ in range(2)] == [0, 0]
        old, new = await site.keys()
        assert await site.sealed_under() == {old}
        await reloaded(daemon)
        assert (await site.rotate()).code == 0
        assert await site.keys() == [new, old]
        assert await site.sealed_under() == {new}
        await site.renewed()
        assert old in await site.sealed_under(), "the daemon has not read the new order"
        await reloaded(daemon)
        ended = await site.rotate()
        assert (ended.code, "it goes on, without a new key" in ended.out) == (0, True), ended
        await site.renewed()
        assert (await site.sealed_under(), await site.keys()) == ({new}, [new, old])
        assert site.fake.token_calls["password"] == len(site.users("acme") + site.users("globex"))


@pytest.mark.timeout(40)
async def test_under_the_wrong_keys_all_stays_as_it_is_and_the_right_ones_mend_it(
    site: Site, tmp_path: Path
) -> None:
    async with forked(site.config_file) as daemon:
        await daemon.ready()
        await site.harvested(datetime.now(UTC))
    calls, before = dict(site.fake.token_calls), await rows(site.connection)
    right = site.file.path.rename(tmp_path / "right")
    await asyncio.to_thread(create, site.file.path)
    ended = await site.rotate()
    assert (ended.code, "opens nothing of what lies in the database" in ended.err) == (
        EX_CONFIG,
        True,
    ), ended
    async with forked(site.config_file) as daemon:
        await daemon.told("is not in the key file; put the line of that key back")
        right.replace(site.file.path)
        assert [dict(site.fake.token_calls), await rows(site.connection)] == [calls, before]
        await reloaded(daemon)
        await site.harvested(datetime.now(UTC))
    assert dict(site.fake.token_calls) == calls


@dataclass(slots=True)
class Kept:
    """A configuration, and values of two accounts that its own key file sealed."""

    config_file: Path
    file: KeyFile
    connection: Connection

    async def rotate(self, *options: str, **variables: str) -> Ended:
        return await harvester("keys", "rotate", *options, config=self.config_file, **variables)

    async def sealed_under(self) -> Counter[str]:
        ring = await asyncio.to_thread(self.file.load)
        return Counter(key for key, _ in (await opened_rows(self.connection, ring)).values())

    def begin_with(self, line: str) -> None:
        self.config_file.write_text(f"{line}\n{self.config_file.read_text()}")


@pytest.fixture
async def kept(
    database: Database, connection: Connection, tmp_path: Path, its_keys: KeyFile
) -> Kept:
    config_file = await asyncio.to_thread(configured, tmp_path, database, "acme")
    (tmp_path / "state").mkdir()
    file = KeyFile(its_keys.path.rename(tmp_path / "state/keys"))
    await seal_rows(connection, await asyncio.to_thread(file.load), ["ana", "ben"])
    return Kept(config_file, file, connection)


@pytest.mark.parametrize("point", KILLED_AT)
async def test_one_that_was_killed_is_finished_by_the_next(kept: Kept, point: str) -> None:
    [old] = await kept.sealed_under()
    launched = ("-c", LAUNCHER, KILLED_AT[point], "keys", "rotate", "--config", kept.config_file)
    process = await asyncio.create_subprocess_exec(sys.executable, *launched, stdout=PIPE)
    await process.communicate()
    assert process.returncode == -signal.SIGKILL, "the point was not reached"
    assert (await kept.sealed_under()).total() == 8, "nothing is lost"
    ended = await kept.rotate()
    assert ended.code == 0, ended
    [new] = await kept.sealed_under()
    assert list(await asyncio.to_thread(kept.file.load)) == [new, old]
    assert [path.name for path in kept.file.path.parent.iterdir()] == ["keys"]


async def test_what_no_key_opens_is_named_and_left(kept: Kept) -> None:
    await kept.connection.execute("update vault.credential set password = judged")
    await kept.connection.execute("delete from vault.credential where account_id = 2")
    ended = await kept.rotate()
    assert ended.code == EX_CONFIG, ended
    assert "What no key opens was left as it is:\n  the password of acme/ana: altered" in ended.err
    assert re.search(r"Sealed anew: 3\. In the database now: 3 under \w+\.", ended.out), ended


async def test_where_daemons_have_copies_a_key_must_be_prepared_first(kept: Kept) -> None:
    kept.begin_with('key_file = { credential = "keys" }')
    folder = {"CREDENTIALS_DIRECTORY": str(kept.file.path.parent)}
    before = await kept.sealed_under()
    ended = await kept.rotate(**folder)
    assert (ended.code, "First: harvester keys rotate --prepare" in ended.err) == (EX_USAGE, True)
    assert list(await asyncio.to_thread(kept.file.load)) == list(before)
    assert (await kept.rotate("--prepare", **folder)).code == 0
    assert await kept.sealed_under() == before
    assert (await kept.rotate(**folder)).code == 0
    assert before.keys().isdisjoint(await kept.sealed_under())


async def test_keys_of_the_environment_are_not_rotated(kept: Kept) -> None:
    kept.begin_with('key_file = { env = "SITE_KEYS" }')
    ended = await kept.rotate(SITE_KEYS=kept.file.path.read_text())
    assert (ended.code, ended.err.count("\n")) == (EX_CONFIG, 1), ended
    assert "SITE_KEYS holds the keys" in ended.err and 'key_file = "…"' in ended.err


async def test_two_at_once_do_not_meet(kept: Kept) -> None:
    with ExitStack() as stack:
        await asyncio.to_thread(stack.enter_context, kept.file.locked())
        ended = await kept.rotate()
    assert (ended.code, "another harvester keys rotate" in ended.err) == (EX_TEMPFAIL, True), ended


async def reloaded(daemon: Daemon) -> None:
    before = len(daemon.said)
    daemon.process.send_signal(signal.SIGHUP)
    while not any('"event": "reloaded"' in line for line in daemon.said[before:]):
        assert daemon.process.returncode is None, daemon.said
        await asyncio.sleep(0.02)


async def rows(connection: Connection) -> list[object]:
    return await connection.fetch("select * from vault.credential order by account_id")
