"""The installed daemon as README starts it: `.venv/bin/harvester run --config config.toml`."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import aiohttp
from acceptance import hurry
from acceptance.commands import HARVESTER
from acceptance.forked import Armed, fork


class _Process(Protocol):
    """What of asyncio's Process is asked."""

    @property
    def pid(self) -> int: ...
    @property
    def returncode(self) -> int | None: ...
    @property
    def stderr(self) -> asyncio.StreamReader | None: ...
    def send_signal(self, signal: int) -> None: ...
    async def wait(self) -> int: ...


class Daemon:
    """A running daemon and all that it said so far."""

    def __init__(self, process: _Process) -> None:
        self.process = process
        self.said: list[str] = []
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.said.append(line.decode())

    async def ready(self) -> str:
        """Wait until it harvests; the address of its metrics."""
        while True:
            for line in self.said:
                if '"event": "harvesting"' in line:
                    address: str = json.loads(line)["metrics"]
                    return address
            if self.process.returncode is not None:
                raise AssertionError("".join(self.said))
            await asyncio.sleep(0.02)

    async def told(self, words: str) -> None:
        """Wait until it says so."""
        while not any(words in line for line in self.said):
            assert self.process.returncode is None, self.said
            await asyncio.sleep(0.02)

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit code."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        code = await self.process.wait()
        await self._reading
        return code


def hurried(**seconds: float) -> list[str]:
    """A wrapper in which the daemon looks so often after what it looks after now and then."""
    return [sys.executable, "-P", hurry.__file__, json.dumps(seconds)]


@asynccontextmanager
async def running(config_file: Path, wrapper: Sequence[str] = ()) -> AsyncIterator[Daemon]:
    """The installed program, until the end of the block."""
    command: list[str | Path] = [*wrapper, HARVESTER, "run", "--config", config_file]
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    async with _ended(Daemon(process)) as daemon:
        yield daemon


@asynccontextmanager
async def forked(config_file: Path, armed: Armed | None = None) -> AsyncIterator[Daemon]:
    """The same without what it costs to load its libraries, for who asks nothing of the start."""
    process = await fork([HARVESTER, "run", "--config", config_file], armed=armed)
    async with _ended(Daemon(process)) as daemon:
        yield daemon


@asynccontextmanager
async def _ended(daemon: Daemon) -> AsyncIterator[Daemon]:
    try:
        yield daemon
    finally:
        await daemon.end(signal.SIGKILL)


async def scraped(address: str) -> str:
    """What `/metrics` says."""
    async with aiohttp.ClientSession() as http, http.get(address) as answer:
        return await answer.text()


def values(text: str, name: str, **labels: str) -> list[float]:
    """Of the series of a metric that have these labels."""
    wanted = {f'{key}="{value}"' for key, value in labels.items()}
    found = re.findall(rf"^{name}(?:{{(.*)}})? (\S+)$", text, re.M)
    return [float(value) for said, value in found if wanted <= set(said.split(","))]


async def metric(address: str, name: str, **labels: str) -> float:
    """The value of the one series that has these labels."""
    [value] = values(await scraped(address), name, **labels)
    return value
