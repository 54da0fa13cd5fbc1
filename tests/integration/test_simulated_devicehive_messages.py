"""The fake DeviceHive is sent notifications and commands, and asked for single ones."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from simulated_devicehive import NOW, playing

from harvester.simulator.devicehive_quirks import AS_DOCUMENTED, Switches

SECOND = timedelta(seconds=1)
PATH = "/device/probe"


async def test_a_notification_is_answered_with_its_id_and_time_only() -> None:
    async with playing() as play:
        access = await play.probe()
        told = await play.notify(access, "t", NOW - SECOND, value=21.5)
        assert told == {"id": told["id"], "timestamp": "2026-03-04T10:29:59.000"}
        assert 0 <= told["id"] < 2**31
        status, row = await play.ask(access, f"{PATH}/notification/{told['id']}")
        assert (status, row["parameters"], row["timestamp"]) == (
            200,
            {"value": 21.5},
            told["timestamp"],
        )
        missing = {"error": 404, "message": "Requested notification not found"}
        path = f"{PATH}/notification/{told['id'] + 1}"
        assert await play.ask(access, path) == (404, missing)


@pytest.mark.parametrize(
    ("kind", "told", "status", "message"),
    [
        ("notification", {}, 400, "Invalid request parameters"),
        (
            "notification",
            {"notification": "t", "parameters": 7},
            400,
            "'parameters' must be JSON Object!",
        ),
        ("notification", {"notification": "t", "timestamp": "x"}, 400, "Unparseable timestamp"),
        (
            "notification",
            {"notification": "$device-add"},
            403,
            "It's forbidden to insert these special notifications: $device-update, $device-add.",
        ),
        ("command", {}, 400, "Command is required"),
        ("command", {"command": "c", "parameters": []}, 400, "'parameters' must be JSON Object!"),
        ("command", {"command": "c", "result": "x"}, 400, "'result' must be JSON Object!"),
    ],
)
async def test_what_is_sent_out_of_shape_is_refused(
    kind: str, told: Any, status: int, message: str
) -> None:
    async with playing() as play:
        access = await play.probe()
        refused = (status, {"error": status, "message": message})
        assert await play.ask(access, f"{PATH}/{kind}", method="POST", body=told) == refused


async def test_nobody_changes_or_deletes_a_notification() -> None:
    async with playing() as play:
        access = await play.probe()
        told = await play.notify(access, "t", value=1)
        for method in ("PUT", "DELETE"):
            path = f"{PATH}/notification/{told['id']}"
            status, body = await play.ask(access, path, method=method, body={})
            assert (status, body["message"]) == (405, "HTTP 405 Method Not Allowed")


async def test_a_command_waits_for_an_answer_and_has_all_its_keys() -> None:
    async with playing() as play:
        access = await play.probe()
        told = await play.order(access, "valve/open", parameters={"line": 3}, lifetime=60)
        assert told.keys() == {"id", "timestamp", "lastUpdated", "userId"}
        assert told["timestamp"] == told["lastUpdated"]
        path = f"{PATH}/command/{told['id']}"
        status, row = await play.ask(access, path)
        device = play.fake.tokens.site.devices["probe"]
        assert (status, row) == (
            200,
            {
                **told,
                "command": "valve/open",
                "deviceId": "probe",
                "networkId": device.network,
                "deviceTypeId": 1,
                "parameters": {"line": 3},
                "lifetime": 60,
                "status": None,
                "result": None,
            },
        )
        missing = {"error": 404, "message": f"Command with id = {told['id']} not found"}
        assert await play.ask(access, path, returnUpdatedCommands="true") == (404, missing)


async def test_an_update_says_a_status_or_a_result_or_both() -> None:
    async with playing() as play:
        access = await play.probe()
        told = await play.order(access)
        path = f"{PATH}/command/{told['id']}"
        for update, expected in (
            ({"status": "running"}, ("running", None)),
            ({"result": {"opened": True}}, ("running", {"opened": True})),
            ({"status": "OK", "result": None}, ("OK", None)),
        ):
            play.clock.advance(SECOND)
            assert await play.report(access, told["id"], **update) == (204, None)
            _, row = await play.ask(access, path, returnUpdatedCommands="true")
            assert (row["status"], row["result"]) == expected
        assert row["lastUpdated"] == "2026-03-04T10:30:03.000" != row["timestamp"]
        assert (await play.report(access, told["id"] + 1, status="OK"))[0] == 404
        assert (await play.report(access, told["id"], result="x"))[0] == 400


@pytest.mark.parametrize(
    ("stamps", "round_one", "other"),
    [
        ("plain", "2026-03-04T10:30:00.000", "2026-03-04T10:30:00.089"),
        ("zulu", "2026-03-04T10:30:00.000Z", "2026-03-04T10:30:00.089Z"),
        ("short", "2026-03-04T10:30:00", "2026-03-04T10:30:00.089"),
    ],
)
async def test_times_are_said_in_the_way_of_the_installation(
    stamps: Any, round_one: str, other: str
) -> None:
    async with playing(replace(AS_DOCUMENTED, stamps=stamps)) as play:
        access = await play.probe()
        assert (await play.notify(access, "t", value=1))["timestamp"] == round_one
        play.clock.advance(timedelta(milliseconds=89))
        assert (await play.order(access))["timestamp"] == other
        assert (await play.get("/info", None))[1]["serverTimestamp"] == other


async def test_of_few_ids_some_are_met_again_and_no_message_is_lost() -> None:
    async with playing(Switches(ids=20_000, cache_ttl=0), history=timedelta(days=2)) as play:
        admin = await play.admin()
        rows = []
        for thing in play.fake.world.things("acme"):
            rows += await play.listed(admin, thing.uuid, "notification")
        ids = [row["id"] for row in rows]
        keys = {(row["deviceId"], row["id"], row["timestamp"]) for row in rows}
        assert len(set(ids)) < len(ids) == len(keys)


async def test_requests_are_counted_by_route() -> None:
    async with playing() as play:
        access = await play.probe()
        await play.listed(access, "probe", "notification")
        told = await play.order(access)
        await play.report(access, told["id"], status="OK")
        assert play.fake.requests["GET /api/rest/device/{device}/notification"] == 1
        assert play.fake.requests["PUT /api/rest/device/{device}/command/{number}"] == 1
