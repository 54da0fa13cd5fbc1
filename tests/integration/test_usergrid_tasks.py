"""Task reports of Usergrid through the whole corridor, and imports before the real adapter."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from exchanged import LeapClock
from fix_postgres import Database
from fix_usergrid import HOUR, Plant, plant
from simulated_usergrid import MANAGEMENT, NOW, Play, playing
from structlog.testing import capture_logs

from harvester.client import Client
from harvester.errors import ServerFailed
from harvester.model import Credentials, Feed, OpenTask, TaskReport, Window
from harvester.platforms.base import Params
from harvester.platforms.usergrid import Adapter
from harvester.platforms.usergrid.options import UsergridOptions
from harvester.simulator.usergrid_logins import organization_client
from harvester.simulator.usergrid_quirks import Switches

IMPORTS = Feed("task_reports", "imports")
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


@dataclass(slots=True)
class Management:
    """`base.Api` of an organization's client, the adapter, and the fake that both speak to."""

    play: Play
    client: Client
    adapter: Adapter
    access: str

    async def get(self, path: str, params: Params | None = None) -> object:
        return await self.client.get(path, params, self.bearer)

    async def bearer(self) -> str:
        return self.access

    async def begin(self) -> str:
        """A job of somebody's: its UUID."""
        storage = {"bucket_location": "b", "s3_access_id": "i", "s3_key": "k"}
        told = {"properties": {"storage_provider": "s3", "storage_info": storage}}
        where = "/management/orgs/acme/apps/plant7/imports"
        status, body = await self.play.send("POST", where, self.access, json=told)
        assert status == 200, body
        return str(body["entities"][0]["uuid"])

    async def reports(self, window: Window) -> list[TaskReport]:
        told = self.adapter.task_reports(self, IMPORTS, window)
        return [each async for batch in told for each in batch if isinstance(each, TaskReport)]


@asynccontextmanager
async def management(switches: Switches) -> AsyncIterator[Management]:
    async with playing(switches) as play:
        options = UsergridOptions(
            base_url=play.fake.url, organization="acme", application="plant7", jobs=True
        )
        _, told = await play.client(organization_client(play.acme), MANAGEMENT)
        url, clock = options.base_url, LeapClock(NOW)  # so that no try is waited for
        async with Client(url, clock, tenant="a", platform="usergrid", concurrency=4) as client:
            yield Management(play, client, Adapter(options), told["access_token"])


async def test_imports_are_told_as_they_stand_with_their_files() -> None:
    async with management(Switches(server="2.1.0")) as it:
        uuids = [await it.begin() for _ in range(12)]  # more than a page of them
        window = Window(NOW, NOW + MINUTE)
        fresh = await it.reports(window)
        it.play.later(3600)
        over = await it.reports(window)
        for said, states in ((fresh, {"pending"}), (over, {"succeeded", "failed"})):
            assert sorted(each.task for each in said) == sorted(uuids)
            assert {each.state for each in said} == states
        truth = it.play.fake.task_truth("acme")
        assert {each.identity: each.result for each in over} == {
            name: task.now.result for name, task in truth.items() if name.startswith("imports/")
        }
        assert await it.reports(Window(NOW + MINUTE, NOW + HOUR)) == []
        task = OpenTask(fresh[0].identity, fresh[0].task, None)
        assert [*await it.adapter.task_report(it, IMPORTS, task)] == [
            each for each in over if each.identity == task.identity
        ]


@pytest.mark.parametrize(
    ("switches", "reason"),
    [
        (Switches(server="2.1.0", lists_imports=False), "server_failed"),
        (Switches(server="2.2"), "forbidden"),
    ],
)
async def test_imports_that_a_server_does_not_list_are_told_and_left_out(
    switches: Switches, reason: str
) -> None:
    async with management(switches) as it:
        with capture_logs() as logs:
            found = [each async for each in it.adapter.discover(it, Credentials(None))]
        assert found == []
        assert [(log["event"], log["reason"]) for log in logs] == [("failing", reason)]


async def test_an_import_that_the_server_knows_no_more_is_not_taken_for_gone() -> None:
    async with management(Switches(server="2.1.0")) as it:
        unknown = OpenTask(f"imports/{UUID(int=7)}", str(UUID(int=7)), None)
        with pytest.raises(ServerFailed):
            await it.adapter.task_report(it, IMPORTS, unknown)
