"""The daemon: what is opened in order, works until a signal, is drained and closed in reverse."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import structlog

from harvester import metrics, web
from harvester.clock import Clock, SystemClock
from harvester.config import Settings
from harvester.notify import notify, ping_within
from harvester.service.health import Health
from harvester.service.house import House, opened
from harvester.service.instance import instance
from harvester.service.reload import Reload, Reread
from harvester.service.rounds import Round, every, kept
from harvester.service.signals import signals
from harvester.service.tenants import Tenants
from harvester.service.trail import Trail
from harvester.service.watch import Watch

EXTEND_EVERY = 20.0  # seconds; leases last three times as long
SERVER_EVERY = 5.0  # seconds, at the embedded Postgres
MEASURE_EVERY = 15.0  # seconds
FORGET_EVERY = 3600.0  # seconds, in the audit trail
THREADS = 64  # made as they are needed
PING_WITHIN = 30.0  # seconds, where no watchdog waits

_log = structlog.stdlib.get_logger(__name__)


async def run(settings: Settings, reread: Reread | None = None) -> None:
    """Harvest until SIGTERM or SIGINT; at SIGHUP `reread` the settings and apply what changed.

    Without `reread`, SIGHUP stops too. Raises UserError where the daemon cannot begin, or has lost
    what it cannot go on without.
    """
    clock = SystemClock()
    _set_up(clock)
    health, host, port = Health(clock), settings.web.host, settings.web.port
    with (
        instance(settings.state_directory) as owner,
        signals(reloads=reread is not None) as (stop, hup),
    ):
        async with (
            _stoppable(health, stop),
            _alive(health, stop),
            web.serve(host, port, ill=health.ill, wanting=health.wanting) as address,
            opened(settings, clock, owner) as house,
            _harvesting(settings, house, health, stop) as tenants,
        ):
            _log.info("harvesting", tenants=len(tenants), metrics=f"{address}/metrics")
            notify("READY=1", "STATUS=harvesting")
            beside = [every(MEASURE_EVERY, "watch", Watch(house, tenants).look)]
            if reread:
                beside.append(Reload(settings, reread, tenants, house.keys, clock).keep(hup))
            async with kept(*beside, stop=stop):
                await stop.wait()
    _log.info("stopped")


def _set_up(clock: Clock) -> None:
    # A name that does not resolve holds a thread for long; with the few of the loop's own it would
    # hold up the others' names.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS))
    metrics.RELOAD_SUCCESSFUL.set(1)
    metrics.RELOAD_SUCCESS_TIME.set(clock.now().timestamp())


@asynccontextmanager
async def _stoppable(health: Health, stop: asyncio.Event) -> AsyncIterator[None]:
    """A stop ends a start that goes on: it may wait for another's migration, and for ever."""
    start = asyncio.current_task()

    async def give_up() -> None:
        await stop.wait()
        if start and health.tenants is None:
            start.cancel()

    try:
        async with kept(give_up(), stop=stop):
            yield
    except asyncio.CancelledError:
        if not stop.is_set():
            raise


def _alive(health: Health, stop: asyncio.Event) -> AbstractAsyncContextManager[None]:
    """From the first moment to the last: an embedded Postgres may take long to start and to end."""
    ping = every((ping_within() or PING_WITHIN) / 3, "watchdog", health.watchdog.look)
    return kept(health.pulse.beat(), ping, stop=stop)


@asynccontextmanager
async def _harvesting(
    settings: Settings, house: House, health: Health, stop: asyncio.Event
) -> AsyncIterator[Tenants]:
    tenants = Tenants(house)
    health.presence = house.presence
    async with kept(*_rounds(settings, house, tenants), stop=stop):
        try:
            for each in settings.tenants:
                await tenants.begin(each)
            tenants.scheduler.start()
            health.tenants = tenants
            yield tenants
        finally:
            health.stopping = True
            notify("STOPPING=1", "STATUS=draining")
            _log.info("draining", jobs=len(tenants.scheduler.running))
            await tenants.drain()


def _rounds(settings: Settings, house: House, tenants: Tenants) -> Iterator[Round]:
    yield every(EXTEND_EVERY, "leases", tenants.extend)
    yield every(FORGET_EVERY, "audit trail", Trail(house.pool, settings.auth_events).forget)
    if house.server:
        # A server of our own that was killed has nobody else to start it anew.
        keep = partial(asyncio.to_thread, house.server.keep)
        yield every(SERVER_EVERY, "embedded Postgres", keep)
