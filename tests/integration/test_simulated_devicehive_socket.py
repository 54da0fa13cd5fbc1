"""The fake DeviceHive is asked over a WebSocket as over HTTP, and what befalls a connection."""

import asyncio
from datetime import timedelta
from socket import SHUT_WR

import pytest
from aiohttp import WSMsgType, WSServerHandshakeError
from simulated_devicehive import NOW, playing
from simulated_devicehive_socket import line

from harvester.simulator.devicehive_quirks import Switches
from harvester.simulator.faults import Fault, refuse

ORDER = {"sortField": "timestamp", "sortOrder": "ASC", "take": 1000}
SECOND = timedelta(seconds=1)


async def test_what_is_there_is_the_same_as_over_http() -> None:
    async with playing() as play:
        access = await play.probe()
        told = await play.notify(access, "temperature", value=21.5)
        ordered = await play.order(access)
        async with line(play, access) as it:
            listed = (await it.done("device/list"))["devices"]
            assert sorted(listed, key=str) == sorted(
                (await play.get("/device", access))[1], key=str
            )
            assert (await it.done("network/list"))["networks"] == (
                await play.get("/network", access)
            )[1]
            for kind, number in (("notification", told["id"]), ("command", ordered["id"])):
                rows = await play.listed(access, "probe", kind)
                assert (await it.done(f"{kind}/list", deviceId="probe", **ORDER))[
                    f"{kind}s"
                ] == rows
                found = await it.done(f"{kind}/get", deviceId="probe", **{f"{kind}Id": number})
                assert found[kind] in rows
        assert play.fake.violations == []


async def test_what_is_written_is_there_for_all() -> None:
    async with playing() as play:
        access, _ = await play.pair()
        async with line(play, access) as it:
            assert await it.done("device/save", deviceId="probe", device={"name": "Probe"}) == {}
            device = (await it.done("device/get", deviceId="probe"))["device"]
            assert (device["name"], device["data"]) == ("Probe", None)
            said = {"notification": "t", "parameters": {"value": 1}}
            told = await it.done("notification/insert", deviceId="probe", notification=said)
            assert told["notification"].keys() == {"id", "timestamp"}
            ordered = await it.done("command/insert", deviceId="probe", command={"command": "go"})
            number = ordered["command"]["id"]
            done = {"status": "OK", "result": {"to": 3}}
            about = {"deviceId": "probe", "commandId": number}
            assert await it.done("command/update", **about, command=done) == {}
            (command,) = await play.listed(access, "probe", "command")
            assert command.items() >= {"id": number, "status": "OK", "result": {"to": 3}}.items()
            rows = await play.listed(access, "probe", "notification")
            assert {row["notification"] for row in rows} == {"$device-add", "t"}
            assert await it.done("device/delete", deviceId="probe") == {}
            assert await it.refused("device/get", deviceId="probe") == (403, "Access is denied")


@pytest.mark.parametrize("switches", [Switches(), Switches(version="4.1.0")])
async def test_a_list_of_which_nobody_says_how_much_has_twenty(switches: Switches) -> None:
    async with playing(switches) as play:
        access = await play.probe()
        for n in range(25):
            await play.notify(access, "t", NOW - n * SECOND, value=n)
        async with line(play, access) as it:
            assert (
                len((await it.done("notification/list", deviceId="probe"))["notifications"]) == 20
            )
        assert "a list was asked for without saying how much of it" in play.fake.violations


async def test_who_is_not_there_may_only_come_in() -> None:
    async with playing() as play, line(play) as it:
        for action in ("device/list", "notification/subscribe", "command/insert"):
            assert await it.refused(action) == (401, "Unauthorized")
        assert len(play.fake.violations) == 3
        assert (await it.done("server/info"))["info"] == {
            "apiVersion": "3.5.0",
            "serverTimestamp": "2026-03-04T10:30:00.000",
            "restServerUrl": f"{play.fake.url}/api/rest",
        }
        user = {"login": play.ana.name, "password": play.ana.password}
        tokens = await it.done("token", **user)
        again = await it.done("token/refresh", refreshToken=tokens["refreshToken"])
        assert tokens.keys() - again.keys() == {"refreshToken"}
        await it.done("authenticate", token=again["accessToken"])
        assert (await it.done("device/list"))["devices"]
        assert play.fake.token_calls == {"password": 1, "refresh_token": 1}


async def test_a_refusal_has_the_form_of_the_websocket() -> None:
    async with playing() as play:
        access, refresh = await play.pair()
        async with line(play) as it:
            play.clock.advance(timedelta(minutes=30, milliseconds=1))
            for token, error in (
                (access, "Token expired"),
                (refresh, "Invalid credentials"),
                ("garbage", "Invalid credentials"),
                ("", "Unauthorized"),
            ):
                assert await it.refused("authenticate", token=token) == (401, error)
            wrong = {"login": play.ana.name, "password": "typo"}
            assert await it.refused("token", **wrong) == (401, "Invalid credentials")
            assert await it.refused("token/refresh") == (
                400,
                "Missing or invalid payload in request",
            )
            odd = await it.refused("token/refresh", refreshToken="garbage")
            assert odd == (500, "Invalid response status")


async def test_what_lacks_something_is_refused_by_what_it_lacks() -> None:
    async with playing() as play:
        access = await play.probe()
        async with line(play, access) as it:
            for action, told, error in (
                ("notification/list", {}, "Device id is wrong or empty"),
                ("notification/get", {"deviceId": "probe"}, "Notification id is wrong or empty"),
                ("command/get", {"deviceId": "probe"}, "Command id is wrong or empty"),
                (
                    "command/get",
                    {"deviceId": "probe", "commandId": "7x"},
                    "Command id is wrong or empty",
                ),
                ("notification/insert", {"deviceId": "probe"}, "Notification is required"),
                ("command/insert", {"deviceId": "probe"}, "Command is required"),
                ("command/insert", {"command": {"command": "go"}}, "Device id is wrong or empty"),
            ):
                assert await it.refused(action, **told) == (400, error)
            about = {"deviceId": "probe", "notificationId": 1}
            missing = (404, "Requested notification not found")
            assert await it.refused("notification/get", **about) == missing
            assert (await it.refused("no/such"))[0] == 500
            for odd in ("no JSON", "1"):
                await it.socket.send_str(odd)
                answer = {"status": "error", "code": 400, "error": "Malformed Json received."}
                assert await it.socket.receive_json() == answer


async def test_a_failure_without_an_answer_leaves_the_connection_as_it_was() -> None:
    async with playing() as play:
        access = await play.probe()
        for _ in range(2):
            await play.order(access)
        async with line(play, access) as it:
            told = {"action": "command/list", "deviceId": "probe", **ORDER, "sortField": "status"}
            await it.socket.send_json(told)
            assert await it.heard() == []
            assert (await it.done("server/info"))["info"]


async def test_all_are_pinged_each_half_minute_of_the_worlds_clock() -> None:
    async with playing() as play, line(play) as it, line(play) as other:
        for _ in range(2):
            play.clock.advance(timedelta(seconds=29))
            assert await it.heard() == []
            play.clock.advance(SECOND)
            for each in (it, other):
                assert (await each.socket.receive()).type is WSMsgType.PING


async def test_a_connection_is_broken_or_closed_and_what_it_followed_is_forgotten() -> None:
    async with playing() as play:
        access = await play.probe()
        admin = await play.admin()
        async with line(play, access) as ana, line(play, admin) as other:
            for each in (ana, other):
                await each.done("notification/subscribe")
            sockets = play.fake.sockets
            assert (sockets.opened, len(sockets.subscriptions)) == (2, 2)
            sockets.drop(play.ana.name)
            sockets.say("too late", play.ana.name)
            assert (await ana.socket.receive()).type in (WSMsgType.CLOSED, WSMsgType.ERROR)
            assert await other.heard() == []
            assert (len(sockets.sessions), len(sockets.subscriptions)) == (1, 1)
            sockets.restart()
            assert (await other.socket.receive()).type is WSMsgType.CLOSE
            assert other.socket.close_code == 1012
        async with line(play, access) as it:
            assert await it.done("subscription/list") == {"subscriptions": []}
            assert (sockets.opened, sockets.actions["authenticate"]) == (3, 3)
            assert not play.fake.cache.followed.is_set()


async def test_a_half_open_connection_says_nothing_more() -> None:
    async with playing() as play:
        access = await play.probe()
        async with line(play, access) as it, line(play, access) as other:
            await it.done("notification/subscribe")
            play.fake.sockets.say("no JSON", play.ana.name)
            assert (await it.socket.receive()).data == "no JSON"
            assert (await other.socket.receive()).data == "no JSON"
            play.fake.sockets.freeze(play.ana.name)
            await play.notify(access, "t", value=1)
            await it.socket.ping(b"there?")
            async with line(play, access) as new:
                await new.done("notification/subscribe")
                await play.notify(access, "t", value=2)
                assert [each["action"] for each in await new.heard()] == ["notification/insert"]
            goodbye = asyncio.create_task(it.socket.close())
            async with line(play) as new:
                assert await new.heard() == []
            assert not goodbye.done()
            play.fake.sockets.drop()
            await goodbye
            assert it.socket.close_code == 1006
        assert play.fake.sockets.sessions == []


async def test_who_hangs_up_is_forgotten_and_leaves_nothing_behind() -> None:
    async with playing() as play:
        access, _ = await play.pair()
        before = len(asyncio.all_tasks())
        for frozen in (False, True):
            async with line(play, access) as it:
                await it.done("notification/subscribe")
                if frozen:
                    play.fake.sockets.freeze()
                it.socket.get_extra_info("socket").shutdown(SHUT_WR)
                await it.socket.receive()
            await play.get("/device", access)
            assert play.fake.sockets.sessions == []
        assert len(asyncio.all_tasks()) == before


async def test_a_websocket_may_be_refused() -> None:
    async with playing() as play:
        play.fake.faults.add(Fault("/api/websocket", refuse(503)))
        with pytest.raises(WSServerHandshakeError) as refused:
            async with line(play):
                pass
        assert refused.value.status == 503
        assert play.fake.requests["GET /api/websocket"] == 1
        assert play.fake.sockets.opened == 0


async def test_a_token_in_the_address_is_noticed() -> None:
    async with playing() as play, line(play, query="?token=secret"):
        assert len(play.fake.violations) == 1
        assert "secret" not in play.fake.violations[0]
