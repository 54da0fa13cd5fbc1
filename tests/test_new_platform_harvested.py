"""The example of a platform, harvested all the way into Postgres by the daemon's own parts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from beating import Beating
from fix_postgres import Database
from fix_simulator import stored_in

from harvester import config
from harvester.service.house import opened
from harvester.service.tenant import working
from harvester.simulator.clock import HandClock
from harvester.simulator.configured import Served, configure
from harvester.simulator.fakes import simulated
from harvester.simulator.world import World

BEGIN = datetime(2026, 3, 4, 10, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
PLATFORM = "orchard"

_TASKS = "select identity, kind, device, stated_state, result from harvester.task_reports"
_MEANT = """
select distinct quantity from harvester.readings where platform = $1 and quantity is not null
"""


@asynccontextmanager
async def orchard(database: Database, folder: Path) -> AsyncIterator[Beating]:
    clock = HandClock(BEGIN)
    world = World("orchard", clock, BEGIN - 6 * HOUR, tenants=("acme",))
    async with simulated(PLATFORM).serve(world) as fake:
        served, head = [Served(PLATFORM, world, fake.url)], stored_in(database, folder)
        path = await asyncio.to_thread(configure, served, folder, interval="10m", head=head)
        settings = await asyncio.to_thread(config.load, path)
        async with (
            opened(settings, clock, "test") as house,
            working(house, settings.tenants[0]) as tenant,
        ):
            yield Beating(clock, fake, tenant, house)


async def test_what_is_late_or_corrected_is_held_a_day_later_as_it_is_true(
    database: Database, tmp_path: Path
) -> None:
    async with orchard(database, tmp_path) as it:
        for _ in range(8):
            assert await it.tick()
            it.clock.advance(4 * HOUR)
        held, truth = await it.held(), it.truth()
        before = {key: value for key, value in held.items() if key[2] < BEGIN}
        assert before == {key: value for key, value in truth.items() if key[2] < BEGIN}
        assert len(held) > 2 * len(before), "it went on"
        assert it.fake.violations == []


async def test_tasks_and_meanings_of_the_example_are_in_the_views(
    database: Database, tmp_path: Path
) -> None:
    async with orchard(database, tmp_path) as it:
        assert await it.tick()
        rows = await it.house.pool.fetch(_TASKS)
        told = it.fake.task_truth("acme").items()
        true = {(name, job.kind, job.device, job.now.state) for name, job in told}
        assert {tuple(row.values())[:4] for row in rows} == true
        meant = {row["quantity"] for row in await it.house.pool.fetch(_MEANT, PLATFORM)}
        assert meant == {"temperature", "volume"}
