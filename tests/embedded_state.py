"""State directories with an embedded Postgres, seen from outside: questions, signals, processes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg

from harvester.embedded import Server
from harvester.embedded.locks import is_free
from harvester.embedded.pidfile import read_postmaster

PROGRAM = """
import sys
from pathlib import Path
from harvester import embedded
with embedded.start(Path(sys.argv[1])) as running:
    print(running.server.port, flush=True)
    sys.stdin.read()
"""


def ask(server: Server, query: str) -> Any:
    async def answer() -> Any:
        connection = await asyncpg.connect(server.dsn, password=server.password, ssl=False)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    return asyncio.run(answer())


def data_of(state: Path) -> Path:
    return state / "postgres" / "data"


def serves(state: Path) -> bool:
    return not is_free(state / "postgres/server.lock")


def postmaster_of(state: Path) -> int:
    postmaster = read_postmaster(data_of(state))
    assert postmaster
    return postmaster.pid


def kill_postmaster(state: Path) -> None:
    os.kill(postmaster_of(state), signal.SIGKILL)


@contextmanager
def another_process(state: Path, **options: Any) -> Iterator[subprocess.Popen[str]]:
    program = [sys.executable, "-c", PROGRAM, str(state)]
    pipe = subprocess.PIPE
    with subprocess.Popen(program, text=True, stdin=pipe, stdout=pipe, **options) as process:
        try:
            yield process
        finally:
            process.kill()


def port_told_by(process: subprocess.Popen[str]) -> int:
    assert process.stdout
    return int(process.stdout.readline())
