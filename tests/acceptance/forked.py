"""The daemon in a process that is forked where its libraries are loaded already.

To load them is most of what a start costs; from `harvester.cli.main` on nothing differs.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from acceptance.daemon import Daemon

Armed = tuple[str, str, str]
"""What acceptance.killing takes: mark, point and grant."""

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["__main__", "harvester.cli.run", "harvester.platforms.mydevices"])


class Forked:
    """As asyncio's Process. All of it is for the loop's own thread: who asks how one ended, takes
    that from the others, and a start asks for all.
    """

    def __init__(self, words: list[str], armed: Armed | None) -> None:
        self._told, telling = _FORKS.Pipe(duplex=False)
        self._process = _FORKS.Process(target=_run, args=(words, armed, telling), daemon=True)
        self._process.start()
        telling.close()
        self.stderr = asyncio.StreamReader()

    async def listen(self) -> None:
        with self._told:
            pipe = os.fdopen(os.dup(self._told.fileno()), "rb")
        protocol = asyncio.StreamReaderProtocol(self.stderr)
        await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, pipe)

    @property
    def pid(self) -> int:
        assert self._process.pid
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, signal: int) -> None:
        os.kill(self.pid, signal)

    async def wait(self) -> int:
        loop, sentinel, ended = asyncio.get_running_loop(), self._process.sentinel, asyncio.Event()
        if self.returncode is None:
            loop.add_reader(sentinel, ended.set)
            await ended.wait()
            loop.remove_reader(sentinel)
        self._process.join()
        assert self.returncode is not None
        return self.returncode


@asynccontextmanager
async def forked(config_file: Path, armed: Armed | None = None) -> AsyncIterator[Daemon]:
    """`harvester run`, until the end of the block."""
    process = Forked(["harvester", "run", "--config", str(config_file)], armed)
    await process.listen()
    daemon = Daemon(process)
    try:
        yield daemon
    finally:
        await daemon.end(signal.SIGKILL)


def _run(words: list[str], armed: Armed | None, telling: Connection) -> None:
    os.dup2(telling.fileno(), sys.stderr.fileno())
    telling.close()
    from acceptance import killing

    from harvester import cli

    if armed:
        killing.arm(killing.Armed(*armed))
    sys.argv = words
    cli.main()
