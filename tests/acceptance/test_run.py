"""The installed daemon against a simulated platform on real time: stopped, killed, and complete.

It runs as README says: `.venv/bin/harvester run --config config.toml`.
"""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from acceptance.daemon import forked, hurried, running, scraped, values
from embedded_state import kill_postmaster
from fix_postgres import Connection, Database, Postgres
from fix_simulator import configured_for, published

from harvester.demo.comparison import Comparison, held
from harvester.simulator.clock import RealClock
from harvester.simulator.faults import Fault, delay
from harvester.simulator.mydevices import FakeMydevices, serve
from harvester.simulator.world import World

IN_FLIGHT = 2 * 8  # two tenants, eight feeds at once
LAST_LOOK = timedelta(hours=24)
LONGER = timedelta(days=16)
COVERED = """
select count(distinct tenant) = 2 and bool_and(pulled @> tstzrange($1, $2)) from harvester.coverage
where stream = 'readings'
"""
WANTED = "17d"  # longer than the world is old: what is wanted begins when the daemon does
READINGS = "GET /v1.0/things/{thing}/readings"


@dataclass(slots=True)
class Site:
    """A customer's site: a platform, a database, and a configuration that joins them."""

    fake: FakeMydevices
    config_file: Path
    pool: asyncpg.Pool[asyncpg.Record]
    began: datetime

    async def asked(self, times: int) -> None:
        """Wait until the daemon has asked for readings so many times more."""
        enough = self.fake.requests[READINGS] + times
        while self.fake.requests[READINGS] < enough:
            await asyncio.sleep(0.01)

    async def stored(self, wanted: int) -> int:
        """Wait until so many rows are there; how many there are."""
        while True:
            found: int = await self.pool.fetchval("select count(*) from harvester_data.reading")
            if found >= wanted:
                return found
            await asyncio.sleep(0.02)

    async def caught_up(self) -> None:
        """Wait until all that was published before we began is covered."""
        while not await self.pool.fetchval(COVERED, self.fake.world.since, self.began):
            await asyncio.sleep(0.05)

    async def check_settled(self) -> None:
        """Of readings, all older than the last look is settled, and nothing younger is."""
        rows = await self.pool.fetch(
            "select lower(settled) as since, upper(settled) as until from harvester.coverage "
            "where stream = 'readings'"  # lists of tasks are told whole, and never looked at again
        )
        ended = datetime.now(UTC)
        for row in rows:
            assert row["since"] <= self.fake.world.since + (ended - self.began)
            assert self.began - LAST_LOOK <= row["until"] <= ended - LAST_LOOK

    async def comparison(self) -> Comparison:
        world = self.fake.world
        return Comparison(
            before=published(world, self.began),
            after=published(world, world.clock.now()),
            held=await held(self.pool, world.since),
        )


@pytest.fixture
async def site(database: Database, tmp_path: Path) -> AsyncIterator[Site]:
    began = datetime.now(UTC)
    world = World("site", RealClock(), began - LONGER, things=4)
    async with (
        serve(world) as fake,
        database.pooled() as pool,
    ):
        path = await configured_for(fake, tmp_path, database, history=WANTED)
        yield Site(fake, path, pool, began)


async def test_rows_appear_for_a_reader_and_the_counts_add_up(
    site: Site, postgres: Postgres, database: Database
) -> None:
    async with running(site.config_file) as daemon:
        address = await daemon.ready()
        await site.caught_up()
        text = await scraped(address)
        assert await daemon.end() == 0, daemon.said
    pulled, stored, *others = (
        sum(values(text, f"harvester_readings_{each}_total"))
        for each in ("pulled", "stored", "corrected", "unchanged", "rejected")
    )
    assert pulled == stored + sum(others)
    async with reading_as_reader(postgres, database) as reader:
        rows = await reader.fetchval("select count(*) from harvester.readings")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await reader.fetch("select * from harvester_data.reading")
    assert rows >= stored > 0
    assert (await site.comparison()).differences == []


async def test_a_stop_in_the_middle_of_a_window_ends_it_and_a_start_goes_on(site: Site) -> None:
    site.fake.faults.add(Fault("/readings", delay(0.3), times=None))
    async with forked(site.config_file) as daemon:
        await site.asked(1)
        begun = site.fake.requests[READINGS]
        assert await daemon.end() == 0
        assert site.fake.requests[READINGS] <= begun + IN_FLIGHT, "no more windows are begun"
        assert any('"event": "stopped"' in line for line in daemon.said)
    assert await site.pool.fetchval("select count(*) from harvester.readings")
    site.fake.faults.clear()
    async with forked(site.config_file):
        await site.caught_up()
    assert (await site.comparison()).differences == []


@pytest.mark.timeout(120)
async def test_after_ten_kills_the_database_holds_exactly_what_was_published(site: Site) -> None:
    dice = random.Random("ten kills")  # noqa: S311
    site.fake.faults.add(Fault("/readings", delay(0.1), times=None))
    stored = [0]
    for _ in range(10):
        async with forked(site.config_file) as daemon:
            await site.stored(stored[-1] + dice.randrange(2_500))
            await asyncio.sleep(dice.uniform(0, 0.1))
            assert await daemon.end(signal.SIGKILL) == -signal.SIGKILL
        stored.append(await site.stored(0))
    assert len(set(stored)) > 5, f"most kills must come in the middle of the work: {stored}"
    async with forked(site.config_file) as daemon:
        await daemon.ready()
        await site.caught_up()
        assert await daemon.end() == 0
    assert (await site.comparison()).differences == []
    await site.check_settled()


async def test_an_embedded_server_that_is_killed_is_started_anew(
    fake: FakeMydevices, empty_state: Path
) -> None:
    path = await configured_for(fake, empty_state.parent)
    async with running(path, hurried(SERVER_EVERY=0.5, MEASURE_EVERY=0.5)) as daemon:
        await daemon.ready()
        await asyncio.to_thread(kill_postmaster, empty_state)
        await daemon.told("StoreUnavailable")
        await daemon.told("well again")
        assert await daemon.end() == 0


@asynccontextmanager
async def reading_as_reader(postgres: Postgres, database: Database) -> AsyncIterator[Connection]:
    """A person's login: a role of its own that is in harvester_reader and has no other right."""
    await postgres.maker.execute(
        "create role person login password 'reads' in role harvester_reader"
    )
    login = replace(
        database, dsn=database.dsn.replace(postgres.owner, "person", 1), password="reads"
    )
    try:
        async with login.connected() as reader:
            yield reader
    finally:
        await postgres.maker.execute("drop role person")
