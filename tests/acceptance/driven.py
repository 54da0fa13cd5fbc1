"""A platform's own client, in a process of its own: asked and answering in JSON."""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

PATIENCE = 30.0
"""Seconds."""


async def driven(python: Path | str, client: Path, asked: object) -> Any:
    """What the client saw, as the script `client` prints it that was told what is `asked`."""
    process = await asyncio.create_subprocess_exec(
        python, client, stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    try:
        given = process.communicate(json.dumps(asked).encode())
        out, err = await asyncio.wait_for(given, PATIENCE)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, err.decode()
    return json.loads(out)
