"""Whoever subscribed at the fake DeviceHive is told over the WebSocket of what it may see."""

from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest
from simulated_devicehive import NOW, Play, playing
from simulated_devicehive_socket import Line, line

from harvester.simulator.devicehive_quirks import Switches

SECOND = timedelta(seconds=1)
DENIED = (403, "Access is denied")


async def values(it: Line) -> list[int]:
    """Of the notifications that were sent so far."""
    return [each["notification"]["parameters"]["value"] for each in await it.heard()]


async def rows(play: Play, access: str) -> dict[tuple[int, str], Any]:
    """All notifications that are there, by id and timestamp."""
    _, devices = await play.get("/device", access)
    lists = [await play.listed(access, each["id"], "notification") for each in devices]
    return {(row["id"], row["timestamp"]): row for each in lists for row in each}


async def test_what_the_world_sends_is_told_before_a_later_answer() -> None:
    async with playing(pace=4) as play:
        access, _ = await play.pair()
        before = await rows(play, access)
        async with line(play, access) as it:
            subscription = await it.done("notification/subscribe")
            play.clock.advance(110 * SECOND)
            messages = await it.heard()
        news = {key: row for key, row in (await rows(play, access)).items() if key not in before}
        assert {
            (each["notification"]["id"], each["notification"]["timestamp"]) for each in messages
        } == news.keys()
        for each in messages:
            row = each.pop("notification")
            assert row == news[row["id"], row["timestamp"]]
            assert each == {"action": "notification/insert", **subscription}
        assert messages


async def test_a_subscription_outlives_its_token() -> None:
    async with playing() as play:
        access = await play.probe()
        async with line(play, access) as it:
            await it.done("notification/subscribe", deviceId="probe")
            play.clock.advance(timedelta(hours=1))
            await it.heard()
            assert (await play.get("/device", access))[0] == 401
            await play.notify((await play.pair())[0], "t", value=7)
            assert await values(it) == [7]
            assert (await it.done("device/list"))["devices"]
            assert await it.refused("authenticate", token=access) == (401, "Token expired")


async def test_each_is_told_of_its_own_networks_alone() -> None:
    async with playing() as play:
        access = await play.probe()
        site = play.fake.tokens.site
        network = site.devices["probe"].network
        other = next(
            each
            for each in site.accounts.values()
            if network not in each.networks and each.networks
        )
        _, body = await play.login(login=other.login, password=other.password)
        async with line(play, access) as hers, line(play, body["accessToken"]) as his:
            for each in (hers, his):
                await each.done("notification/subscribe")
            await play.notify(access, "t", value=1)
            play.fake.assign(other.login, network)  # of which nothing knows that is there already
            await play.notify(access, "t", value=2)
            assert await values(hers) == [1, 2]
            assert await his.heard() == []


async def test_what_is_of_no_network_is_told_to_who_sees_all_of_a_tenant() -> None:
    async with playing() as play, AsyncExitStack() as lines:
        admin, (access, _) = await play.admin(), await play.pair()
        networks = [str(each["id"]) for each in (await play.get("/network", admin))[1]]
        foreign = play.fake.world.tenants["globex"].admin_client
        _, body = await play.login(login=foreign.id, password=foreign.secret)
        every = await narrowed(play, admin, networkIds=networks)
        opened = [
            await lines.enter_async_context(line(play, token))
            for token in (admin, admin, every, access, body["accessToken"])
        ]
        for each, told in zip(opened, ({}, {"networkIds": networks}, {}, {}, {}), strict=True):
            await each.done("notification/subscribe", **told)
        await play.probe()
        (message,), *others = [await each.heard() for each in opened]
        notification = message["notification"]
        assert (notification["notification"], notification["networkId"]) == ("$device-add", None)
        assert others == [[], [], [], []]


@pytest.mark.parametrize(
    ("updates", "expected"), [(False, "command/insert"), (True, "command/update")]
)
async def test_a_subscription_to_commands_is_to_new_ones_or_to_updates(
    updates: bool, expected: str
) -> None:
    async with playing() as play:
        access = await play.probe()
        async with line(play, access) as it:
            await it.done("command/subscribe", returnUpdatedCommands=updates)
            ordered = await play.order(access)
            play.clock.advance(SECOND)
            await play.report(access, ordered["id"], status="OK", result={"opened": True})
            (message,) = await it.heard()
            assert (message["action"], message["command"]["id"]) == (expected, ordered["id"])
            assert message["command"]["status"] == ("OK" if updates else None)
            changed = message["command"]["lastUpdated"] != message["command"]["timestamp"]
            assert changed is updates


async def test_a_subscription_is_narrowed_by_device_name_and_network() -> None:
    async with playing() as play:
        access = await play.probe()
        network = play.fake.tokens.site.devices["probe"].network
        _, listed = await play.get("/device", access)
        other = next(each for each in listed if each["networkId"] != network)
        mine = [each["id"] for each in listed if each["networkId"] == network]
        beside = next(each for each in mine if each != "probe")
        for told, expected in (
            ({"deviceId": "probe"}, [1, 2]),
            ({"deviceId": beside}, []),
            ({"deviceId": other["id"]}, []),
            ({"networkIds": [network], "deviceTypeIds": [1]}, [1, 2]),
            ({"networkIds": [other["networkId"]]}, []),
            ({"names": ["u"]}, [2]),
        ):
            async with line(play, access) as it:
                await it.done("notification/subscribe", **told)
                await play.notify(access, "t", value=1)
                await play.notify(access, "u", value=2)
                assert await values(it) == expected, told


async def test_nobody_subscribes_to_what_is_not_its_own() -> None:
    async with playing() as play:
        access, _ = await play.pair()
        none = await narrowed(play, access, networkIds=[])
        silent = await narrowed(play, access, networkIds=["*"], actions=["GetDevice"])
        async with line(play, access) as ana, line(play, await play.admin()) as admin:
            for told in ({"deviceId": "no-such"}, {"networkIds": [99]}, {"deviceTypeIds": [99]}):
                assert await ana.refused("notification/subscribe", **told) == DENIED
                assert (await admin.refused("command/subscribe", **told))[0] == 404
            empty = await admin.refused("notification/subscribe", deviceId="")
            assert empty == (400, "Device id is wrong or empty")
        for token, refusal in (
            (none, (403, "No access to any device type or network")),
            (silent, DENIED),
        ):
            async with line(play, token) as it:
                assert await it.refused("notification/subscribe") == refusal
        async with line(play, silent) as it:
            for action in ("command/unsubscribe", "subscription/list"):
                assert await it.refused(action) == DENIED


async def narrowed(play: Play, access: str, **told: object) -> str:
    """A token of the same user for notifications only, or as is told."""
    _, user = await play.get("/user/current", access)
    usual: dict[str, object] = {"actions": ["GetDeviceNotification"], "deviceTypeIds": ["*"]}
    _, body = await play.post("/create", usual | {"userId": user["id"]} | told, access)
    return str(body["accessToken"])


@pytest.mark.parametrize(
    ("version", "of_one", "of_all"), [("3.5.0", [2, 3], [2, 3]), ("4.1.0", [1, 2, 3], [])]
)
async def test_what_is_there_already_is_told_after_the_answer_if_asked_for(
    version: Any, of_one: list[int], of_all: list[int]
) -> None:
    async with playing(Switches(version=version)) as play:
        access = await play.probe()
        for n in range(4):
            await play.notify(access, "t", NOW + n * SECOND, value=n)
        since = {"timestamp": "2026-03-04T10:30:01.000", "names": ["t"]}
        for told, expected in (({}, []), (since | {"deviceId": "probe"}, of_one), (since, of_all)):
            async with line(play, access) as it:
                await it.done("notification/subscribe", **told)
                assert sorted(await values(it)) == expected
        play.clock.advance(121 * SECOND)
        async with line(play, access) as it:
            await it.done("notification/subscribe", **since, deviceId="probe")
            assert await it.heard() == [], "nobody has it any more"
        assert play.fake.sockets.subscriptions == []


@pytest.mark.parametrize("version", ["3.5.0", "4.1.0"])
async def test_twenty_commands_that_are_there_are_told_unless_more_are_asked_for(
    version: Any,
) -> None:
    async with playing(Switches(version=version, commands=0)) as play:
        access = await play.probe()
        for _ in range(25):
            await play.order(access)
        since = {"deviceId": "probe", "timestamp": "2026-03-04T10:00:00"}
        async with line(play, access) as it:
            for told, expected in ((since, 20), (since | {"limit": 1000}, 25)):
                await it.done("command/subscribe", **told)
                assert len(await it.heard()) == expected


async def test_a_device_that_moves_away_is_followed_no_more() -> None:
    async with playing() as play:
        access = await play.probe()
        networks = [each["id"] for each in (await play.get("/network", access))[1]]
        play.fake.move("probe", networks[0])
        async with line(play, access) as it, line(play, access) as other:
            await it.done("notification/subscribe", deviceId="probe")
            await other.done("notification/subscribe")
            for value in (1, 2):
                await play.notify(access, "t", value=value)
                play.fake.move("probe", networks[1])
            assert await values(it) == [1]
            assert await values(other) == [1, 2]
            since = {"deviceId": "probe", "timestamp": "2026-03-04T10:00:00", "names": ["t"]}
            await it.done("notification/subscribe", **since)
            assert await values(it) == [2]


async def test_subscriptions_are_listed_and_end_one_by_one_or_all_of_a_kind() -> None:
    async with playing() as play:
        access = await play.probe()
        async with line(play, access) as it:
            told = {"deviceId": "probe", "names": ["t"]}
            first = await it.done("notification/subscribe", **told)
            await it.done("notification/subscribe")
            commands = await it.done("command/subscribe")
            missing = (404, f"Subscription with id {commands['subscriptionId']} was not found")
            assert await it.refused("notification/unsubscribe", **commands) == missing
            listed = (await it.done("subscription/list", type="notification"))["subscriptions"]
            absent = {"networkIds": None, "deviceTypeIds": None, "timestamp": None}
            assert len(listed) == 2
            assert listed[0] == {"type": "notification", **first, **told, **absent}
            await it.done("notification/unsubscribe", **first)
            assert len((await it.done("subscription/list"))["subscriptions"]) == 2
            await it.done("notification/unsubscribe")
            (left,) = (await it.done("subscription/list"))["subscriptions"]
            assert (left["type"], left["subscriptionId"]) == ("command", commands["subscriptionId"])
            await play.notify(access, "t", value=1)
            assert await it.heard() == []
