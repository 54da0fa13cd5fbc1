"""The daemon: what is opened in order, works until a signal, is drained and closed in reverse."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from datetime import timedelta

import structlog

from harvester import embedded, web
from harvester.clock import Clock, SystemClock
from harvester.config import Settings
from harvester.errors import StoreUnavailable
from harvester.migrate import migrate
from harvester.scheduler import Scheduler
from harvester.service.instance import instance
from harvester.service.tenant import House, Working, working
from harvester.store.partitions import Partitions
from harvester.store.pool import connected, open_pool
from harvester.vault import KeyRing

__all__ = ["House", "Working", "instance", "opened", "run", "working"]

EXTEND_EVERY = 20.0  # seconds; leases last three times as long
LOOK_EVERY = 5.0  # seconds, at the embedded Postgres
DRAIN = timedelta(seconds=30)
"""What runs at a stop gets so long to end; what is lost then is pulled again."""

_log = structlog.stdlib.get_logger(__name__)


async def run(settings: Settings) -> None:
    """Harvest until SIGTERM or SIGINT. Raises UserError where the daemon cannot begin."""
    with instance(settings.state_directory) as owner, _stop_signal() as stop:
        async with opened(settings, SystemClock(), owner) as house, AsyncExitStack() as stack:
            tenants = [
                await stack.enter_async_context(working(house, each)) for each in settings.tenants
            ]
            address = await stack.enter_async_context(
                web.serve(settings.web.host, settings.web.port)
            )
            _log.info("harvesting", tenants=len(tenants), metrics=f"{address}/metrics")
            await _work(house, tenants, stop)


@asynccontextmanager
async def opened(settings: Settings, clock: Clock, owner: str) -> AsyncIterator[House]:
    """The keys and the migrated database, without anything at work yet. Raises UserError."""
    ring = await asyncio.to_thread(_ring, settings)
    async with _database(settings) as (dsn, password, server):
        async with connected(dsn, password) as connection:
            applied = await migrate(connection)
        _log.info("database ready", dsn=dsn, migrated=len(applied))
        async with open_pool(dsn, password) as pool:
            partitions = Partitions(pool, settings.database.partition)
            yield House(pool, ring, partitions, clock, settings.deployment, owner, server)


def _ring(settings: Settings) -> KeyRing:
    """The configured keys, which must be there, or the state directory's own."""
    if settings.key_file:
        return KeyRing.load(settings.key_file)
    key_file = settings.state_directory / "keys"
    ring, made = KeyRing.load_or_create(key_file)
    if made:
        _log.info("made a key file; who loses it must log in again", file=str(key_file))
    return ring


@asynccontextmanager
async def _database(
    settings: Settings,
) -> AsyncIterator[tuple[str, str | None, embedded.Running | None]]:
    if settings.database.dsn is not None:
        password = settings.database.password
        yield settings.database.dsn, password.get_secret_value() if password else None, None
        return
    running = await asyncio.to_thread(embedded.start, settings.state_directory)
    try:
        yield running.server.dsn, running.server.password, running
    finally:
        await asyncio.to_thread(running.leave)


async def _work(house: House, tenants: list[Working], stop: asyncio.Event) -> None:
    scheduler = Scheduler(house.clock)
    for tenant in tenants:
        scheduler.plan(
            f"{tenant.name} readings", tenant.interval, tenant.tick, await tenant.last_success()
        )
    scheduler.start()
    async with _kept(_keep_leases(tenants), _keep_server(house.server), stop=stop):
        try:
            await stop.wait()
            _log.info("draining", jobs=len(scheduler.running))
            scheduler.stop()
            house.stopping.set()
            await scheduler.drain(DRAIN)
        finally:
            with suppress(StoreUnavailable):
                for tenant in tenants:
                    await tenant.release()
    _log.info("stopped")


@asynccontextmanager
async def _kept(*keepers: Coroutine[None, None, None], stop: asyncio.Event) -> AsyncIterator[None]:
    """Let them work beside us. One that fails stops the daemon, and what it raised is raised."""

    def look(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception():
            stop.set()

    tasks = [asyncio.create_task(keeper) for keeper in keepers]
    for task in tasks:
        task.add_done_callback(look)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended


async def _keep_leases(tenants: list[Working]) -> None:
    while True:
        await asyncio.sleep(EXTEND_EVERY)
        for tenant in tenants:
            # A lease that ends while the database is away is taken anew by the next tick.
            with suppress(StoreUnavailable):
                await tenant.extend()


async def _keep_server(server: embedded.Running | None) -> None:
    """A server of our own that was killed has nobody else to start it anew.

    Raises EmbeddedPostgresError where it cannot be had again.
    """
    while server:
        await asyncio.sleep(LOOK_EVERY)
        await asyncio.to_thread(server.keep)


@contextmanager
def _stop_signal() -> Iterator[asyncio.Event]:
    """Set by the first SIGTERM or SIGINT; a second one ends the process as usual."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def stopping(number: signal.Signals) -> None:
        loop.remove_signal_handler(number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping, number)
    try:
        yield stop
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
