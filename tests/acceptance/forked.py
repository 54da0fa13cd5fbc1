"""harvester in a process that is forked where its libraries are loaded already.

To load them is most of what a start costs; from `harvester.cli.main` on nothing differs.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from pkgutil import iter_modules

from harvester import cli, platforms

Armed = tuple[str, str, str]
"""What acceptance.killing takes: mark, point and grant."""

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        *(f"harvester.cli.{module.name}" for module in iter_modules(cli.__path__)),
        *(f"harvester.platforms.{name}" for name in platforms.names()),
    ]
)


class Forked:
    """As asyncio's Process, with `piped` at its standard input, which must have room in a pipe.

    All of it is for the loop's own thread: who asks how one ended, takes that from the others, and
    a start asks for all.
    """

    def __init__(
        self,
        words: Sequence[str | Path],
        variables: Mapping[str, str] | None = None,
        piped: bytes = b"",
        armed: Armed | None = None,
    ) -> None:
        typed, typing = _FORKS.Pipe(duplex=False)
        self._out, printing = _FORKS.Pipe(duplex=False)
        self._err, telling = _FORKS.Pipe(duplex=False)
        with typing:
            os.write(typing.fileno(), piped)
        streams = typed, printing, telling
        environment = os.environ | dict(variables or {})
        told = [*map(str, words)], environment, streams, armed
        self._process = _FORKS.Process(target=_run, args=told, daemon=True)
        self._process.start()
        for each in streams:
            each.close()

    async def listen(self) -> None:
        self.stdout, self.stderr = await _reader(self._out), await _reader(self._err)

    @property
    def pid(self) -> int:
        assert self._process.pid
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, signal: int) -> None:
        os.kill(self.pid, signal)

    async def communicate(self) -> tuple[bytes, bytes]:
        said = await asyncio.gather(self.stdout.read(), self.stderr.read())
        await self.wait()
        return said

    async def wait(self) -> int:
        loop, sentinel, ended = asyncio.get_running_loop(), self._process.sentinel, asyncio.Event()
        if self.returncode is None:
            loop.add_reader(sentinel, ended.set)
            await ended.wait()
            loop.remove_reader(sentinel)
        self._process.join()
        assert self.returncode is not None
        return self.returncode


async def fork(
    words: Sequence[str | Path],
    variables: Mapping[str, str] | None = None,
    piped: bytes = b"",
    armed: Armed | None = None,
) -> Forked:
    process = Forked(words, variables, piped, armed)
    await process.listen()
    return process


async def _reader(told: Connection) -> asyncio.StreamReader:
    with told:
        pipe = os.fdopen(os.dup(told.fileno()), "rb")
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, pipe)
    return reader


def _run(
    words: list[str],
    environment: Mapping[str, str],
    streams: tuple[Connection, ...],
    armed: Armed | None,
) -> None:
    for number, stream in enumerate(streams):
        os.dup2(stream.fileno(), number)
        stream.close()
    os.environ.clear()  # what was there when the first was forked
    os.environ.update(environment)
    if armed:
        from acceptance import killing

        killing.arm(killing.Armed(*armed))
    sys.argv = words
    cli.main()
