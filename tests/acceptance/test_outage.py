"""The installed daemon while its database is away: it goes on, and does not talk all the time."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from acceptance.daemon import running
from embedded_state import kill_postmaster
from fix_postgres import Database
from fix_simulator import configuration, stored_in
from fix_store import Line, line_to

from harvester.simulator.mydevices import FakeMydevices

pytestmark = pytest.mark.timeout(90)


@pytest.fixture
async def line(database: Database) -> AsyncIterator[Line]:
    async with line_to(database) as line:
        yield line


async def test_an_outage_is_told_once_when_it_begins_and_once_when_it_ends(
    fake: FakeMydevices, database: Database, line: Line, tmp_path: Path
) -> None:
    head = stored_in(database, tmp_path).replace(database.dsn, line.dsn)
    path = await asyncio.to_thread(
        lambda: configuration(fake.world, fake.url, tmp_path, interval="1s", head=head)
    )
    async with running(path) as daemon:
        address = (await daemon.ready()).removesuffix("/metrics")
        await answers(f"{address}/readyz", 200)
        before = len(daemon.said)
        line.cut()
        await answers(f"{address}/readyz", 503)
        await answers(f"{address}/healthz", 200)
        await asyncio.sleep(2)  # some ticks of two tenants
        await line.mend()
        await daemon.told("well again")
        await answers(f"{address}/readyz", 200)
        assert await daemon.end() == 0
    told = [json.loads(each) for each in daemon.said[before:]]
    assert [(each["event"], each.get("what")) for each in told] == [
        ("failing", "database"),
        ("well again", "database"),
        ("draining", None),
        ("stopped", None),
    ]


async def answers(address: str, status: int) -> None:
    """Wait until it does."""
    async with aiohttp.ClientSession() as http:
        while True:
            async with http.get(address) as answer:
                if answer.status == status:
                    return
            await asyncio.sleep(0.05)


async def test_an_embedded_server_that_cannot_be_had_again_ends_the_daemon(
    fake: FakeMydevices, empty_state: Path
) -> None:
    path = await asyncio.to_thread(lambda: configuration(fake.world, fake.url, empty_state.parent))
    async with running(path) as daemon:
        await daemon.ready()
        port = int((empty_state / "postgres/port").read_text())
        with socket.socket() as squatter:
            await asyncio.to_thread(kill_postmaster, empty_state)
            await taken(squatter, port)
            assert await daemon.process.wait() == 69
            await daemon.end()
    [sentence] = [each for each in daemon.said if each.startswith("harvester: ")]
    assert f"another program took its port {port} meanwhile" in sentence
    assert "Traceback" not in "".join(daemon.said)


async def taken(squatter: socket.socket, port: int) -> None:
    squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    while True:
        try:
            squatter.bind(("127.0.0.1", port))
        except OSError:
            await asyncio.sleep(0.001)
        else:
            squatter.listen()
            return
