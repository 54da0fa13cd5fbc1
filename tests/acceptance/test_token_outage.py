"""The database is stopped between a token's answer and its commit, and nothing is burnt."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from acceptance.daemon import Daemon, forked
from acceptance.renewing import Outcome, Setting, Site, site_of
from aiohttp import web
from fix_postgres import Database

from harvester import embedded
from harvester.simulator.faults import Answer, Fault
from harvester.simulator.mydevices_quirks import Switches

pytestmark = pytest.mark.timeout(120)
SETTING = Setting(
    "rotating, no password",
    "mydevices",
    "refresh_token",
    lost=Outcome("needs_login", "revoked", {"refresh_token": 2}, 1),
    secret=None,
    switches=Switches(rotate=True),
)
RENEWED = Outcome("active", None, {"refresh_token": 1})
RENEWED_AGAIN = Outcome("active", None, {"refresh_token": 2})


class Server:
    """A Postgres that is this test's alone, at one port whenever it runs."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._running = embedded.start(state)

    @property
    def database(self) -> Database:
        server = self._running.server
        return Database(server.dsn, server.password, ssl=False)

    async def stop(self) -> None:
        await asyncio.to_thread(self._running.leave)

    async def start(self) -> None:
        before = self.database
        self._running = await asyncio.to_thread(embedded.start, self._state)
        assert self.database == before


class Late:
    """The honest answer, given at once and held back until it is let go."""

    def __init__(self) -> None:
        self.is_given = asyncio.Event()
        self.let_go = asyncio.Event()

    async def __call__(self, request: web.Request, honest: Answer) -> web.StreamResponse:
        answer = await honest(request)
        self.is_given.set()
        await self.let_go.wait()
        return answer


@pytest.fixture
async def server(state: Path) -> AsyncIterator[Server]:
    server = await asyncio.to_thread(Server, state)
    yield server
    await server.stop()


@pytest.fixture
async def site(server: Server, tmp_path: Path) -> AsyncIterator[Site]:
    async with site_of(SETTING, server.database, tmp_path) as site:
        await site.begin()
        yield site


@asynccontextmanager
async def answered_in_an_outage(
    site: Site, server: Server, *, drains: bool = False
) -> AsyncIterator[Daemon]:
    """A daemon whose new token is in a file, for the database is away."""
    late = Late()
    site.fake.faults.add(Fault("POST ", late))
    async with forked(site.config_file) as daemon:
        await late.is_given.wait()
        await server.stop()
        if drains:
            daemon.process.send_signal(signal.SIGTERM)
            await daemon.told("draining")
        late.let_go.set()
        await daemon.told("token kept in a file")
        yield daemon


async def check_chain(site: Site) -> None:
    """The token that was kept is the newest of its line: the next renewal is made with it."""
    assert (await site.outcome(), site.spilled()) == (RENEWED, [])
    await site.age()
    assert await site.restarted() == "active"
    assert (await site.outcome(), site.spilled()) == (RENEWED_AGAIN, [])


async def check_left_in_the_file(site: Site, server: Server) -> None:
    """One call was made, and the next daemon makes no other for it."""
    assert (site.calls, len(site.spilled())) == ({"refresh_token": 1}, 1)
    await server.start()
    assert await site.restarted() == "active"
    await check_chain(site)


async def test_a_daemon_that_goes_on_reads_with_the_token_that_waits(
    site: Site, server: Server
) -> None:
    async with answered_in_an_outage(site, server) as daemon:
        await server.start()
        await site.read()
        assert await daemon.end() == 0
    assert await site.restarted() == "active"
    await check_chain(site)


async def test_a_daemon_that_drains_waits_for_the_answer_and_keeps_it(
    site: Site, server: Server
) -> None:
    async with answered_in_an_outage(site, server, drains=True) as daemon:
        assert await daemon.process.wait() == 0
    await check_left_in_the_file(site, server)


async def test_a_daemon_that_is_killed_then_has_kept_the_answer(site: Site, server: Server) -> None:
    async with answered_in_an_outage(site, server) as daemon:
        await daemon.end(signal.SIGKILL)
    await check_left_in_the_file(site, server)
