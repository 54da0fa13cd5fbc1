"""What the fake DeviceHive says of devices and networks, and who is told."""

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from simulated_devicehive import playing

from harvester.simulator.devicehive_quirks import Switches

DENIED = {"error": 403, "message": "Access is denied"}


def ids(rows: Any) -> set[str]:
    return {row["id"] for row in rows}


async def test_devices_have_all_their_keys_and_come_in_no_order_unless_asked() -> None:
    async with playing() as play:
        admin = await play.admin()
        _, rows = await play.ask(admin, "/device", sortField="name")
        assert rows[0].keys() == {
            *("id", "name", "data", "networkId", "deviceTypeId"),
            "isBlocked",
        }
        assert [row["name"] for row in rows] == sorted(row["name"] for row in rows)
        _, down = await play.ask(admin, "/device", sortField="NAME", sortOrder="desc")
        assert down == rows[::-1]
        orders = [[row["id"] for row in (await play.ask(admin, "/device"))[1]] for _ in range(3)]
        assert len(rows) == len(orders[0]) == 10 and len(set(map(tuple, orders))) > 1
        assert await play.ask(admin, "/device/count") == (200, {"count": 10})


async def test_devices_are_found_by_name_pattern_and_network() -> None:
    async with playing() as play:
        admin = await play.admin()
        _, rows = await play.ask(admin, "/device", sortField="name")
        first = rows[0]
        _, networks = await play.ask(admin, "/network")
        name = next(each["name"] for each in networks if each["id"] == first["networkId"])
        beside = {row["id"] for row in rows if row["networkId"] == first["networkId"]}
        for params, expected in (
            ({"name": first["name"]}, {first["id"]}),
            ({"name": first["name"][:-1]}, set[str]()),
            ({"namePattern": "F_eezer%"}, {row["id"] for row in rows if "Freez" in row["name"]}),
            ({"namePattern": "%room%"}, {row["id"] for row in rows if "room" in row["name"]}),
            ({"namePattern": "F.eezer%"}, set[str]()),
            ({"networkId": str(first["networkId"])}, beside),
            ({"networkName": name}, beside),
        ):
            assert ids((await play.ask(admin, "/device", **params))[1]) == expected, params


async def test_pages_of_devices_are_asked_for_in_an_order() -> None:
    async with playing() as play:
        admin = await play.admin()
        seen = []
        for skip in range(0, 12, 4):
            page = {"sortField": "name", "take": "4", "skip": str(skip)}
            seen += [row["id"] for row in (await play.ask(admin, "/device", **page))[1]]
        assert len(seen) == len(set(seen)) == 10
        assert play.fake.violations == []
        await play.ask(admin, "/device", take="4")
        assert play.fake.violations == ["pages of devices were asked for in no order"]


@pytest.mark.parametrize(
    ("params", "status", "message"),
    [
        ({"sortField": "id"}, 400, "Invalid request parameters"),
        ({"sortField": "name", "sortOrder": "up"}, 400, "Unparseable sort order : up"),
        ({"sortField": "name", "take": "-1"}, 400, "Invalid request parameters"),
        ({"networkId": "seven"}, 404, "HTTP 404 Not Found"),
    ],
)
async def test_what_devices_are_asked_for_in_vain_is_told(
    params: dict[str, str], status: int, message: str
) -> None:
    async with playing() as play:
        expected = (status, {"error": status, "message": message})
        assert await play.ask(await play.admin(), "/device", **params) == expected


async def test_a_client_is_denied_what_an_admin_does_not_find() -> None:
    async with playing() as play:
        access, admin = (await play.pair())[0], await play.admin()
        _, hers = await play.ask(access, "/device")
        hidden = next(
            thing.uuid
            for thing in play.fake.world.things("acme")
            if play.ana.name not in thing.seen_by
        )
        assert (await play.ask(access, f"/device/{hers[0]['id']}"))[0] == 200
        assert (await play.ask(admin, f"/device/{hidden}"))[0] == 200
        others = play.fake.world.things("globex")[0].uuid
        for device in (hidden, "nobody", others):
            for rest in ("", "/notification", "/command", "/notification/poll", "/command/7"):
                assert await play.ask(access, f"/device/{device}{rest}") == (403, DENIED)
        missing = {"error": 404, "message": "Device with such deviceId = nobody not found"}
        for rest in ("", "/notification", "/command", "/notification/poll"):
            assert await play.ask(admin, f"/device/nobody{rest}") == (404, missing)
        assert (await play.ask(admin, f"/device/{others}"))[0] == 404


async def test_what_a_token_has_no_action_for_is_denied() -> None:
    async with playing() as play:
        access, _ = await play.pair()
        user = (await play.ask(access, "/user/current"))[1]["id"]
        asked = {"userId": user, "actions": ["GetDevice"], "networkIds": ["*"]}
        _, body = await play.post("/create", asked, access)
        narrow, (device, *_) = body["accessToken"], (await play.ask(access, "/device"))[1]
        assert (await play.ask(narrow, "/device"))[0] == 200
        for path in ("/network", "/devicetype", f"/device/{device['id']}/notification"):
            assert await play.ask(narrow, path) == (403, DENIED)
        path = f"/device/{device['id']}/notification"
        told = {"notification": "t", "parameters": {}}
        assert await play.ask(narrow, path, method="POST", body=told) == (403, DENIED)


async def test_networks_of_the_user_come_with_their_devices() -> None:
    async with playing() as play:
        access, admin = (await play.pair())[0], await play.admin()
        (first, *_) = (await play.ask(access, "/network", sortField="name"))[1]
        assert first.keys() == {"id", "name", "description"}
        _, whole = await play.ask(access, f"/network/{first['id']}")
        assert whole["devices"][0].keys() == {"id", "name", "data", "isBlocked"}
        _, rows = await play.ask(access, "/device", networkId=str(first["id"]))
        assert ids(whole["devices"]) == ids(rows)
        hers = ids((await play.ask(access, "/network"))[1])
        (hidden, *_) = ids((await play.ask(admin, "/network"))[1]) - hers
        assert await play.ask(access, f"/network/{hidden}") == (403, DENIED)
        assert (await play.ask(admin, "/network/99"))[0] == 404
        _, types = await play.ask(access, "/devicetype")
        assert types == [{"id": 1, "name": "Default Device Type", "description": None}]


async def test_a_network_that_was_taken_away_closes_its_devices_at_once() -> None:
    async with playing() as play:
        access, _ = await play.pair()
        _, before = await play.ask(access, "/device")
        gone = before[0]["networkId"]
        play.fake.tokens.site.accounts[play.ana.name].networks.discard(gone)
        _, after = await play.ask(access, "/device")
        assert ids(after) == {row["id"] for row in before if row["networkId"] != gone}
        path = f"/device/{before[0]['id']}/notification"
        assert await play.ask(access, path) == (403, DENIED)


async def test_a_device_is_registered_changed_moved_and_deleted_and_that_is_told() -> None:
    async with playing() as play:
        access = await play.probe()
        networks = [row["id"] for row in (await play.ask(access, "/network"))[1]]
        play.clock.advance(timedelta(seconds=1))
        told = {"name": "Probe 2", "data": {"fw": "1"}, "networkId": networks[-1]}
        assert await play.ask(access, "/device/probe", method="PUT", body=told) == (204, None)
        _, device = await play.ask(access, "/device/probe")
        assert device == {"id": "probe", "deviceTypeId": 1, "isBlocked": False, **told}
        add, update = await play.listed(access, "probe", "notification")
        assert [add["notification"], update["notification"]] == ["$device-add", "$device-update"]
        assert update["parameters"] == device and add["parameters"]["name"] == "Probe"
        assert (add["networkId"], add["deviceTypeId"]) == (None, None)
        play.fake.move("probe", networks[0])
        assert (await play.ask(access, "/device/probe"))[1]["networkId"] == networks[0]
        assert await play.ask(access, "/device/probe", method="DELETE") == (204, None)
        assert await play.ask(access, "/device/probe") == (403, DENIED)


@pytest.mark.parametrize(
    ("path", "told", "status"),
    [
        ("/device/under_score", {"name": "x"}, 400),
        ("/device/nameless", {}, 400),
        ("/device/lost", {"name": "x", "networkId": 99}, 400),
        ("/device/probe", [], 400),
    ],
)
async def test_what_cannot_be_registered_is_refused(path: str, told: Any, status: int) -> None:
    async with playing() as play:
        access = await play.probe()
        assert (await play.ask(access, path, method="PUT", body=told))[0] == status


async def test_a_device_of_another_network_cannot_be_taken_over() -> None:
    async with playing() as play:
        access = await play.probe()
        admin = await play.admin()
        hidden = ids((await play.ask(admin, "/device"))[1]) - ids(
            (await play.ask(access, "/device"))[1]
        )
        told = {"name": "mine now"}
        for device in hidden:
            path = f"/device/{device}"
            status, body = await play.ask(access, path, method="PUT", body=told)
            assert (status, body["message"]) == (403, "No access to device")


async def test_ids_with_characters_that_a_path_cannot_hold_are_encoded() -> None:
    switches = Switches(odd_device_ids=True)
    async with playing(switches, pace=20) as play:
        admin, device = await play.admin(), play.device("Cold room")
        assert {" ", "%", "ü", "+", "#", "?"} < set(device)
        path = f"/device/{quote(device, safe='')}"
        assert (await play.ask(admin, path))[1]["id"] == device
        rows = await play.listed(admin, device, "notification")
        assert {row["deviceId"] for row in rows} == {device}
        assert {key[0] for key in play.fake.truth("acme")} <= ids(
            (await play.ask(admin, "/device"))[1]
        )


async def test_success_may_bear_the_name_of_something_else_than_json() -> None:
    async with playing(Switches(content_type="text/plain")) as play:
        access = await play.probe()
        headers = {"Authorization": f"Bearer {access}"}
        url = f"{play.fake.url}/api/rest/device"
        async with play.http.get(url, headers=headers) as answer:
            assert (answer.status, answer.content_type) == (200, "text/plain")
        async with play.http.get(url) as answer:
            assert (answer.status, answer.content_type) == (401, "application/json")
