"""A platform that forgets, harvested on a moved clock."""

from datetime import timedelta
from pathlib import Path

from fix_devicehive import hive
from fix_postgres import Database

from harvester.simulator.devicehive_quirks import Switches

RETENTION = timedelta(seconds=120)


async def test_polled_in_time_all_that_came_is_held(database: Database, tmp_path: Path) -> None:
    async with hive(database, tmp_path, Switches()) as it:
        for _ in range(30):
            it.clock.advance(it.every)
            assert await it.tick()
        truth = it.truth()
        assert truth
        assert await it.held() == truth
        assert (
            await it.house.pool.fetchval("select sum(lost) from harvester.streams") == timedelta()
        )
