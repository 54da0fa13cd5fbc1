"""The life of a command of DeviceHive, from its birth until nobody knows of it any more."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fix_devicehive import Hive, hive, person
from fix_postgres import Database

from harvester.simulator.devicehive_quirks import Switches

SECOND = timedelta(seconds=1)
QUIET = Switches(commands=0)

_HISTORY = """
select kind, state, stated_state, result, vanished from harvester.task_report_history
where device = 'probe' order by task, revision
"""


async def history(it: Hive) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await it.house.pool.fetch(_HISTORY)]


@pytest.mark.parametrize("ingest", ["polling", "websocket"])
async def test_a_command_is_pending_then_failed_then_run_again(
    ingest: str, database: Database, tmp_path: Path
) -> None:
    async with hive(database, tmp_path, QUIET, things=1, ingest=ingest) as it, person(it) as who:
        play, access = who
        told = await play.order(access, "valve/open", parameters={"line": 3})
        assert await it.beat()
        await play.report(access, told["id"], status="Error", result={"code": 7})
        assert all(await it.beats(2))
        await play.report(access, told["id"], status="OK", result={"opened": True})
        assert all(await it.beats(4))
        assert await history(it) == [
            ("valve/open", "pending", None, None, False),
            ("valve/open", "failed", "Error", {"code": 7}, False),
            ("valve/open", "succeeded", "OK", {"opened": True}, False),
        ]


async def test_what_a_subscription_tells_between_two_looks_is_all_in_the_history(
    database: Database, tmp_path: Path
) -> None:
    async with hive(database, tmp_path, QUIET, things=1, ingest="websocket") as it:
        async with person(it) as (play, access):
            await it.beats(2)
            told = await play.order(access, "reboot")
            for status in ("running", "Error", "OK"):
                it.clock.advance(SECOND)
                await play.report(access, told["id"], status=status)
            assert await it.beat()
        states = [row[1] for row in await history(it)]
        assert states == ["pending", "running", "failed", "succeeded"]


async def test_a_command_that_nobody_answers_vanishes_and_is_kept(
    database: Database, tmp_path: Path
) -> None:
    async with hive(database, tmp_path, QUIET, things=1) as it, person(it) as (play, access):
        told = await play.order(access, "reboot")
        assert all(await it.beats(6))
        assert await history(it) == [
            ("reboot", "pending", None, None, False),
            ("reboot", "pending", None, None, True),
        ]
        [row] = await it.house.pool.fetch("select * from harvester.task_reports")
        assert (row["task"], row["device"], row["state"]) == (str(told["id"]), "probe", "pending")
        assert row["vanished_at"] <= it.clock.now()
        asked = it.fake.requests["GET /api/rest/device/{device}/command/{number}"]
        assert all(await it.beats(6))
        assert it.fake.requests["GET /api/rest/device/{device}/command/{number}"] == asked


async def test_a_measuring_commands_result_is_readings_too(
    database: Database, tmp_path: Path
) -> None:
    async with hive(database, tmp_path, QUIET, things=1) as it, person(it) as (play, access):
        told = await play.order(access, "adc/read")
        it.clock.advance(SECOND)
        await play.report(access, told["id"], status="OK", result={"0": "0.0566"})
        assert all(await it.beats(3))
        held = {key[1]: value for key, value in (await it.held()).items() if key[0] == "probe"}
        assert held == {"adc/read.0": 0.0566}
        assert await it.held() == it.truth()


async def test_every_command_of_an_hour_ends_as_the_platform_last_said(
    database: Database, tmp_path: Path
) -> None:
    async with hive(database, tmp_path, Switches(commands=1), things=3) as it:
        assert all(await it.beats(90))
        truth = it.fake.task_truth("acme")
        rows = await it.house.pool.fetch("select * from harvester.task_reports")
        held = {row["identity"]: (row["stated_state"], row["result"]) for row in rows}
        assert len(truth) > 20
        assert held == {key: (task.now.state, task.now.result) for key, task in truth.items()}
