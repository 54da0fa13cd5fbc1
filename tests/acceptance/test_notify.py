"""What systemd hears of the daemon, from a real socket of its kind."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import aiohttp
import pytest
from acceptance.daemon import forked
from fix_postgres import Database
from fix_simulator import configured_for

from harvester.embedded.pidfile import read_postmaster
from harvester.simulator.mydevices import FakeMydevices


class Systemd:
    """All datagrams that came so far."""

    def __init__(self, listening: socket.socket) -> None:
        self.heard: list[str] = []
        self._listening = listening

    async def hears(self, words: str) -> str:
        """Wait for a datagram with these words that was not waited for yet."""
        loop = asyncio.get_running_loop()
        while True:
            said = (await loop.sock_recv(self._listening, 4096)).decode()
            self.heard.append(said)
            if words in said:
                return said

    def heard_all(self) -> list[str]:
        """All that was said up to now."""
        with suppress(BlockingIOError):
            while True:
                self.heard.append(self._listening.recv(4096).decode())
        return self.heard


@contextmanager
def listening_at(path: Path) -> Iterator[Systemd]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(path))
        listening.setblocking(False)
        yield Systemd(listening)


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "600000")
    with listening_at(tmp_path / "notify") as systemd:
        yield systemd


@pytest.fixture
async def config_file(fake: FakeMydevices, database: Database, tmp_path: Path) -> Path:
    return await configured_for(fake, tmp_path, database)


def replace_in(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


async def test_it_is_ready_when_it_harvests_and_says_when_it_reloads_and_stops(
    systemd: Systemd, config_file: Path
) -> None:
    async with forked(config_file) as daemon:
        await systemd.hears("READY=1")
        await daemon.ready()
        await systemd.hears("WATCHDOG=1")
        await systemd.hears("WATCHDOG=1")
        daemon.process.send_signal(signal.SIGHUP)
        reloading = await systemd.hears("RELOADING=1")
        assert "MONOTONIC_USEC=" in reloading
        await systemd.hears("READY=1")
        daemon.process.send_signal(signal.SIGTERM)
        await systemd.hears("STOPPING=1")
        assert await daemon.process.wait() == 0


async def test_a_wrong_file_ends_a_reload_too(systemd: Systemd, config_file: Path) -> None:
    async with forked(config_file) as daemon:
        await systemd.hears("READY=1")
        await asyncio.to_thread(config_file.unlink)
        daemon.process.send_signal(signal.SIGHUP)
        await systemd.hears("RELOADING=1")
        await systemd.hears("READY=1")
        assert await daemon.end() == 0


async def test_a_start_that_fails_was_never_ready(systemd: Systemd, config_file: Path) -> None:
    await asyncio.to_thread(replace_in, config_file, "@127.0.0.1:", "@127.0.0.2:")
    async with forked(config_file) as daemon:
        assert await daemon.process.wait() == 69
    assert not any("READY" in each for each in systemd.heard_all())


async def test_a_vanished_socket_stops_nobody_and_is_found_again(
    systemd: Systemd, config_file: Path
) -> None:
    (config_file.parent / "notify").unlink()
    async with forked(config_file) as daemon:
        address = (await daemon.ready()).removesuffix("/metrics")
        async with aiohttp.ClientSession() as http, http.get(f"{address}/readyz") as answer:
            assert (answer.status, await answer.text()) == (200, "ok\n")
        assert systemd.heard_all() == []
        with listening_at(config_file.parent / "notify") as again:
            await again.hears("WATCHDOG=1")
            assert await daemon.end() == 0


@pytest.fixture
async def held_up(database: Database) -> AsyncIterator[None]:
    """A database whose migrations wait for another's, until the test ends the wait."""
    async with database.connected() as other:
        await other.execute("select pg_advisory_lock($1)", 0x6861727665737465)
        yield


@pytest.mark.usefixtures("held_up")
async def test_a_start_that_takes_long_can_be_asked_and_asks_for_time(
    systemd: Systemd, config_file: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    await asyncio.to_thread(replace_in, config_file, "port = 0", f"port = {port}")
    async with forked(config_file), aiohttp.ClientSession() as http:
        await systemd.hears("EXTEND_TIMEOUT_USEC=")
        await systemd.hears("EXTEND_TIMEOUT_USEC=")
        async with http.get(f"http://127.0.0.1:{port}/healthz") as answer:
            assert answer.status == 200
        async with http.get(f"http://127.0.0.1:{port}/readyz") as answer:
            assert answer.status == 503
            assert (await answer.text()).splitlines() == [
                "the database is not opened and migrated yet",
                "no job is planned",
            ]
    assert not any("READY" in each for each in systemd.heard_all())


@pytest.mark.usefixtures("held_up")
async def test_a_start_that_takes_long_can_be_stopped(systemd: Systemd, config_file: Path) -> None:
    async with forked(config_file) as daemon:
        await systemd.hears("EXTEND_TIMEOUT_USEC=")
        await daemon.told("made a key file")
        async with asyncio.timeout(10):
            assert await daemon.end() == 0
    assert "Traceback" not in "".join(daemon.said)


async def test_a_stop_while_the_embedded_server_starts_leaves_none_behind(
    fake: FakeMydevices, empty_state: Path
) -> None:
    path = await configured_for(fake, empty_state.parent)
    async with forked(path) as daemon:
        while not (empty_state / "postgres/server.lock").exists():
            await asyncio.sleep(0.01)
        assert await daemon.end() == 0
    assert not any("database ready" in line for line in daemon.said)
    assert "Traceback" not in "".join(daemon.said)
    assert read_postmaster(empty_state / "postgres/data") is None
