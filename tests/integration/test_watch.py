"""What is measured of tenants and database, and what is said while the database is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from fix_postgres import Database
from fix_store import Line, line_to, lock_waits
from fix_tenants import ACME, ACME_TASKS, GLOBEX, GLOBEX_TASKS, Shop, series, shop_at
from structlog.testing import capture_logs

from harvester.errors import StoreUnavailable
from harvester.model import Stream
from harvester.service.health import Health
from harvester.service.watch import Watch
from harvester.simulator.mydevices import FakeMydevices


@pytest.mark.parametrize("stream", ["readings", "task_reports"])
async def test_what_is_measured_is_what_sql_says(shop: Shop, stream: str) -> None:
    watch = Watch(shop.house, shop.tenants)
    await shop.begun()
    assert series("acme", "lag_seconds") == {}
    for job in (ACME, ACME_TASKS):
        await shop.tenants.scheduler.tick(job)
    shop.clock.advance(timedelta(minutes=3))
    await watch.look()
    of = f'stream="{stream}",tenant="acme"'
    row = await shop.house.pool.fetchrow(
        "select *, extract(epoch from missing)::float as gone from harvester.streams"
        " where tenant = 'acme' and stream = $1",
        stream,
    )
    assert row
    assert series("acme", "lag_seconds")[f"harvester_lag_seconds{{{of}}}"] == 180
    assert series("acme", "feeds")[f'harvester_feeds{{state="well",{of}}}'] == row["feeds"] > 0
    assert series("acme", "lost_seconds")[f"harvester_lost_seconds{{{of}}}"] == 0
    missing = series("acme", "missing_seconds")[f"harvester_missing_seconds{{{of}}}"]
    assert missing == pytest.approx(row["gone"], abs=60)


async def test_a_tenant_is_measured_once_it_was_worked_and_until_it_is_removed(shop: Shop) -> None:
    watch = Watch(shop.house, shop.tenants)
    await shop.begun()
    await shop.tenants.scheduler.tick(ACME)
    await watch.look()
    devices = await shop.house.pool.fetchval("select count(*) from harvester.devices")
    assert series("acme", "devices") == {'harvester_devices{tenant="acme"}': devices}
    assert series("globex", "lag_seconds") == {}, "nothing of it was ever pulled"
    await shop.tenants.remove("acme")
    await watch.look()
    assert series("acme") == {}


async def test_a_tenant_that_is_removed_while_it_is_measured_leaves_no_series(shop: Shop) -> None:
    watch = Watch(shop.house, shop.tenants)
    await shop.begun()
    await shop.tenants.scheduler.tick(ACME)
    async with shop.house.pool.acquire() as other, other.transaction():
        await other.execute("lock table harvester_data.tenant")
        measuring = asyncio.create_task(watch.look())
        await lock_waits(other)
        await shop.tenants.remove("acme")
    await measuring
    assert series("acme") == {}
    assert series("globex", "devices")


async def test_a_feed_that_failed_and_is_seen_no_more_counts_once(shop: Shop) -> None:
    await shop.begun()
    await shop.tenants.scheduler.tick(ACME)
    await shop.house.pool.execute(
        "update harvester_data.feed set failure = 'forbidden', failing_since = now()"
    )
    await shop.house.pool.execute(
        """delete from harvester_data.sight where feed_id =
           (select min(feed_id) from harvester_data.feed where stream = 'readings')"""
    )
    await Watch(shop.house, shop.tenants).look()
    counts = {
        key.split('"')[1]: value
        for key, value in series("acme", "feeds").items()
        if 'stream="readings"' in key
    }
    feeds = await shop.house.pool.fetchval(
        "select count(*) from harvester_data.feed where stream = 'readings'"
    )
    assert counts == {"well": 0, "failing": feeds - 1, "unseen": 1}


async def test_while_the_database_is_away_the_lag_grows_and_it_is_told_once(
    fake: FakeMydevices, database: Database, tmp_path: Path
) -> None:
    async with line_to(database) as line, shop_over(line, fake, database, tmp_path) as shop:
        watch, health = Watch(shop.house, shop.tenants), Health(shop.clock)
        health.tenants, health.presence = shop.tenants, shop.house.presence
        for job in (ACME, ACME_TASKS):
            await shop.tenants.scheduler.tick(job)
        await watch.look()
        assert (health.wanting(), series(name="database_up")) == ([], {"harvester_database_up": 1})
        with capture_logs() as told:
            line.cut()
            for job in (ACME, GLOBEX, ACME_TASKS, GLOBEX_TASKS):
                shop.clock.advance(timedelta(minutes=1))
                await shop.tenants.scheduler.tick(job)
            await watch.look()
            assert set(series("acme", "lag_seconds").values()) == {240}, "of both streams"
            assert health.wanting() == ["the database is away"]
            assert series(name="database_up") == {"harvester_database_up": 0}
            await line.mend()
            await watch.look()
        assert [(each["event"], each["what"]) for each in told] == [
            ("failing", "database"),
            ("well again", "database"),
        ]
        assert health.wanting() == []


async def test_a_database_that_goes_while_it_measures_is_told_as_that_and_no_more(
    fake: FakeMydevices, database: Database, tmp_path: Path
) -> None:
    async with (
        line_to(database) as line,
        shop_over(line, fake, database, tmp_path) as shop,
        database.connected() as other,
    ):
        with capture_logs() as told:
            async with other.transaction():
                await other.execute("lock table harvester_data.tenant")
                measuring = asyncio.create_task(Watch(shop.house, shop.tenants).look())
                await lock_waits(other)
                line.cut()
                await measuring
        assert [(each["event"], each["what"]) for each in told] == [("failing", "database")]


@asynccontextmanager
async def shop_over(
    line: Line, fake: FakeMydevices, database: Database, folder: Path
) -> AsyncIterator[Shop]:
    through = Database(line.dsn, database.password, database.ssl)
    async with shop_at(fake, through, folder) as shop:
        await shop.begun()
        yield shop


async def test_the_trouble_of_one_tenant_with_the_database_is_its_own(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shop.begun()
    [acme, _] = shop.tenants

    async def tick(_stream: Stream) -> bool:
        raise StoreUnavailable("the database is away: deadlock detected")

    monkeypatch.setattr(acme, "tick", tick)
    with capture_logs() as told:
        for _ in range(3):
            await shop.tenants.scheduler.tick(ACME)
    assert [(each["what"], each["error"]) for each in told] == [
        (ACME, "the database is away: deadlock detected")
    ]
    assert shop.house.presence.up


async def test_a_start_says_what_is_wanting(shop: Shop) -> None:
    health = Health(shop.clock)
    assert health.wanting() == ["the database is not opened and migrated yet", "no job is planned"]
    health.presence, health.tenants = shop.house.presence, shop.tenants
    assert health.wanting() == ["no job is planned"]
    await shop.begun()
    assert health.wanting() == []
    health.stopping = True
    assert health.wanting() == ["harvester is being stopped"]
