"""The installed command, run to its end, and a site for it to speak of."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    def json(self) -> Any:
        return json.loads(self.out)


async def harvester(*words: str | Path, config: Path | None = None, **variables: str) -> Ended:
    """Run a command; no sentence of it may be a traceback."""
    more: list[str | Path] = ["--config", config] if config else []
    process = await asyncio.create_subprocess_exec(
        HARVESTER, *words, *more, stdout=PIPE, stderr=PIPE, env=os.environ | variables
    )
    out, err = await process.communicate()
    assert b"Traceback" not in err, err.decode()
    return Ended(process.returncode or 0, out.decode(), err.decode())


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
