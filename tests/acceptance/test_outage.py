"""The installed daemon while its database is away: it goes on, and does not talk all the time."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest
from acceptance.daemon import hurried, running, scraped, values
from embedded_state import kill_postmaster
from fix_postgres import Database
from fix_simulator import configured_for
from fix_store import line_to

from harvester.simulator.mydevices import FakeMydevices

pytestmark = pytest.mark.timeout(90)


async def test_an_outage_is_told_once_when_it_begins_and_once_when_it_ends(
    fake: FakeMydevices, database: Database, tmp_path: Path
) -> None:
    async with line_to(database) as line:
        through = Database(line.dsn, database.password, database.ssl)
        path = await configured_for(fake, tmp_path, through, interval="1s")
        async with running(path, hurried(MEASURE_EVERY=0.5)) as daemon:
            address = await daemon.ready()
            await answers(address, "/readyz", 200)
            before = len(daemon.said)
            line.cut()
            await answers(address, "/readyz", 503)
            await answers(address, "/healthz", 200)
            while min(await failed_runs(address)) < 2:
                await asyncio.sleep(0.05)
            await line.mend()
            await daemon.told("well again")
            await answers(address, "/readyz", 200)
            told = [json.loads(each) for each in daemon.said[before:]]
            assert await daemon.end() == 0
    assert [(each["event"], each["what"]) for each in told] == [
        ("failing", "database"),
        ("well again", "database"),
    ]


async def failed_runs(address: str) -> list[float]:
    """Of each tenant."""
    failed = {"stream": "readings", "outcome": "failed"}
    return values(await scraped(address), "harvester_job_runs_total", **failed)


async def answers(address: str, path: str, status: int) -> None:
    """Wait until it does."""
    async with aiohttp.ClientSession() as http:
        while True:
            async with http.get(address.removesuffix("/metrics") + path) as answer:
                if answer.status == status:
                    return
            await asyncio.sleep(0.05)


async def test_an_embedded_server_that_cannot_be_had_again_ends_the_daemon(
    fake: FakeMydevices, empty_state: Path
) -> None:
    path = await configured_for(fake, empty_state.parent)
    async with running(path, hurried(SERVER_EVERY=1)) as daemon:
        await daemon.ready()
        port = int((empty_state / "postgres/port").read_text())
        await asyncio.to_thread(kill_postmaster, empty_state)
        async with await squatting(port):
            assert await daemon.process.wait() == 69
            await daemon.end()
    [sentence] = [each for each in daemon.said if each.startswith("harvester: ")]
    assert f"another program took its port {port} meanwhile" in sentence
    assert "Traceback" not in "".join(daemon.said)


async def squatting(port: int) -> asyncio.Server:
    """Another program on the port as soon as it is free, which hangs up on everybody."""

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    while True:
        try:
            return await asyncio.start_server(hang_up, "127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.001)
