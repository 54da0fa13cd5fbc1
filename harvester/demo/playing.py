"""The two ways of a demo: on and on, watched; or once, and compared."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from harvester import shown
from harvester.clock import SystemClock
from harvester.demo import figures
from harvester.demo.comparison import Comparison, Facts, asked, held
from harvester.demo.display import display, newest
from harvester.demo.stage import Stage, staged
from harvester.errors import StoreUnavailable
from harvester.service import daemon
from harvester.service.house import opened
from harvester.service.instance import instance
from harvester.service.tenant import Working, working
from harvester.simulator import fakes
from harvester.store.cookbook import cookbook
from harvester.store.pool import open_pool

if TYPE_CHECKING:
    from harvester.store.pool import Pool

QUERIES = ("compare_tenants", "compare_platforms", "latest_temperature", "hourly_mean")
LOOK_EVERY = 0.25  # seconds, at the backfill
DIFFERENCES_TOLD = 20
LIVE_EDGE = timedelta(minutes=1)
"""What is younger, some platforms are not asked for yet."""


async def run(once: bool) -> int:
    """Harvest the simulated tenants: once and compare, or until a signal. The exit code.

    Raises UserError where something that it needs cannot be had.
    """
    stop = asyncio.Event()
    _hold(stop)
    platforms = fakes.platforms()
    *others, last = platforms
    typer.echo(
        f"Starting a Postgres, and {', '.join(others)} and {last} as simulated platforms, all on "
        "this machine only."
    )
    async with staged(platforms) as stage:
        code = await (_once(stage, stop) if once else _on(stage, stop))
        if code and not stop.is_set():
            typer.echo(stage.log.read_text("utf-8"), err=True)
    if stop.is_set() or not once:
        typer.echo("Stopped. What was started is gone again, and so are its files.")
    return code


def _hold(stop: asyncio.Event) -> None:
    """What was started must be ended, in whatever moment a signal comes: it interrupts nothing."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)


async def _on(stage: Stage, stop: asyncio.Event) -> int:
    if stop.is_set():
        return 0
    watching = asyncio.create_task(_watch(stage))
    watching.add_done_callback(_end_with_it)
    try:
        await daemon.run(stage.settings)  # has the signals meanwhile
    finally:
        _hold(stop)
        stop.set()
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
    return 0


def _end_with_it(watching: asyncio.Task[None]) -> None:
    """A daemon that nobody can watch any more ends as it does at a signal."""
    if not watching.cancelled():
        os.kill(os.getpid(), signal.SIGTERM)


async def _watch(stage: Stage) -> None:
    screen = display()
    async with open_pool(stage.database.dsn, stage.database.password) as pool:
        with screen.backfill() as tell:
            while not (now := await figures.backfill(pool, stage.settings)).done:
                tell(now)
                await asyncio.sleep(LOOK_EVERY)
            tell(now)
        _tell_ways_in(stage)
        with screen.live() as show:
            while True:
                # The daemon starts a Postgres that was killed anew; until then the picture stands.
                with suppress(StoreUnavailable):
                    show(await figures.picture(pool, stage.settings))
                await asyncio.sleep(screen.every)


def _tell_ways_in(stage: Stage) -> None:
    """Not in the picture: lines that are to be copied stay whole, whatever the terminal's width."""
    queries = cookbook()
    typer.echo(f"\nMetrics: {stage.metrics_url}\nLog:     {stage.log}")
    typer.echo(f"\nLook inside, in this folder, and there try these:\n\n    {stage.psql}")
    for name in QUERIES:
        typer.echo(f"    \\i {_near(queries[name].path)}")


def _near(path: Path) -> Path:
    """As it can be written from here."""
    whole, here = path.resolve(), Path.cwd()
    return whole.relative_to(here) if whole.is_relative_to(here) else whole


async def _once(stage: Stage, stop: asyncio.Event) -> int:
    began, settings = SystemClock().now(), stage.settings
    before = {each.name: stage.published(each.name) for each in settings.tenants}
    async with AsyncExitStack() as stack:
        owner = stack.enter_context(instance(settings.state_directory))
        house = await stack.enter_async_context(opened(settings, SystemClock(), owner))
        tenants = [
            await stack.enter_async_context(working(house, each)) for each in settings.tenants
        ]
        work = asyncio.create_task(_tick(tenants))
        await _followed(work, house.pool, stage, stop)
        if stop.is_set():
            return 1
        picture = await figures.picture(house.pool, settings)
        shown.console().print("", newest(picture), "")
        return await _compared(house.pool, stage, before, began)


async def _compared(pool: Pool, stage: Stage, before: Mapping[str, Facts], began: datetime) -> int:
    """Tell of each tenant by itself. The exit code."""
    since, covered = stage.world.since, await asked(pool)
    found = await held(pool, since)
    comparisons = {
        tenant: Comparison(
            before=facts,
            after=stage.published(tenant),
            held={key: value for key, value in found.items() if key[0] == tenant},
            asked=covered,
            edge=began - LIVE_EDGE,
        )
        for tenant, facts in before.items()
    }
    for each in comparisons.values():
        for line in each.differences[:DIFFERENCES_TOLD]:
            typer.echo(line)
    for tenant, each in comparisons.items():
        typer.echo(f"{tenant}: {each.sentence(since, began)}")
    return 1 if any(each.differences for each in comparisons.values()) else 0


async def _tick(tenants: list[Working]) -> None:
    """Side by side, as a daemon does it."""
    async with asyncio.TaskGroup() as group:
        for tenant in tenants:
            group.create_task(tenant.ticks())


async def _followed(
    work: asyncio.Task[None], pool: Pool, stage: Stage, stop: asyncio.Event
) -> None:
    """Show how far the work is, until it is done or to be stopped. Raises what it raised."""
    with display().backfill() as tell:
        while not (work.done() or stop.is_set()):
            tell(await figures.backfill(pool, stage.settings))
            await asyncio.wait([work], timeout=LOOK_EVERY)
        if stop.is_set():
            work.cancel()
        with suppress(asyncio.CancelledError):
            await work
        tell(await figures.backfill(pool, stage.settings))
