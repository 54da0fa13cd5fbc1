"""`harvester simulate`: recorded readings go the whole way into a database; mistakes are told."""

from __future__ import annotations

import asyncio
import csv
import os
import shlex
import signal
import socket
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from acceptance.commands import EX_UNAVAILABLE, EX_USAGE, begun, harvester
from acceptance.forked import Forked
from fix_postgres import Database
from fix_simulator import BEGIN, playing

from harvester.simulator.clock import HandClock
from harvester.simulator.mydevices import serve
from harvester.simulator.recording import ending, read
from harvester.simulator.replay import Replay

EX_DATAERR, EX_NOINPUT, EX_CANTCREAT = 65, 66, 73
LONG_AGO = datetime.now(UTC) - timedelta(days=500)
FIRST = LONG_AGO.replace(hour=23, minute=59, second=59, microsecond=250_000)
PLATFORMS = ["coiote", "devicehive", "mydevices", "usergrid"]
MINE = 'state_directory = "state"\n'
Rows = dict[tuple[str, str, datetime], str | float]
_STORED = "select device_name, channel, ts, raw_value, text from harvester.readings"


def recorded(folder: Path) -> tuple[Path, Rows]:
    """A CSV that spans a day and a year, and what it holds."""
    rows: Rows = {("door", "10", FIRST + timedelta(days=400)): "ajar"}
    for n in range(130):
        rows["freezer", "3", FIRST + n * timedelta(minutes=1)] = -18 - n / 8
        rows["freezer", "5", FIRST + n * timedelta(minutes=1)] = 3.0
    path = folder / "readings.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["device", "channel", "instant", "value"])
        writer.writerows([*key[:2], key[2].isoformat(), value] for key, value in rows.items())
    return path, rows


@asynccontextmanager
async def simulating(*words: str | Path) -> AsyncIterator[tuple[Forked, list[str]]]:
    """The command, and what it prints up to the line that says how it ends."""
    process = await begun("simulate", *words)
    said: list[str] = []
    try:
        while not said or "Ctrl-C" not in said[-1]:
            line = await process.stdout.readline()
            assert line, said
            said.append(line.decode().strip())
        yield process, said
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
            await process.wait()


async def stored(state: Path, wanted: int) -> Rows:
    """What the embedded database holds of all platforms, once it is so much."""
    home = state / "postgres"
    connection = await asyncpg.connect(
        host="127.0.0.1",
        port=int((home / "port").read_text()),
        user="harvester",
        password=(home / "harvester.password").read_text().strip(),
        ssl=False,
    )
    try:
        while True:
            rows = await connection.fetch(_STORED)
            found: Rows = {tuple(row)[:3]: row["text"] or row["raw_value"] for row in rows}
            if len(found) >= wanted:
                return found
            await asyncio.sleep(0.05)
    finally:
        await connection.close()


async def test_what_was_recorded_long_ago_is_in_the_database_after_the_printed_command(
    empty_state: Path,
) -> None:
    folder = empty_state.parent
    path, rows = recorded(folder)
    trial = folder / "trial"
    trial.mkdir(mode=0o755)
    words = ("--folder", trial, "--replay", path, "--as-recorded")
    async with simulating(*words) as (process, said):
        assert [line.partition(" at http")[0] for line in said[:4]] == PLATFORMS
        assert all(f"replay-{line.split()[0]}, with" in line for line in said[:4])
        [command] = [line for line in said if " run --config " in line]
        daemon = await asyncio.create_subprocess_exec(*shlex.split(command), stderr=PIPE)
        assert daemon.stderr
        while b'"harvesting"' not in (line := await daemon.stderr.readline()):
            assert line, "the daemon ended"
        assert await stored(trial / "state", len(rows)) == rows
        daemon.send_signal(signal.SIGTERM)
        assert (await daemon.communicate(), daemon.returncode)[1] == 0
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0
    assert (trial / "config.toml").stat().st_mode & 0o077 == 0


async def test_shifted_readings_are_in_the_database_and_end_now(
    database: Database, tmp_path: Path
) -> None:
    path, rows = recorded(tmp_path)
    ended = ending([each for each in read(path) if each.device == "freezer"], BEGIN)
    async with (
        serve(Replay(HandClock(BEGIN + timedelta(seconds=1)), ended, "recorded")) as fake,
        playing(fake, database, tmp_path) as play,
    ):
        assert await play.tick()
        held = await play.held()
        assert held == play.published()
    assert max(key[3] for key in held) == BEGIN
    assert sorted(map(str, held.values())) == sorted(map(str, list(rows.values())[1:]))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a recording that is none and a configuration that is not ours."""
    (tmp_path / "bad.csv").write_text("device,channel,instant,value\na,1,2021-03-04T12:00:00,5\n")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/config.toml").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--replay", "none.csv"], EX_NOINPUT, ["none.csv", "No such file"]),
        (["--replay", "bad.csv"], EX_DATAERR, ["bad.csv, line 2", "zone"]),
        (["--as-recorded"], EX_USAGE, ["--replay"]),
        (["--folder", "mine"], EX_CANTCREAT, ["mine/config.toml", "another --folder"]),
        (["--folder", "bad.csv"], EX_CANTCREAT, ["--folder", "bad.csv"]),
    ],
)
async def test_a_mistake_is_told_in_a_sentence(
    here: Path, words: list[str], code: int, told: list[str]
) -> None:
    ended = await harvester("simulate", *words)
    assert (ended.code, len(ended.err.splitlines())) == (code, 1)
    assert all(word in ended.err for word in told), ended.err
    assert (here / "mine/config.toml").read_text() == MINE


def free_ports() -> int:
    """The first of one for each platform in a row, which are not given out to others meanwhile."""
    for first in range(20_000 + os.getpid() % 1_000 * 12, 32_000, len(PLATFORMS)):
        with ExitStack() as stack, suppress(OSError):
            for number in range(first, first + len(PLATFORMS)):
                stack.enter_context(socket.create_server(("127.0.0.1", number)))
            return first
    raise AssertionError("no free ports")


async def test_a_port_in_use_is_told_and_a_folder_of_its_own_may_be_used_again(
    tmp_path: Path,
) -> None:
    port = str(free_ports())
    with socket.create_server(("127.0.0.1", int(port))):
        ended = await harvester("simulate", "--folder", tmp_path, "--port", port)
    assert ended.code == EX_UNAVAILABLE
    assert f"127.0.0.1:{port}" in ended.err
    for number in (signal.SIGTERM, signal.SIGHUP):
        async with simulating("--folder", tmp_path, "--port", port) as (process, said):
            assert f"http://127.0.0.1:{port}" in said[0]
            process.send_signal(number)
            assert await process.wait() == 0
