"""Task reports of Usergrid through the whole corridor."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fix_postgres import Database
from fix_usergrid import HOUR, Plant, plant

from harvester.simulator.usergrid_quirks import Switches

MINUTE = timedelta(minutes=1)
SETTLED = 3 * HOUR
"""What stood so for this long is known: one that is open is asked for by itself after a quarter of
the time that it was open for."""

_STORED = """
select identity, kind, device, stated_state, result from harvester.task_reports
where tenant = 'acme' and vanished_at is null
"""
_VANISHED = "select state, vanished_at from harvester.task_reports where identity = $1"
_HISTORY = """
select state from harvester.task_report_history
where tenant = 'acme' and identity = $1 order by revision
"""


async def stored(it: Plant) -> dict[str, tuple[Any, ...]]:
    rows = await it.house.pool.fetch(_STORED)
    return {identity: tuple(said) for identity, *said in rows}


def settled(it: Plant) -> dict[str, tuple[Any, ...]]:
    """How those tasks stand that stood so for long enough."""
    truth = it.fake.task_truth("acme").items()
    last = it.clock.now() - SETTLED
    return {
        name: (task.kind, task.device, task.now.state, task.now.result)
        for name, task in truth
        if task.now.at <= last
    }


async def states(it: Plant, identity: str) -> list[str]:
    """All that was seen of a task, from the first on."""
    return [row["state"] for row in await it.house.pool.fetch(_HISTORY, identity)]


@pytest.mark.parametrize("switches", [Switches(), Switches(server="2.1.0", receipts_twice=True)])
async def test_tasks_stand_as_the_platform_says_although_it_moves_no_modified(
    switches: Switches, database: Database, tmp_path: Path
) -> None:
    async with plant(database, tmp_path, switches, things=2) as it:
        for _ in range(24):
            it.clock.advance(HOUR)
            assert await it.tenant.tick("task_reports")
        truth, found = settled(it), await stored(it)
        assert {name: found.get(name) for name in truth} == truth
        assert found.keys() <= it.fake.task_truth("acme").keys()
        words = {state for kind, _, state, _ in truth.values() if kind == "notification"}
        assert words >= {"FINISHED", "FAILED", "EXPIRED", "CANCELED"}
        assert any(kind == "receipt" for kind, *_ in truth.values())
        assert it.fake.violations == []


async def test_a_notification_goes_on_between_two_polls_and_fails_after_all(
    database: Database, tmp_path: Path
) -> None:
    async with plant(database, tmp_path, things=1) as it:
        store, now = it.fake.store("acme"), it.fake.tokens.now_ms
        entity = store.put("notifications", {"payloads": {}, "queued": now()}, now())
        assert await it.beat(10 * MINUTE)
        store.update(entity, {"started": now()}, now(), modified=entity.now.modified)
        assert await it.beat(10 * MINUTE)
        store.update(entity, {"finished": now()}, now())
        assert await it.beat(10 * MINUTE)
        store.update(entity, {"errorMessage": "not all of it"}, now())
        assert await it.beat(10 * MINUTE)
        assert await states(it, f"notifications/{entity.uuid}") == [
            "pending",
            "running",
            "succeeded",
            "failed",
        ]


async def test_what_is_over_by_itself_is_noticed_by_asking_for_it(
    database: Database, tmp_path: Path
) -> None:
    async with plant(database, tmp_path, things=1) as it:
        now = it.fake.tokens.now_ms()
        due, over = now + 30 * 60_000, now + 45 * 60_000
        told = {"payloads": {}, "deliver": due, "expire": over}
        entity = it.fake.store("acme").put("notifications", told, now)
        for _ in range(8):
            assert await it.beat(10 * MINUTE)
        assert await states(it, f"notifications/{entity.uuid}") == ["pending", "expired"]
        assert entity.now.modified == now


async def test_what_was_deleted_while_it_was_open_vanishes_and_is_kept(
    database: Database, tmp_path: Path
) -> None:
    async with plant(database, tmp_path, things=1) as it:
        store, now = it.fake.store("acme"), it.fake.tokens.now_ms()
        entity = store.put("commands", {"status": "queued"}, now)
        assert await it.beat(10 * MINUTE)
        store.delete(entity, it.fake.tokens.now_ms())
        assert await it.beat(10 * MINUTE)
        identity = f"commands/{entity.uuid}"
        [row] = await it.house.pool.fetch(_VANISHED, identity)
        assert tuple(row) == ("pending", it.clock.now())
        assert await states(it, identity) == ["pending", "pending"]
