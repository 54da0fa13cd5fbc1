"""A real Prometheus with the rules and the configuration of `monitoring/`, in a hurry.

Of both files only times and the target's address are changed: it scrapes and evaluates each second,
and each `for:` is one second.
"""

from __future__ import annotations

import asyncio
import re
import shutil
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientSession

MONITORING = Path(__file__).parents[2] / "monitoring"
EXAMPLE_TARGET = "127.0.0.1:9464"
LISTENING = re.compile(r"Listening on.* address=(127\.0\.0\.1:\d+)")

Labels = dict[str, str]


class Prometheus:
    """A running one, asked over its API."""

    def __init__(self, http: ClientSession, address: str) -> None:
        self._http = http
        self._api = f"http://{address}/api/v1"

    async def values(self, query: str) -> list[float]:
        found = await self._get("query", query=query)
        return [float(each["value"][1]) for each in found["result"]]

    async def firing(self) -> dict[str, Labels]:
        """The labels of the alerts that fire, by name; one of each name."""
        found = await self._get("alerts")
        labels = [each["labels"] for each in found["alerts"] if each["state"] == "firing"]
        return {each.pop("alertname"): each for each in labels}

    async def _get(self, path: str, **params: str) -> Any:
        async with self._http.get(f"{self._api}/{path}", params=params) as answer:
            told = await answer.json()
        assert told["status"] == "success", told
        return told["data"]


@asynccontextmanager
async def scraping(target: str, folder: Path) -> AsyncIterator[Prometheus]:
    """One that scrapes the daemon at `target` (host:port) until the end."""
    program = shutil.which("prometheus")
    assert program, "this test needs Prometheus itself: apt install prometheus"
    process = await asyncio.create_subprocess_exec(
        program,
        f"--config.file={_hurried(target, folder)}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--web.listen-address=127.0.0.1:0",
        stdout=PIPE,
        stderr=PIPE,
    )
    try:
        async with ClientSession() as http:
            yield Prometheus(http, await _listening(process))
    finally:
        process.kill()
        await process.communicate()


def _hurried(target: str, folder: Path) -> Path:
    rules = (MONITORING / "alerts.yml").read_text("utf-8")
    example = (MONITORING / "prometheus.example.yml").read_text("utf-8")
    assert EXAMPLE_TARGET in example
    folder.mkdir()
    (folder / "alerts.yml").write_text(re.sub(r"^( +for:) \w+$", r"\1 1s", rules, flags=re.M))
    path = folder / "prometheus.yml"
    path.write_text(
        re.sub(r"_interval: \w+", "_interval: 1s", example.replace(EXAMPLE_TARGET, target))
    )
    return path


async def _listening(process: Process) -> str:
    """Its address, once it answers there."""
    assert process.stderr
    said = ""
    async for line in process.stderr:
        said += line.decode()
        if "Server is ready" in said and (found := LISTENING.search(said)):
            return found[1]
    raise AssertionError(said)
