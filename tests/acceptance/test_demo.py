"""The demo as `make demo` starts it: what it shows, the ways in that it prints, and its end."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from embedded_state import postmaster_of

from harvester.store.cookbook import cookbook

DEMO = (sys.executable, "-m", "harvester.demo")
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
CTRL_C = b"\x03"
NAMES = [*cookbook()]
PLATFORMS = ["coiote", "devicehive", "mydevices", "usergrid"]
# A day and more of all platforms is harvested first: 20 s on two cores, where other tests run too.
harvests = pytest.mark.timeout(180)


@pytest.fixture
def places(empty_state: Path) -> Path:
    """Where the demo finds room for its folder, and must leave none behind."""
    path = empty_state.parent / "tmp"
    path.mkdir(mode=0o755)
    return path


@asynccontextmanager
async def started(places: Path, *words: str, **variables: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        *DEMO,
        *words,
        stdout=PIPE,
        stderr=STDOUT,
        env=os.environ | {"TMPDIR": str(places)} | variables,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            await process.communicate()


async def said_until(process: Process, words: str) -> str:
    """All that it said, up to the line with these words."""
    assert process.stdout
    said = ""
    while words not in said:
        line = (await process.stdout.readline()).decode()
        assert line, said
        said += line
    return said


async def shell(command: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_shell(command, stdout=PIPE, stderr=STDOUT)
    out, _ = await process.communicate()
    return process.returncode, out.decode()


def remains(places: Path) -> list[Path]:
    return list(places.iterdir())


def is_alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


@harvests
async def test_the_lines_it_prints_lead_into_the_database_and_to_the_metrics(
    places: Path,
) -> None:
    async with started(places, FORCE_COLOR="1") as process:
        said = await said_until(process, "acme-usergrid: ")
        [psql] = re.findall(r"^ +(PGPASSFILE=.*)$", said, re.M)
        queries = re.findall(r"\\i (\S+)$", said, re.M)
        assert len(queries) == sum(f"{name}.sql" in said for name in NAMES) == 4
        for query in queries:
            code, out = await shell(f"{psql} -v ON_ERROR_STOP=1 -f {query}")
            assert (code, "(0 rows)" in out, "mydevices" in out) == (0, False, True), out
        code, out = await shell(f"{psql} -c 'table harvester_data.reading'")
        assert code and "permission denied" in out
        [url] = re.findall(r"^Metrics: (\S+)$", said, re.M)
        assert ":9464/" not in url  # a daemon's, or another demo's
        async with aiohttp.ClientSession() as http, http.get(url) as answer:
            assert "harvester_readings_stored_total" in await answer.text()
        process.terminate()
        said += (await process.communicate())[0].decode()
    assert process.returncode == 0
    for name in ("acme-coiote", "acme-mydevices", "acme-usergrid"):
        standing = rf"^{name}: 3 accounts, 10 devices, lag \d+ s, (100|99).* pulled"
        assert re.search(standing, said, re.M)
    assert re.search(r"^acme-devicehive: 3 accounts, 10 devices, lag \d+ s, ", said, re.M)
    assert not CONTROL.search(said)


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("Starting", signal.SIGTERM),
        ("Starting", signal.SIGINT),
        ("Backfill", signal.SIGHUP),
    ],
)
async def test_a_signal_ends_all_that_was_started(
    places: Path, moment: str, number: signal.Signals
) -> None:
    async with started(places) as process:
        said = await said_until(process, moment)
        server = 0
        if moment == "Backfill":
            [folder] = remains(places)
            server = await asyncio.to_thread(postmaster_of, folder / "state")
            assert is_alive(server)
        process.send_signal(number)
        said += (await process.communicate())[0].decode()
    assert process.returncode == 0, said
    assert remains(places) == []
    assert not (server and is_alive(server))
    assert "Traceback" not in said


@harvests
async def test_once_compares_each_platform_and_leaves_the_operators_own_database_alone(
    places: Path,
) -> None:
    own = {"HARVESTER_DATABASE__DSN": "postgresql://harvester@127.0.0.1:9/production"}
    async with started(places, "--once", **own) as process:
        said = (await process.communicate())[0].decode()
    assert process.returncode == 0, said
    told = dict(line.split(": ", 1) for line in said.splitlines()[-4:])
    assert set(told) == {f"acme-{platform}" for platform in PLATFORMS}
    for whole in ("acme-mydevices", "acme-usergrid"):
        assert re.fullmatch(r"([\d,]+) readings .*, \1 in the database: equal\.", told[whole])
    assert re.search(r" [\d,]+ in the database.*: equal\.$", told["acme-coiote"])
    assert "forgotten" not in told["acme-coiote"]
    assert re.search(r", [1-9][\d,]* in .*, [1-9].* forgotten .*equal", told["acme-devicehive"])
    assert remains(places) == []
    assert not CONTROL.search(said)


@harvests
async def test_on_a_terminal_it_draws_and_ctrl_c_ends_it(places: Path) -> None:
    """A bar over the backfill, then a picture that is drawn anew."""
    terminal, inside = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *("setsid", "--ctty", "--wait", *DEMO),
        stdin=inside,
        stdout=inside,
        stderr=inside,
        env=os.environ | {"COLUMNS": "100", "TERM": "xterm", "TMPDIR": str(places)},
    )
    os.close(inside)
    drawn = await asyncio.to_thread(read_until, terminal, rb"\d+ of \d+ spans", b"")
    drawn = await asyncio.to_thread(
        read_until, terminal, rb"(?s)(acme-usergrid.*Ctrl-C.*){3}", drawn
    )
    os.write(terminal, CTRL_C)
    drawn = await asyncio.to_thread(read_until, terminal, rb"gone again", drawn)
    assert await process.wait() == 0, drawn.decode()
    os.close(terminal)
    assert b"Traceback" not in drawn and b"database ready" not in drawn
    assert remains(places) == []


def read_until(terminal: int, pattern: bytes, drawn: bytes) -> bytes:
    while not re.search(pattern, drawn):
        drawn += os.read(terminal, 65536)
    return drawn
