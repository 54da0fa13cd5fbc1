"""One simulated customer with a switch on, and the daemon's insides at work on it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

from aiohttp import web
from exchanged import LeapClock
from fix_postgres import Database
from fix_simulator import BEGIN, HISTORY, Play, playing
from prometheus_client import REGISTRY

from harvester.simulator.faults import Fault, html_page
from harvester.simulator.mydevices import serve
from harvester.simulator.mydevices_quirks import AS_DOCUMENTED, Switches
from harvester.simulator.uplinks import QUIET, Habits
from harvester.simulator.world import World

READINGS = "/readings"
TOKEN_CALL = "POST "
READ = "GET /v1.0/things/{thing}/readings"


@asynccontextmanager
async def switched(
    database: Database,
    folder: Path,
    *,
    habits: Habits = QUIET,
    switches: Switches = AS_DOCUMENTED,
) -> AsyncIterator[Play]:
    """A day of two users' five things; the clock leaps to wherever a retry waits until."""
    clock = LeapClock(BEGIN)
    world = World(
        "switch", clock, BEGIN - HISTORY, tenants=("acme",), users=2, things=5, habits=habits
    )
    async with (
        serve(world, switches=switches) as fake,
        playing(fake, database, folder) as play,
    ):
        yield play


def noted(play: Play, part: str) -> list[datetime]:
    """When requests with this in their path arrive, from now on."""
    instants: list[datetime] = []

    def note(request: web.Request) -> bool:
        if part in request.path:
            instants.append(play.clock.now())
        return False

    play.fake.faults.add(Fault(note, html_page()))
    return instants


def one_feed(play: Play) -> str:
    """The key of a feed that more than one account sees."""
    return next(it.uuid for it in play.world.things("acme") if len(it.seen_by) > 1)


async def failures(play: Play) -> dict[str, str]:
    """Why feeds could not be pulled, in a word, by feed."""
    rows = await play.house.pool.fetch(
        "select feed, failure from harvester.coverage where failure is not null"
    )
    return {row["feed"]: row["failure"].partition(":")[0] for row in rows}


def counted(name: str, **labels: str) -> float:
    """The sum of a counter's series that bear these labels, since the tests began."""
    return sum(
        sample.value
        for metric in REGISTRY.collect()
        for sample in metric.samples
        if sample.name == f"harvester_{name}_total" and labels.items() <= sample.labels.items()
    )
