"""One customer at all platforms at once: what each of them tells of a thing is the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from fix_postgres import Database
from fix_simulator import stored_in

from harvester import config
from harvester.clock import SystemClock
from harvester.service.house import opened
from harvester.service.tenant import working
from harvester.simulator import fakes
from harvester.simulator.clock import RealClock
from harvester.simulator.configured import Served, configure
from harvester.simulator.devicehive_quirks import Switches
from harvester.simulator.world import LIVELY_HABITS, World
from harvester.store.cookbook import cookbook

HOURS = timedelta(hours=3)
SWITCHES = {"devicehive": Switches(cache_ttl=3_600)}
"""It has the last of them."""
PLATFORMS = ("coiote", "devicehive", "mydevices", "usergrid")


@pytest.fixture
async def harvested(
    database: Database, tmp_path: Path
) -> AsyncIterator[asyncpg.Pool[asyncpg.Record]]:
    """What is there after one tick of every tenant."""
    since = datetime.now(UTC) - HOURS
    world = World("one", RealClock(), since, tenants=("acme",), pace=15, habits=LIVELY_HABITS)
    async with AsyncExitStack() as stack:
        served = []
        for name in PLATFORMS:
            simulated = fakes.simulated(name)
            switches = SWITCHES.get(name, simulated.QUIRKS["as documented"])
            fake = await stack.enter_async_context(simulated.serve(world, switches=switches))
            served.append(Served(name, world, fake.url, suffix=f"-{name}"))
        head = stored_in(database, tmp_path)
        path = await asyncio.to_thread(lambda: configure(served, tmp_path, head=head))
        settings = await asyncio.to_thread(config.load, path)
        house = await stack.enter_async_context(opened(settings, SystemClock(), "test"))
        for tenant in settings.tenants:
            work = await stack.enter_async_context(working(house, tenant))
            assert await work.tick("readings")
        yield house.pool


async def test_platforms_agree_on_the_temperature_of_each_thing_hour_by_hour(
    harvested: asyncpg.Pool[asyncpg.Record],
) -> None:
    rows = await harvested.fetch((await asyncio.to_thread(cookbook))["compare_platforms"].text)
    told = [[row[each] for each in PLATFORMS if row[each] is not None] for row in rows]
    assert [row for row, each in zip(rows, told, strict=True) if len(set(each)) > 1] == []
    assert {len(each) for each in told} == {3, 4}
    kinds = {row["thing"].rpartition(" ")[0] for row in rows}
    assert kinds == {"Cold room", "Freezer", "Leak", "Office air", "Weather station"}
    assert sum(row["instants"] for row in rows) > 4 * 20
