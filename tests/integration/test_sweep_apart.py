"""A sweep and what else goes on: a database that hangs, another instance, a clock that differs."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from fix_devicehive import Hive, hive
from fix_postgres import Database, Postgres
from structlog.testing import capture_logs

from harvester.errors import Fenced
from harvester.platforms.devicehive.listing import Part
from harvester.simulator.devicehive_quirks import Switches
from harvester.simulator.faults import Fault, refuse

SECOND = timedelta(seconds=1)


@asynccontextmanager
async def hanging(postgres: Postgres, database: Database) -> AsyncIterator[None]:
    """Whoever asks the database for feeds waits until this is over."""
    other = postgres.login.named(urlsplit(database.dsn).path[1:])
    async with other.connected() as connection, connection.transaction():
        await connection.execute("lock table harvester_data.coverage in access exclusive mode")
        yield


async def test_while_the_database_hangs_polls_go_on_and_nothing_is_lost(
    database: Database, tmp_path: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hive(database, tmp_path, Switches(), things=2) as it:
        assert all(await it.beats(2))
        monkeypatch.setattr("harvester.harvest.beside.PATIENCE", 0.05)
        asked = it.fake.requests["GET /api/rest/device/{device}/notification"]
        async with hanging(postgres, database):
            assert not any(await it.beats(8))
        assert it.fake.requests["GET /api/rest/device/{device}/notification"] >= asked + 8 * 4
        monkeypatch.undo()
        assert all(await it.beats(2))
        assert (await it.held(), await it.lost()) == (it.truth(), {})


async def test_who_lost_the_tenant_writes_nothing_more_of_it(
    database: Database, tmp_path: Path
) -> None:
    async with hive(database, tmp_path, Switches(), things=2) as it:
        await it.beats(2)
        held = await it.held()
        await it.house.pool.execute("update harvester_data.tenant_lease set fence = fence + 1")
        it.clock.advance(it.every)
        with pytest.raises(Fenced):
            await it.tenant.tick("readings")
        assert await it.held() == held


async def test_a_platform_whose_clock_differs_is_told_and_its_time_is_what_gaps_go_by(
    database: Database, tmp_path: Path
) -> None:
    ahead = timedelta(minutes=7)
    with capture_logs() as logs:
        async with hive(database, tmp_path, Switches(clock_skew=ahead), things=1) as it:
            await it.beats(2)
            pulled = await it.house.pool.fetchval(
                "select max(upper(pulled)) from harvester.coverage"
            )
            assert timedelta() <= it.clock.now() + ahead - pulled <= 3 * SECOND
    told = [each for each in logs if each.get("reason") == "differs from ours"]
    assert [each["ahead_seconds"] for each in told] == [420]


async def test_one_tenants_hanging_platform_leaves_the_other_stream_its_time(
    database: Database, tmp_path: Path
) -> None:
    async with hive(database, tmp_path, Switches(), things=3) as it:
        await it.beats(2)
        it.fake.faults.add(Fault("/command", refuse(500), times=None))
        assert [await readings_alone(it) for _ in range(4)] == [True] * 4
        assert await it.held() == {key: it.truth()[key] for key in await it.held()}
        assert await it.lost() == {}


async def readings_alone(it: Hive) -> bool:
    it.clock.advance(it.every)
    ticking = asyncio.create_task(it.tenant.tick("readings"))
    await asyncio.wait([ticking], timeout=10)
    return ticking.done() and ticking.result()


async def test_what_was_told_before_a_pull_broke_is_kept(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harvester.platforms.devicehive.listing.WHOLE", Part(take=4))
    async with hive(database, tmp_path, Switches(), things=2, pace=40) as it:
        parts = re.compile("notification.*(start|end)=")
        it.fake.faults.add(Fault(parts, refuse(400), times=None))
        await it.beats(3)
        broken = await it.house.pool.fetch(
            "select feed from harvester.coverage where failure like 'request_refused%'"
        )
        held = await it.held()
        assert broken
        assert {row["feed"] for row in broken} <= {key[0] for key in held}
        assert held.items() <= it.truth().items()
