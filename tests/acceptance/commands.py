"""A command, run to its end, and a site for it to speak of."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acceptance.forked import Forked, fork
from configured import TENANT
from fix_postgres import Database
from fix_simulator import stored_in

HARVESTER = Path(sys.executable).with_name("harvester")
EX_USAGE, EX_UNAVAILABLE, EX_NOPERM, EX_CONFIG = 64, 69, 77, 78


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


async def harvester(
    *words: str | Path, config: Path | None = None, piped: str = "", **variables: str
) -> Ended:
    """Run a command, which reads what is `piped`; no sentence of it may be a traceback."""
    return await outcome(await fork([HARVESTER, *words, *_of(config)], variables, piped.encode()))


async def installed(*words: str | Path, config: Path | None = None, **variables: str) -> Ended:
    """The same as a program of its own, where the start is what is asked for."""
    return await outcome(await started(*words, *_of(config), variables=variables))


async def started(
    *words: str | Path, stdout: int = PIPE, variables: Mapping[str, str] | None = None
) -> Process:
    return await asyncio.create_subprocess_exec(
        *(HARVESTER, *words),
        stdin=DEVNULL,
        stdout=stdout,
        stderr=PIPE,
        env=os.environ | dict(variables or {}),
    )


async def begun(*words: str | Path) -> Forked:
    return await fork([HARVESTER, *words])


async def outcome(process: Process | Forked) -> Ended:
    out, err = await process.communicate()
    assert b"Traceback" not in err, err.decode()
    assert process.returncode is not None
    return Ended(process.returncode, (out or b"").decode(), err.decode())


def _of(config: Path | None) -> list[str | Path]:
    return ["--config", config] if config else []


def configured(
    folder: Path, database: Database | None, *tenants: str, interval: str = "5m"
) -> Path:
    """A configuration for tenants of a platform that is not there."""
    head = stored_in(database, folder) if database else ""
    text = f'state_directory = "state"\n{head}'
    for name in tenants:
        text += TENANT.replace('"acme"', f'"{name}"').replace('"5m"', f'"{interval}"')
    path = folder / "config.toml"
    path.write_text(text, "utf-8")
    return path
