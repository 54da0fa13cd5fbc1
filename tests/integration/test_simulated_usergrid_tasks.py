"""The fake Usergrid sends notifications, and its tenants give commands."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import pytest
from simulated_usergrid import NOW, Play, playing

from harvester.simulator.usergrid_quirks import Switches

ROOT = "/acme/plant7"
OLDER = Switches(server="2.1.0")
HOUR = 3600.0
ORDERS = ("valve/open", "reboot", "config/set")
ENDS = ("done", "failed", "kein Kontakt")
NEWER = {"deviceProcessedCount", "filters", "priority", "processingFinished", "saveReceipts"}
NEWER |= {"useGraph"}
OVER = {"canceled", "finished"}
PAYLOADS = {"payloads": {"push": "Look"}}


async def rows(play: Play, collection: str) -> list[Any]:
    found: list[Any] = (await play.read(collection, await play.login(), limit=1000))["entities"]
    return found


def ways(play: Play, kind: str) -> set[tuple[str | None, ...]]:
    """All in which tasks of a kind went so far, by the platform's words."""
    tasks = [task for task in play.fake.task_truth("acme").values() if task.kind == kind]
    states = [[each.state for each in task.history] for task in tasks]
    return {tuple(state for state, _ in groupby(each)) for each in states}


async def test_notifications_go_all_ways_that_there_are() -> None:
    async with playing(things=2) as play:
        play.later(9 * 24 * HOUR)
        assert ways(play, "notification") >= {
            ("CREATED", "STARTED", "FINISHED"),
            ("CREATED", "STARTED", "FINISHED", "FAILED"),
            ("SCHEDULED", "STARTED", "FINISHED"),
            ("SCHEDULED", "FINISHED"),
            ("SCHEDULED", "EXPIRED"),
            ("SCHEDULED", "CANCELED"),
        }


async def test_the_server_moves_modified_only_when_one_is_over() -> None:
    async with playing(things=2) as play:
        play.later(9 * 24 * HOUR)
        moved = set()
        for entity in play.fake.store("acme").members("notifications"):
            for version in entity.versions:
                is_over = not OVER.isdisjoint(version.properties)
                assert version.modified == (version.at if is_over else entity.created)
                moved.add((version.at > entity.created, is_over))
        assert moved == {(False, False), (True, False), (True, True)}
        for row in await rows(play, "notifications"):
            assert row["state"] != "FINISHED" or row["modified"] == row["finished"]


@pytest.mark.parametrize("unit", ["ms", "s"])
async def test_one_expires_by_time_alone_and_nothing_tells(unit: Any) -> None:
    async with playing(Switches(notification_times=unit), things=0) as play:
        now = play.fake.tokens.now_ms() // {"ms": 1, "s": 1000}[unit]
        minute = 60_000 // {"ms": 1, "s": 1000}[unit]
        told = PAYLOADS | {"deliver": now + 9 * minute, "expire": now + 5 * minute}
        await play.send("POST", f"{ROOT}/notifications", await play.login(), json=told)
        [before] = await rows(play, "notifications")
        play.later(300)
        assert (await rows(play, "notifications"), before["state"]) == ([before], "SCHEDULED")
        play.later(0.001)
        assert await rows(play, "notifications") == [before | {"state": "EXPIRED"}]
        [task] = play.fake.task_truth("acme").values()
        assert [each.state for each in task.history] == ["SCHEDULED", "EXPIRED"]
        play.later(240)
        [over] = await rows(play, "notifications")
        assert (over["state"], over["statistics"]) == ("FINISHED", {"sent": 0, "errors": 0})


@pytest.mark.parametrize("switches", [Switches(), OLDER, Switches(receipts_twice=True)])
async def test_receipts_tell_of_failures_or_of_all_where_that_is_wanted(switches: Switches) -> None:
    async with playing(switches, tenants=("acme",)) as play:
        play.later(48 * HOUR)
        pushed = {row["uuid"]: row for row in await rows(play, "notifications")}
        receipts = await rows(play, "receipts")
        receipts.sort(key=lambda row: (row["notificationUUID"], row["deviceId"]))
        pairs = groupby(receipts, key=lambda row: (row["notificationUUID"], row["deviceId"]))
        wanted = 0
        for (notification, device), found in pairs:
            same, task = list(found), pushed[notification]
            failed = "errorMessage" in same[0]
            assert ("sent" in same[0]) is not failed and ("errorCode" in same[0]) is failed
            assert len(same) == 1 + (failed and switches.receipts_twice)
            assert (failed or task["debug"]) and task.get("saveReceipts", True)
            assert device in {thing.uuid for thing in play.acme.things}
            wanted += not failed
        assert wanted and len(receipts) > wanted
        linked = await rows(play, f"notifications/{receipts[0]['notificationUUID']}/receipts")
        assert bool(linked) is (switches.server == "2.2")


async def test_an_older_server_tells_less_of_a_notification() -> None:
    told: list[set[str]] = []
    for switches in (OLDER, Switches()):
        async with playing(switches, things=2) as play:
            play.later(24 * HOUR)
            told.append({name for row in await rows(play, "notifications") for name in row})
    older, newer = told
    assert older - newer == {"expectedCount"}
    assert newer - older == NEWER


async def test_an_installation_may_count_nothing() -> None:
    async with playing(Switches(statistics=False), tenants=("acme",)) as play:
        play.later(24 * HOUR)
        found = await rows(play, "notifications")
        assert "FINISHED" in {row["state"] for row in found}
        assert not any("statistics" in row for row in found)


async def test_commands_are_written_by_people_so_that_modified_moves() -> None:
    async with playing(things=2) as play:
        play.later(9 * 24 * HOUR)
        found = {way for kind in ORDERS for way in ways(play, kind)}
        begun = ("queued", "sent")
        assert found - {begun[:1]} == {begun, *((*begun, end) for end in ENDS)}
        for entity in play.fake.store("acme").members("commands"):
            assert [each.modified for each in entity.versions] == [
                each.at for each in entity.versions
            ]


async def test_the_truth_is_what_the_platform_tells() -> None:
    async with playing() as play:
        play.later(7 * HOUR)
        true = play.fake.task_truth("acme")
        told = {
            f"notifications/{row['uuid']}": row["state"]
            for row in await rows(play, "notifications")
        }
        told |= {
            f"receipts/{row['notificationUUID']}/{row['deviceId']}": row.get("errorMessage")
            for row in await rows(play, "receipts")
        }
        told |= {f"commands/{row['uuid']}": row["status"] for row in await rows(play, "commands")}
        for identity, task in true.items():
            said = task.now.state
            if task.kind == "receipt":
                outcome = task.now.result
                said = outcome.get("errorMessage") if isinstance(outcome, dict) else None
            assert told.pop(identity) == said
            assert [each.at for each in task.history] == sorted({each.at for each in task.history})
            assert task.now.at <= play.clock.now()
        assert not told and {task.now.at > NOW for task in true.values()} == {True, False}
        assert play.fake.task_truth("globex").keys().isdisjoint(true)


async def test_what_happens_is_the_same_whoever_looks_and_when() -> None:
    truths = []
    for looks in (1, 24):
        async with playing(things=2) as play:
            for _ in range(looks):
                play.later(24 * HOUR / looks)
                await rows(play, "receipts")
            truths.append(play.fake.task_truth("acme"))
    assert truths[0] == truths[1] and truths[0]


async def test_what_is_posted_has_payloads_and_a_time_to_come() -> None:
    async with playing(things=0) as play:
        now, bearer = play.fake.tokens.now_ms(), await play.login()
        for told, code in (
            ({"deliver": now}, "required_property_not_found"),
            ({"payloads": [1]}, "illegal_argument"),
            (PAYLOADS | {"deliver": now - 1}, "illegal_argument"),
            (PAYLOADS | {"deliver": "soon"}, "illegal_argument"),
        ):
            status, body = await play.send("POST", f"{ROOT}/notifications", bearer, json=told)
            assert (status, body["error"]) == (400, code)
        assert play.fake.task_truth("acme") == {}


async def test_one_that_has_begun_can_be_canceled_and_one_that_is_over_be_deleted() -> None:
    async with playing(things=0) as play:
        now, bearer = play.fake.tokens.now_ms(), await play.login()
        paths, denied = [], (403, "forbidden_service_operation")
        for told in (PAYLOADS, PAYLOADS | {"deliver": now + 60_000}):
            _, body = await play.send("POST", f"{ROOT}/notifications", bearer, json=told)
            paths.append(f"{ROOT}/notifications/{body['entities'][0]['uuid']}")
        cancel = {"canceled": True, "deliver": 1}
        for path, method, change in (
            (paths[0], "PUT", cancel),
            (paths[1], "PUT", {"expire": 1}),
            (paths[1], "DELETE", None),
        ):
            status, body = await play.send(method, path, bearer, json=change)
            assert (status, body["error"]) == denied
        play.later(1)
        await play.send("PUT", paths[1], bearer, json=cancel)
        play.later(120)
        [row, over] = await rows(play, "notifications")
        assert (row["state"], row["modified"]) == ("CANCELED", now + 1000)
        assert (row["deliver"], over["state"]) == (now + 60_000, "FINISHED")
        assert [(await play.send("DELETE", path, bearer))[0] for path in paths] == [200, 200]
        assert await rows(play, "notifications") == []
