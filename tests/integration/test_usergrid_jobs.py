"""Imports and exports of Usergrid: before the real adapter, and through the whole corridor."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from exchanged import LeapClock, OneToken
from fix_postgres import Database
from fix_usergrid import HOUR, Plant, at_work, configured
from simulated_usergrid import MANAGEMENT, NOW, Play, playing
from structlog.testing import capture_logs

from harvester import config
from harvester.client import Client
from harvester.errors import RequestRefused
from harvester.model import FINAL, Credentials, OpenTask, TaskReport, Window
from harvester.platforms.usergrid import Adapter
from harvester.platforms.usergrid.options import UsergridOptions
from harvester.simulator.faults import Fault, refuse
from harvester.simulator.usergrid_logins import application_client, organization_client
from harvester.simulator.usergrid_quirks import Switches

OLDER = Switches(server="2.1.0")
PLACES = {
    "imports": "/management/orgs/acme/apps/plant7/imports",
    "exports": "/management/orgs/acme/export",
}
STORAGE = {"bucket_location": "b", "s3_access_id": "i", "s3_key": "k"}
WISH = {"properties": {"storage_provider": "s3", "storage_info": STORAGE}}
UNKNOWN = str(UUID(int=7))
MINUTE = timedelta(minutes=1)
WINDOW = Window(NOW, NOW + HOUR)
CLIENT = Credentials(None)

Jobs = Mapping[str, Sequence[str]]
"""UUIDs by kind, as the settings have them."""

_STORED = """
select identity, kind, device, stated_state, result from harvester.task_reports
where tenant = 'acme' and kind in ('import', 'export') and vanished_at is null
"""
_HISTORY = """
select state from harvester.task_report_history
where tenant = 'acme' and identity = $1 order by revision
"""


async def begun(play: Play, count: int) -> dict[str, list[str]]:
    """So many jobs of each kind, which somebody just began."""
    _, told = await play.client(organization_client(play.acme), MANAGEMENT)
    jobs: dict[str, list[str]] = {}
    for kind, where in PLACES.items():
        bodies = [
            (await play.send("POST", where, told["access_token"], json=WISH))[1]
            for _ in range(count)
        ]
        jobs[kind] = [
            str(body["entities"][0]["uuid"] if kind == "imports" else body["Export Entity"])
            for body in bodies
        ]
    return jobs


@dataclass(slots=True)
class Management(OneToken):
    """Of an organization's client, and the adapter."""

    adapter: Adapter

    async def reports(self) -> dict[str, TaskReport]:
        """Of all feeds that it finds, by identity."""
        found = [each async for each in self.adapter.discover(self, CLIENT)]
        return {
            each.identity: each
            for feed in (feed for each in found for feed in each.feeds)
            async for said in self.adapter.task_reports(self, feed, WINDOW)
            for each in said
            if isinstance(each, TaskReport)
        }


@asynccontextmanager
async def management(play: Play, jobs: Jobs) -> AsyncIterator[Management]:
    url = play.fake.url
    named = {"level": "management", "organization": "acme", "application": "plant7", **jobs}
    options = UsergridOptions.model_validate({"base_url": url, **named})
    _, told = await play.client(organization_client(play.acme), MANAGEMENT)
    clock = LeapClock(NOW)  # so that no try is waited for
    async with Client(url, clock, tenant="a", platform="usergrid", concurrency=4) as client:
        yield Management(client, told["access_token"], Adapter(options))


async def test_jobs_are_told_as_they_stand_whoever_began_them() -> None:
    async with playing(OLDER, things=0) as play:
        jobs = await begun(play, 12)
        async with management(play, jobs) as it:
            assert {each.state for each in (await it.reports()).values()} == {"pending"}
            play.later(HOUR.total_seconds())
            over, truth = await it.reports(), play.fake.task_truth("acme")
            assert len(over) == 24
            assert {
                name: (each.kind, each.device, each.stated_state, each.result)
                for name, each in over.items()
            } == {
                name: (task.kind, task.device, task.now.state, task.now.result)
                for name, task in truth.items()
            }
            assert {each.state for each in over.values()} == {"succeeded", "failed"}


@pytest.mark.parametrize(("kind", "tries"), [("imports", 4), ("exports", 1)])
async def test_a_uuid_of_no_job_costs_no_more_than_its_own_tries(kind: str, tries: int) -> None:
    async with playing(OLDER, things=0) as play:
        jobs = await begun(play, 1)
        async with management(play, {**jobs, kind: [UNKNOWN, *jobs[kind]]}) as it:
            before = play.fake.requests["GET"]
            with capture_logs() as logs:
                assert len(await it.reports()) == 2
            assert [log["what"] for log in logs] == [f"{PLACES[kind]}/{UNKNOWN}"]
            asked = 2 + 3  # to find out who may; then two jobs, of which one has files
            assert play.fake.requests["GET"] - before == asked + 2 * tries - 1
            task = OpenTask(f"{kind}/{UNKNOWN}", UNKNOWN, None)
            [feed] = [
                feed
                async for each in it.adapter.discover(it, CLIENT)
                for feed in each.feeds
                if feed.key == kind
            ]
            with pytest.raises(RequestRefused):
                await it.adapter.task_report(it, feed, task)


async def test_a_server_without_such_jobs_is_told_and_none_is_asked_for() -> None:
    async with playing(things=0) as play, management(play, {"imports": [UNKNOWN]}) as it:
        with capture_logs() as logs:
            assert await it.reports() == {}
        assert [(log["reason"], log["status"]) for log in logs] == [("forbidden", 404)]


@asynccontextmanager
async def harvested(
    play: Play, database: Database, folder: Path, jobs: Jobs
) -> AsyncIterator[Plant]:
    """Tasks alone, through users of the application and the organization's client."""
    settings = await asyncio.to_thread(_of_organization, play, database, folder, jobs)
    async with at_work(play.fake, play.clock, settings) as it:
        yield it


def _of_organization(play: Play, database: Database, folder: Path, jobs: Jobs) -> config.Settings:
    configured(play.fake, database, folder, {})
    client, path = organization_client(play.acme), folder / "config.toml"
    (folder / "acme.client_secret").write_text(client.secret, "utf-8")
    lines = path.read_text("utf-8").replace(application_client(play.acme).id, client.id)
    text = "".join(each for each in lines.splitlines(True) if not each.startswith("readings"))
    named = "".join(f"{kind} = {json.dumps(uuids)}\n" for kind, uuids in jobs.items())
    path.write_text(text.replace("[tenant.options]\n", f"[tenant.options]\n{named}"), "utf-8")
    return config.load(path)


async def states(it: Plant, identity: str) -> list[Any]:
    """All that was seen of a task, from the first on."""
    return [row["state"] for row in await it.house.pool.fetch(_HISTORY, identity)]


async def test_jobs_are_kept_up_with_while_others_are_not_known(
    database: Database, tmp_path: Path
) -> None:
    async with playing(OLDER, tenants=("acme",), things=1) as play:
        jobs = await begun(play, 2)
        named = {kind: [UNKNOWN, *uuids] for kind, uuids in jobs.items()}
        async with harvested(play, database, tmp_path, named) as it:
            assert await it.tick()
            for _ in range(3):
                assert await it.beat(10 * MINUTE)
            truth = {
                name: (task.kind, task.device, task.now.state, task.now.result)
                for name, task in play.fake.task_truth("acme").items()
                if task.kind in ("import", "export")
            }
            rows = await it.house.pool.fetch(_STORED)
            assert {name: tuple(said) for name, *said in rows} == truth
            for name in truth:
                *open_, over = await states(it, name)
                assert set(open_) == {"running"}  # each try of what is not known takes seconds
                assert over in FINAL


async def test_an_import_that_the_server_fails_at_leaves_other_tasks_their_turn(
    database: Database, tmp_path: Path
) -> None:
    async with playing(OLDER, tenants=("acme",), things=1) as play:
        jobs = await begun(play, 1)
        async with harvested(play, database, tmp_path, jobs) as it:
            play.later(2)
            store, now = play.fake.store("acme"), play.fake.tokens.now_ms()
            other = store.put("notifications", {"payloads": {}, "queued": now}, now)
            play.later(120)
            await it.tick()
            [uuid] = jobs["imports"]
            fault = play.fake.faults.add(Fault(uuid, refuse(500), times=None))
            now = play.fake.tokens.now_ms()
            store.update(other, {"started": now}, now, modified=other.now.modified)
            await it.beat(10 * MINUTE)
            assert await states(it, f"notifications/{other.uuid}") == ["pending", "running"]
            assert fault.fired == 4, "its feed asked, and nobody else"
            play.fake.faults.clear()
            await it.beat(10 * MINUTE)
            await it.beat(10 * MINUTE)
            first, *_, last = await states(it, f"imports/{uuid}")
            assert (first, last) == (
                "running",
                "succeeded" if _ended_well(play, uuid) else "failed",
            )


def _ended_well(play: Play, uuid: str) -> bool:
    return play.fake.task_truth("acme")[f"imports/{uuid}"].now.state == "FINISHED"
