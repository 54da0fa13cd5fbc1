"""The platforms as fakes, for trying a configuration without an account anywhere."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import typer

from harvester import shown
from harvester.errors import UserError
from harvester.service.signals import signals
from harvester.simulator import fakes
from harvester.simulator.clock import RealClock
from harvester.simulator.configured import Served, configure
from harvester.simulator.fakes import simulated
from harvester.simulator.recording import BadRecording, Recorded, ending, read
from harvester.simulator.replay import Replay
from harvester.simulator.world import World, lively

CUSTOMERS = ("acme", "globex")
_MARK = "# Written by harvester simulate, which may write it again."


def simulate(port: int, folder: Path | None, replay: Path | None, as_recorded: bool) -> None:
    """Until it is stopped. Raises UserError."""
    if as_recorded and not replay:
        raise UserError("--as-recorded goes with --replay FILE.", os.EX_USAGE)
    recorded = _recorded(replay, as_recorded) if replay else []
    asyncio.run(_simulate(port, _made(folder), recorded))


def _recorded(file: Path, as_recorded: bool) -> list[Recorded]:
    try:
        recorded = read(file)
    except BadRecording as error:
        raise UserError(str(error), os.EX_DATAERR) from None
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}.", os.EX_NOINPUT) from None
    return recorded if as_recorded else ending(recorded, RealClock().now())


def _made(folder: Path | None) -> Path:
    """The folder, free for our files. Raises UserError."""
    try:
        if folder is None:
            return Path(tempfile.mkdtemp(prefix="harvester-simulate-"))
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        config_file = folder / "config.toml"
        if config_file.exists() and _MARK not in config_file.read_text("utf-8", "replace"):
            raise UserError(
                f"{config_file} is another's configuration: choose another --folder.",
                os.EX_CANTCREAT,
            )
    except OSError as error:
        raise UserError(
            f"--folder {folder or tempfile.gettempdir()} cannot be used: {error.strerror}.",
            os.EX_CANTCREAT,
        ) from None
    return folder


async def _simulate(port: int, folder: Path, recorded: list[Recorded]) -> None:
    async with AsyncExitStack() as stack:
        stop, _ = stack.enter_context(signals(reloads=False))
        world = _world(recorded)
        served = [
            await _serve(stack, platform, world, port and port + n)
            for n, platform in enumerate(fakes.platforms())
        ]
        try:
            path = await asyncio.to_thread(configure, served, folder, head=_MARK)
        except OSError as error:
            raise UserError(
                f"--folder {folder} cannot be written to: {error.strerror}.", os.EX_CANTCREAT
            ) from None
        _tell(served, path)
        await stop.wait()


def _world(recorded: list[Recorded]) -> World:
    if recorded:
        return Replay(RealClock(), recorded, "replay")
    return lively("simulate", RealClock(), CUSTOMERS)


async def _serve(stack: AsyncExitStack, platform: str, world: World, port: int) -> Served:
    try:
        fake = await stack.enter_async_context(simulated(platform).serve(world, port=port))
    except OSError as error:
        raise UserError(
            f"--port: 127.0.0.1:{port} for {platform} cannot be had: "
            f"{os.strerror(error.errno or 0)}; choose another one, or 0.",
            os.EX_UNAVAILABLE,
        ) from None
    return Served(platform, world, fake.url, suffix=f"-{platform}")


def _tell(served: list[Served], path: Path) -> None:
    for each in served:
        tenants, since = " and ".join(each.tenants), shown.instant(each.world.since)
        typer.echo(f"{each.platform} at {each.url}: {tenants}, with readings since {since}")
    command = shlex.join([sys.argv[0], "run", "--config", str(path)])
    typer.echo(f"\nTo harvest it:\n\n    {command}\n\nCtrl-C ends it.")
