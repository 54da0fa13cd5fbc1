"""What README says under "Run it", done as it is written: its configuration, its commands.

The database, the platform's address and the client are those of the test; nothing else is changed.
"""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fix_postgres import Database
from fix_simulator import stored_in

from harvester.simulator.mydevices import FakeMydevices, options
from harvester.simulator.world import World

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
COMMANDS = re.findall(r"^\.venv/bin/harvester .*$", README, re.M)
CHECK = ".venv/bin/harvester check --config config.toml"
RUN = ".venv/bin/harvester run --config config.toml"
STATUS = ".venv/bin/harvester status --config config.toml"
SIMULATE = ".venv/bin/harvester simulate --folder trial"


def placed(folder: Path, world: World, url: str, database: Database) -> None:
    """The configuration of README in a folder where its commands can be typed."""
    (folder / ".venv").symlink_to(Path(sys.executable).parents[1])
    [text] = re.findall(r"^```toml\n(.*?)^```", README, re.M | re.S)
    tenant = world.tenants["acme"]
    reached = options(tenant, url)
    text = text.replace("https://api.mydevices.com", url)
    text = re.sub(r"\[database\].*?\n\n", stored_in(database, folder) + "\n", text, flags=re.S)
    (folder / "config.toml").write_text(f'state_directory = "state"\n[web]\nport = 0\n{text}')
    (folder / "acme-client-secret").write_text(str(reached["client_secret"]) + "\n")
    (folder / "acme-ana").write_text(tenant.users[0].password + "\n")


@asynccontextmanager
async def typed(command: str, folder: Path) -> AsyncIterator[Process]:
    """A command as it is typed, and Ctrl-C in the end."""
    process = await asyncio.create_subprocess_shell(
        f"exec {command}", cwd=folder, stdout=PIPE, stderr=PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await process.communicate()


async def said(stream: asyncio.StreamReader | None, words: str) -> None:
    assert stream
    async for line in stream:
        if words in line.decode():
            return
    raise AssertionError(f"it never said {words!r}")


def test_each_command_of_the_readme_is_typed_here() -> None:
    assert COMMANDS == [CHECK, RUN, STATUS, SIMULATE]


async def test_who_follows_the_readme_has_tenants_that_stand_well(
    fake: FakeMydevices, database: Database, tmp_path: Path
) -> None:
    await asyncio.to_thread(placed, tmp_path, fake.world, fake.url, database)
    async with typed(CHECK, tmp_path) as check:
        out, err = await check.communicate()
        assert check.returncode == 0, (out, err)
    async with typed(RUN, tmp_path) as run:
        await said(run.stderr, '"event": "harvesting"')
        async with typed(STATUS, tmp_path) as status:
            out, _ = await status.communicate()
            assert b"acme" in out
    assert (status.returncode, run.returncode) == (0, 0)


async def test_the_simulator_of_the_readme_can_be_harvested(tmp_path: Path) -> None:
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parents[1])
    async with typed(SIMULATE, tmp_path) as simulate:
        await said(simulate.stdout, "run --config trial/config.toml")
    assert simulate.returncode == 0
