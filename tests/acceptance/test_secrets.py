"""Planted secrets through a daemon's life, with all that goes wrong: no door of it tells one."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, quote_plus

import aiohttp
import pytest
from acceptance.commands import harvester
from acceptance.daemon import Daemon, running
from aiohttp import web
from fix_postgres import Database, Postgres
from fix_simulator import stored_in
from fix_store import Line, line_to

from harvester.simulator.clock import RealClock
from harvester.simulator.configured import Served, configure
from harvester.simulator.faults import Answer, Fault
from harvester.simulator.mydevices import FakeMydevices, serve
from harvester.simulator.mydevices_quirks import Switches
from harvester.simulator.world import World

WRONG = "wr&ng pässword"
PIECE = 24  # characters of a token, by which it is known
DOORS = ("/metrics", "/", "/healthz", "/readyz")
# As the installed command, but all that anybody logs is told.
DEBUGGING = """
import logging, sys
from harvester import cli, logs

def set_up(*arguments, **named):
    plain(*arguments, **named)
    for name in ("", "harvester", "asyncpg.pool"):
        logging.getLogger(name).setLevel(logging.DEBUG)

plain, logs.set_up = logs.set_up, set_up
sys.argv = sys.argv[1:]
cli.main()
"""
BINARIES = "select setting from pg_config where name = 'BINDIR'"
LITERAL = f'[[tenant.account]]\nuser = "dmitri@acme.example"\npassword = "{WRONG}"\n'


@dataclass(slots=True)
class Site:
    """A customer with three users: a password configured, a wrong one, and one kept by hand."""

    fake: FakeMydevices
    folder: Path
    line: Line
    secrets: set[str]
    shown: list[str] = field(default_factory=list)
    """All that anybody saw."""

    @property
    def config_file(self) -> Path:
        return self.folder / "config.toml"

    @property
    def users(self) -> list[str]:
        return [user.name for user in self.fake.world.users("acme")]

    async def command(self, *words: str | Path) -> int:
        ended = await harvester(*words, config=self.config_file)
        self.shown += [ended.out, ended.err]
        return ended.code

    async def commands(self, *commands: Sequence[str | Path]) -> list[int]:
        """Side by side."""
        return await asyncio.gather(*(self.command(*words) for words in commands))

    async def look(self, daemon: Daemon) -> None:
        """At each of its doors, and at what the machine tells of its process."""
        address = (await daemon.ready()).removesuffix("/metrics")
        async with aiohttp.ClientSession() as http:
            for door in DOORS:
                async with http.get(address + door) as answer:
                    self.shown.append(await answer.text())
        self.shown += texts(Path("/proc", str(daemon.process.pid)), "cmdline", "environ")

    async def renewed(self, *, after: int = 0) -> None:
        """End the first user's token, and wait for the renewal that comes after so many others."""
        enough = self.fake.token_calls["refresh_token"] + after + 1
        self.fake.revoke(self.users[0])
        await until(lambda: self.fake.token_calls["refresh_token"] >= enough)

    async def heard(self, request: web.Request, honest: Answer) -> web.StreamResponse:
        """Take note of each token that the platform gives."""
        answer = await honest(request)
        assert isinstance(answer, web.Response) and answer.text
        told = json.loads(answer.text)
        for token in (told["access_token"], told["refresh_token"]):
            _, _, body = token.partition(".")  # what stands before is the same for all
            self.secrets |= {body[at : at + PIECE] for at in range(0, len(body) - PIECE, PIECE)}
        return answer

    async def cut(self, request: web.Request, honest: Answer) -> web.StreamResponse:
        """The database is gone when the answer comes."""
        answer = await honest(request)
        self.line.cut()
        return answer

    def told_in(self, seen: Iterable[str]) -> set[str]:
        """Which secrets stand there, in any of their spellings."""
        text = "\n".join(seen)
        return {each for each in self.secrets if any(way in text for way in spellings(each))}


def spellings(secret: str) -> set[str]:
    raw = secret.encode()
    coded = {raw.hex(), base64.b64encode(raw).decode().rstrip("="), json.dumps(secret)[1:-1]}
    return {secret, quote(secret), quote_plus(secret), repr(secret)[1:-1], *coded}


async def garbled(request: web.Request, _honest: Answer) -> web.StreamResponse:
    """A debug page: it says again what it was sent."""
    said = f"{request.headers.get('Authorization')} {await request.text()}"
    return web.Response(text=said, content_type="text/html", status=200)


def texts(folder: Path, *names: str) -> list[str]:
    return [(folder / name).read_bytes().decode(errors="replace") for name in names]


async def until(holds: Callable[[], bool]) -> None:
    while not holds():
        await asyncio.sleep(0.02)


@pytest.fixture
async def site(database: Database, tmp_path: Path) -> AsyncIterator[Site]:
    since = datetime.now(UTC) - timedelta(hours=1)
    world = World("secrets", RealClock(), since, tenants=["acme"], things=2)
    async with serve(world, switches=Switches(rotate=True)) as fake, line_to(database) as line:
        tenant = world.tenants["acme"]
        secrets = {user.password for user in tenant.users} | {WRONG, database.password or WRONG}
        secrets |= {tenant.user_client.secret, tenant.admin_client.secret}
        site = Site(fake, tmp_path, line, secrets)
        await asyncio.to_thread(written, site, stored_in(database, tmp_path))
        fake.faults.add(Fault("POST ", site.heard, times=None))
        yield site


def written(site: Site, head: str) -> None:
    """The second user's password is wrong, and the third has none."""
    head = head.replace(head.split('"')[1], site.line.dsn)
    served = [Served("mydevices", site.fake.world, site.fake.url)]
    configure(served, site.folder, interval="1s", head=head)
    _, wrong, kept = site.users
    (site.folder / "typed").write_text((site.folder / kept).read_text())
    (site.folder / "wrong").write_text(WRONG)
    (site.folder / wrong).write_text(WRONG)
    text = site.config_file.read_text().replace(f'password = {{ file = "{kept}" }}\n', "")
    site.config_file.write_text(text)


@pytest.mark.timeout(120)
async def test_no_secret_is_told_whatever_goes_wrong(
    site: Site, postgres: Postgres, database: Database
) -> None:
    await by_hand(site)
    key = (site.folder / "state/keys").read_text().split()[-1]
    site.secrets |= {key, base64.b64decode(key).hex()}
    async with running(site.config_file, [sys.executable, "-X", "dev", "-c", DEBUGGING]) as daemon:
        await harvested(site, daemon)
        await in_an_outage(site, daemon)
        await mistaken(site, daemon)
        await site.look(daemon)
        assert await daemon.end() == 0
    assert '"level": "debug"' in "".join(daemon.said)
    stored = await dumped(database, await postgres.maker.fetchval(BINARIES))
    assert await site.command("logout", "acme", site.users[0]) == 0
    assert len(site.secrets) > 40 and "COPY vault.credential" in stored
    assert site.told_in([*site.shown, *daemon.said]) == set()
    assert site.told_in([stored]) == set()


async def dumped(database: Database, binaries: str) -> str:
    """All that the database holds, by the server's own pg_dump."""
    dump = await asyncio.create_subprocess_exec(
        Path(binaries, "pg_dump"),
        database.dsn,
        env=os.environ | {"PGPASSWORD": database.password or ""},
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await dump.communicate()
    assert dump.returncode == 0
    return told.decode(errors="replace")


async def by_hand(site: Site) -> None:
    """Logins with mistakes, and one that is right, whose password is kept."""
    user = site.users[2]
    assert await site.command("login", "acme", user, "--password-file", site.folder / "wrong") == 77
    asked = ["login", "acme"]
    mistakes = [[*asked, user], [*asked, user[1:]], [*asked, user, "--password-file", "gone"]]
    assert await site.commands(*mistakes) == [64, 64, 66]
    typed = ("--password-file", site.folder / "typed", "--keep-password")
    assert await site.command("login", "acme", user, *typed) == 0


async def harvested(site: Site, daemon: Daemon) -> None:
    """A login, a refused one, a renewal, and answers that say again what was sent."""
    await daemon.told("bad_credentials")
    await until(lambda: site.fake.requests["GET /v1.0/things/{thing}/readings"] > 0)
    await site.look(daemon)
    site.fake.faults.add(Fault("GET /v1.0/things", garbled))
    site.fake.faults.add(Fault("POST ", garbled))
    await site.renewed(after=1)
    await daemon.told("malformed")


async def in_an_outage(site: Site, daemon: Daemon) -> None:
    """The database is away when a token comes; what is in the file is sealed."""
    site.fake.faults.add(Fault("POST ", site.cut))
    await site.renewed()
    await daemon.told("token kept in a file")
    [file] = (site.folder / "state/spill").glob("*")
    [content] = texts(file.parent, file.name)
    sealed = base64.b64decode(json.loads(content)["data"])
    site.shown += [content, sealed.decode(errors="replace")]
    await daemon.told('"what": "database"')
    await site.look(daemon)
    await site.line.mend()
    await daemon.told('"what": "database", "event": "well again"')


async def mistaken(site: Site, daemon: Daemon) -> None:
    """A password where a reference belongs: refused by the daemon and by each command."""
    right = site.config_file.read_text()
    await site.commands(["check"], ["status", "--json"])
    site.config_file.write_text(f"{right}{LITERAL}")
    daemon.process.send_signal(signal.SIGHUP)
    await daemon.told("by reference")
    codes = await site.commands(["check"], ["status"], ["login", "acme", site.users[0]])
    assert codes == [78, 78, 78]
    site.config_file.write_text(right)
