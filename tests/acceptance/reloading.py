"""A reload of the running daemon, and what it said of it."""

from __future__ import annotations

import asyncio
import json
import signal
from dataclasses import dataclass
from typing import Any

from acceptance.daemon import Daemon


@dataclass(frozen=True, slots=True)
class Told:
    """What the daemon said of a reload, from the signal to its end."""

    lines: list[dict[str, Any]]

    def of(self, words: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if words in line["event"]]

    @property
    def difference(self) -> dict[str, list[str]]:
        [line] = self.of("configuration read again")
        return {key: line[key] for key in ("added", "changed", "removed") if line[key]}


async def asked_to_reload(daemon: Daemon) -> Told:
    before = len(daemon.said)
    daemon.process.send_signal(signal.SIGHUP)
    while not any('"event": "reload' in line for line in daemon.said[before:]):
        assert daemon.process.returncode is None, daemon.said
        await asyncio.sleep(0.02)
    return Told([json.loads(line) for line in daemon.said[before:]])
