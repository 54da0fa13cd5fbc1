"""The daemon's parts before a Coiote, tick by tick: what it published, and what became of it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from befallen import slowly
from brought import pulled
from fix_coiote import BEGIN, HOUR, SETTLING, SLOW, plant
from fix_platforms import HISTORY as STAGED, staged
from fix_postgres import Database
from structlog.testing import capture_logs

from harvester.simulator import coiote_rest
from harvester.simulator.coiote_quirks import Switches
from harvester.simulator.faults import Answer, Fault

if TYPE_CHECKING:
    from harvester.store.pool import Pool

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
DETAILS = "GET /api/coiotedm/v3/devices/find/details"
ONE_DEVICE = "GET /api/coiotedm/v3/devices/{device}"
HISTORY = "GET /api/coiotedm/v3/deviceMonitoring/data/{device}/resourceUrl/{url}"


@pytest.mark.parametrize("own", [True, False])
async def test_what_was_published_is_held_whoever_asks(
    database: Database, tmp_path: Path, own: bool
) -> None:
    async with plant(database, tmp_path, own=own) as it:
        for _ in range(3):
            assert await it.beat()
        assert await it.settled() == it.settled_truth()
        assert await it.lost() == {}
        assert it.fake.violations == []


async def test_task_reports_end_as_they_stand(database: Database, tmp_path: Path) -> None:
    async with plant(database, tmp_path, Switches(tasks=0.5), own=False) as it:
        for _ in range(3):
            await it.beat(HOUR)
        await it.beat(SETTLING)
        rows = await it.house.pool.fetch(
            "select identity, kind, device, stated_state from harvester.task_reports"
        )
        told = {row["identity"]: (row["kind"], row["device"], row["stated_state"]) for row in rows}
        truth = it.fake.task_truth("acme")
        assert told == {
            name: (task.kind, task.device, task.now.state) for name, task in truth.items()
        }


@pytest.mark.parametrize("permissions", ["documented", "all"])
async def test_what_is_new_of_devices_is_asked_once_a_tick(
    database: Database, tmp_path: Path, permissions: Any
) -> None:
    async with plant(database, tmp_path, Switches(permissions=permissions), own=False) as it:
        await it.beat()
        it.fake.requests.clear()
        assert await it.beat()
        asked = it.fake.requests[DETAILS], it.fake.requests[ONE_DEVICE]
        if permissions == "documented":
            assert asked == (0, len(it.fake.site.of("acme")))
        else:
            users = len(it.fake.world.tenants["acme"].users)
            assert 1 <= asked[0] <= users and asked[1] == 0


async def test_history_that_went_with_a_move_is_lost(database: Database, tmp_path: Path) -> None:
    async with plant(database, tmp_path) as it:
        await it.beat()
        pulled_until, device = it.clock.now() - SETTLING, it.device("Cold room")
        before = await it.settled()
        it.clock.advance(45 * MINUTE)
        it.fake.move(device.id, "/acme/elsewhere/")
        moved_at = it.clock.now()
        assert not await it.beat(), "its feeds wait for the next discovery"
        assert await it.lost() == {}
        await it.beat(HOUR)
        found_at = it.clock.now()
        lost = await it.lost()
        channels = {channel for name, channel, _ in before if name == device.id} - SLOW
        assert lost.keys() == {f"{device.id} /{channel}" for channel in channels}
        for (span,) in lost.values():
            assert span.since <= pulled_until and span.until == found_at
        await it.beat()
        held, truth = await it.settled(), it.settled_truth()
        gone = {key for key in truth.keys() - held.keys() if key[1] not in SLOW}
        assert gone, "else the test has shown nothing"
        assert {key[0] for key in gone} == {device.id}
        assert all(pulled_until <= key[2] < moved_at for key in gone)
        assert held.items() <= truth.items()


async def test_what_will_be_forgotten_before_it_is_asked_for_is_not_lost(
    database: Database, tmp_path: Path
) -> None:
    async def slow(_: web.Request, honest: Answer) -> web.StreamResponse:
        it.clock.advance(SECOND)
        return await honest(_)

    async with plant(database, tmp_path, history=26 * HOUR, things=1, retention="24h") as it:
        it.fake.faults.add(Fault("GET ", slow, times=None))
        for _ in range(2):
            assert await it.beat(SECOND)
        assert await it.lost() == {}


async def test_a_device_that_is_not_monitored_is_asked_once_a_day(
    database: Database, tmp_path: Path
) -> None:
    async with plant(database, tmp_path) as it:
        await it.beat()
        device = it.device("Cold room")
        it.fake.stop_monitoring(device.id)
        assert not await it.beat()
        reasons = await it.reasons(device.id)
        assert len(reasons) == 3
        assert all("monitoring is not enabled" in each for each in reasons)
        assert await it.beat(HOUR), "nobody sees its feeds now, and they fail no tick"
        assert [await it.beat(6 * HOUR) for _ in range(4)] == [True] * 3 + [False], "a day later"
        assert it.fake.violations == []


async def test_a_day_of_late_and_corrected_readings_ends_equal(
    database: Database, tmp_path: Path
) -> None:
    async with plant(database, tmp_path, Switches(permissions="all"), things=3) as it:
        await it.beat(MINUTE)
        for _ in range(13):
            assert await it.beat(4 * HOUR)
        until = BEGIN + 20 * HOUR
        held, truth = await it.held(), it.truth()
        assert {
            key: value for key, value in held.items() if key[2] < until and key[1] not in SLOW
        } == {key: value for key, value in truth.items() if key[2] < until and key[1] not in SLOW}
        assert it.fake.violations == []


async def test_a_token_that_would_not_outlive_a_request_is_renewed_before_it(pool: Pool) -> None:
    async with staged("coiote", pool) as stage:
        feeds, refused = await stage.feeds(), list[int]()
        slow = slowly(lambda: stage.clock.advance(70 * SECOND), refused)
        fault, calls = stage.fake.faults.add(Fault("GET ", slow, times=None)), stage.calls()
        for feed, api in feeds.values():
            await pulled(stage, feed, api, STAGED)
        assert 401 not in refused
        passed = fault.fired * 70 * SECOND
        assert passed / (5 * MINUTE) <= stage.calls() - calls <= passed / (4 * MINUTE) + len(feeds)


async def test_a_clock_that_is_behind_is_told_once_and_costs_nothing(
    database: Database, tmp_path: Path
) -> None:
    async with plant(database, tmp_path, Switches(clock_skew=-9 * MINUTE)) as it:
        assert not await it.beat()
        with capture_logs() as logs:
            for _ in range(3):
                assert await it.beat()
        assert [log for log in logs if log["event"] == "failing"] == []
        until = it.clock.now() - 11 * MINUTE
        assert {key: each for key, each in (await it.held()).items() if key[2] < until} == {
            key: value for key, value in it.truth().items() if key[2] < until
        }


async def test_a_forbidden_account_is_told_once_and_not_asked_for_each_feed(
    database: Database, tmp_path: Path
) -> None:
    async with plant(database, tmp_path, own=False, things=15) as it:
        await it.beat()
        for user in it.fake.world.tenants["acme"].users:
            it.fake.forbid(user.name, coiote_rest.HISTORY + "{url:.+}")
        it.fake.requests.clear()
        with capture_logs() as logs:
            assert not await it.beat()
        assert len([log for log in logs if log.get("reason") == "not_permitted"]) == 1
        feeds = await it.house.pool.fetchval("select count(*) from harvester.coverage")
        assert it.fake.requests[HISTORY] < feeds / 2, "only those that were under way at once"


async def test_a_move_while_devices_are_listed_costs_all_time_before_it(
    database: Database, tmp_path: Path
) -> None:
    async with plant(database, tmp_path, Switches(permissions="all"), own=False) as it:
        await it.beat()
        device = it.device("Cold room")

        async def moving(request: web.Request, honest: Answer) -> web.StreamResponse:
            it.clock.advance(MINUTE)
            it.fake.move(device.id, "/acme/elsewhere/")
            return await honest(request)

        fault = it.fake.faults.add(Fault("find/details", moving, times=1))
        await it.beat(HOUR)
        moved_at = it.clock.now()
        await it.beat(HOUR)
        spans = [span for spans in (await it.lost()).values() for span in spans]
        assert fault.fired == 1 and len(spans) == 3
        assert all(span.until >= moved_at for span in spans)
