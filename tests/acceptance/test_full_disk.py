"""A disk that is full under the embedded Postgres, and has room again later."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from acceptance.daemon import running
from fix_simulator import configuration, published

from harvester.demo.comparison import Comparison, held
from harvester.embedded.logins import APPLICATION, HOST, Server, application_password
from harvester.simulator.clock import RealClock
from harvester.simulator.mydevices import serve
from harvester.simulator.world import World

EX_UNAVAILABLE = 69
COVERED = """
select count(distinct tenant) = 2 and bool_and(pulled @> tstzrange($1, $2)) from harvester.coverage
where stream = 'readings'
"""
# A small disk of its own, which nobody else sees, as root of a namespace: no right is needed.
MOUNT = 'mount -t tmpfs -o size="$0" tmpfs "$1" && shift && exec "$@"'


def on_a_disk_of(size: str, folder: Path) -> list[str]:
    return ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", MOUNT, size, str(folder)]


def configured(world: World, url: str, folder: Path, disk: Path) -> Path:
    path = configuration(world, url, folder, history="9d")
    text = path.read_text().replace('"state"', f'"{disk / "state"}"', 1)
    path.write_text(text)
    disk.mkdir()
    return path


def fill(disk: Path) -> Path:
    """Whatever is left of the disk, taken by one file."""
    ballast = disk / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 2**16)
    return ballast


def server_on(disk: Path) -> Server:
    home = disk / "state/postgres"
    port = int((home / "port").read_text())
    return Server(HOST, port, APPLICATION, APPLICATION, application_password(home))


@pytest.mark.timeout(90)
async def test_a_full_disk_stops_the_harvest_until_there_is_room_again(tmp_path: Path) -> None:
    began = datetime.now(UTC)
    world = World("full", RealClock(), began - timedelta(days=8), things=4)
    disk = tmp_path / "disk"
    async with serve(world) as fake:
        path = await asyncio.to_thread(configured, world, fake.url, tmp_path, disk)
        async with running(path, wrapper=on_a_disk_of("110m", disk)) as daemon:
            await daemon.ready()
            there = Path(f"/proc/{daemon.process.pid}/root{disk}")
            ballast = await asyncio.to_thread(fill, there)
            await daemon.told("No space left on device")
            await asyncio.to_thread(ballast.unlink)
            await daemon.told("well again")
            await check_complete(world, began, await asyncio.to_thread(server_on, there))
            assert await daemon.end() == 0


async def check_complete(world: World, began: datetime, server: Server) -> None:
    """In the end the database holds what was published, as if nothing had been."""
    async with asyncpg.create_pool(server.dsn, password=server.password, ssl=False) as pool:
        while not await pool.fetchval(COVERED, world.since, began):
            await asyncio.sleep(0.05)
        now = world.clock.now()
        comparison = Comparison(
            published(world, began), published(world, now), await held(pool, world.since)
        )
    assert comparison.differences == []


async def test_a_disk_too_small_to_begin_with_is_told_in_a_sentence(tmp_path: Path) -> None:
    world = World("full", RealClock(), datetime.now(UTC) - timedelta(days=8), things=4)
    disk = tmp_path / "disk"
    path = await asyncio.to_thread(configured, world, "http://127.0.0.1:9", tmp_path, disk)
    async with running(path, wrapper=on_a_disk_of("20m", disk)) as daemon:
        assert await daemon.process.wait() == EX_UNAVAILABLE
        await daemon.end()
    [told] = [line for line in daemon.said if line.startswith("harvester: ")]
    assert "No space left on device" in told
    assert "Traceback" not in "".join(daemon.said)
