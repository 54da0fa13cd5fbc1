"""Task reports of a Coiote that changed at the same instant, as far as it tells."""

from __future__ import annotations

from pathlib import Path

import pytest
from fix_coiote import HOUR, SETTLING, plant
from fix_postgres import Database

from harvester.simulator.coiote_quirks import Switches

_HELD = "select identity from harvester.task_reports"
_FAILURES = "select failure from harvester.coverage where stream = 'task_reports'"


@pytest.mark.parametrize("cap", [2, None])
async def test_more_reports_of_one_instant_than_come_at_once_are_not_taken_for_all(
    database: Database, tmp_path: Path, cap: int | None
) -> None:
    switches = Switches(permissions="all", tasks=0.5, report_cap=cap, report_step=HOUR)
    async with plant(database, tmp_path, switches) as it:
        for after in (HOUR, HOUR, SETTLING):
            is_done = await it.beat(after)
        held = {row["identity"] for row in await it.house.pool.fetch(_HELD)}
        failures = {row["failure"] for row in await it.house.pool.fetch(_FAILURES)}
        is_whole = held >= it.fake.task_truth("acme").keys()
        assert is_whole is is_done is (cap is None)
        assert any("truncated" in (each or "") for each in failures) is (cap is not None)
