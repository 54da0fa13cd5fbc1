"""Long polls of the fake DeviceHive bring what there is, or the first thing that comes, alone."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from simulated_devicehive import NOW, Play, Reply, playing

from harvester.simulator.curves import DAY_MS
from harvester.simulator.devicehive_quirks import Switches
from harvester.simulator.uplinks import QUIET
from harvester.simulator.world import instant, millis

SECOND = timedelta(seconds=1)
NEWER = Switches(version="4.1.0")
BOTH = [Switches(), NEWER]
MESSAGES, COMMANDS = "/device/probe/notification/poll", "/device/probe/command/poll"
START = NOW.isoformat(timespec="milliseconds").removesuffix("+00:00")


async def polling(play: Play, access: str, path: str, **params: str) -> asyncio.Task[Reply]:
    """A poll that has arrived, and waits."""
    there = len(play.fake.cache._told)
    poll = asyncio.create_task(play.ask(access, path, **params))
    async with asyncio.timeout(5):
        while len(play.fake.cache._told) == there:
            await asyncio.sleep(0)
    return poll


def names(reply: Reply) -> list[str]:
    status, rows = reply
    assert status == 200, rows
    return [row.get("notification") or row.get("command") for row in rows]


async def test_of_a_burst_a_waiting_poll_brings_the_first_message_alone() -> None:
    async with playing() as play:
        access = await play.probe()
        poll = await polling(play, access, MESSAGES)
        for name in ("a", "b", "c"):
            await play.notify(access, name, value=1)
        assert names(await poll) == ["a"]


async def test_a_poll_ends_empty_when_its_time_is_up() -> None:
    async with playing() as play:
        access = await play.probe()
        for params, seconds in (({}, 30), ({"waitTimeout": "60"}, 60), ({"waitTimeout": "1"}, 1)):
            poll = await polling(play, access, MESSAGES, **params)
            play.clock.advance(seconds * SECOND - timedelta(milliseconds=1))
            await asyncio.sleep(0)
            assert not poll.done()
            play.clock.advance(timedelta(milliseconds=1))
            assert await poll == (200, [])
        assert await play.ask(access, MESSAGES, waitTimeout="0") == (200, [])


@pytest.mark.parametrize(
    ("wait", "status", "message"),
    [
        ("61", 400, "Timeout can't be more than 60 seconds. "),
        ("-1", 400, "Timeout can't be less than 0 seconds. "),
        ("soon", 404, "HTTP 404 Not Found"),
    ],
)
async def test_nobody_waits_for_more_than_a_minute(wait: str, status: int, message: str) -> None:
    async with playing() as play:
        access = await play.probe()
        refused = (status, {"error": status, "message": message})
        assert await play.ask(access, MESSAGES, waitTimeout=wait) == refused


@pytest.mark.parametrize(("switches", "first"), [(BOTH[0], "after"), (NEWER, "at")])
async def test_what_there_is_since_the_cursor_comes_at_once(switches: Switches, first: str) -> None:
    async with playing(switches) as play:
        access = await play.probe()
        for name, offset in (("before", -1), ("at", 0), ("after", 1)):
            await play.notify(access, name, NOW + offset * SECOND, value=1)
        told = names(await play.ask(access, MESSAGES, timestamp=START, names="at,after"))
        assert sorted(told) == sorted({"after", first})
        assert names(await play.ask(access, MESSAGES, timestamp=START, names="before,after")) == [
            "after"
        ]


async def test_what_comes_from_the_world_wakes_a_poll_too() -> None:
    async with playing(habits=QUIET) as play:
        device, world = play.device("Cold room"), play.fake.world
        (thing,) = (each for each in world.things("acme") if each.uuid == device)
        today = world.uplinks(thing, millis(NOW) // DAY_MS)
        coming = next(instant(each.ms) for each in today if instant(each.ms) > NOW + 10 * SECOND)
        play.clock.set(coming - 10 * SECOND)
        path = f"/device/{device}/notification/poll"
        poll = await polling(play, await play.admin(), path, names="battery,temperature")
        play.clock.set(coming)
        assert names(await poll) == ["temperature"]


async def test_polls_of_many_devices_are_of_what_the_user_sees() -> None:
    async with playing() as play:
        access = await play.probe()
        network = str(play.fake.tokens.site.devices["probe"].network)
        for path, params in (
            ("/device/notification/poll", {}),
            ("/device/notification/poll", {"networkIds": network, "deviceTypeIds": "1"}),
            ("/device/notification/poll", {"deviceId": "probe"}),
        ):
            poll = await polling(play, access, path, **params)
            await play.notify(access, "t", value=1)
            assert names(await poll) == ["t"]
        admin = await play.admin()
        poll = await polling(play, admin, "/device/notification/poll", names="x")
        await play.notify(access, "t", value=1)
        await play.notify(access, "x", value=1)
        assert names(await poll) == ["x"]
        refused = await play.ask(access, "/device/notification/poll", networkIds="99")
        assert refused[0] == 403


@pytest.mark.parametrize(("switches", "expected"), [(BOTH[0], ["t"]), (NEWER, [])])
async def test_newer_servers_look_back_at_one_device_only(
    switches: Switches, expected: list[str]
) -> None:
    async with playing(switches) as play:
        access = await play.probe()
        await play.notify(access, "t", NOW + SECOND, value=1)
        since = {"timestamp": START, "waitTimeout": "0", "names": "t"}
        many = await play.ask(access, "/device/notification/poll", **since)
        assert names(many) == expected
        one = await play.ask(access, "/device/notification/poll", deviceId="probe", **since)
        assert names(one) == ["t"]


@pytest.mark.parametrize(("switches", "expected"), [(BOTH[0], ["valve/open"]), (NEWER, [])])
async def test_the_cursor_of_updates_is_that_of_the_update_at_old_servers_only(
    switches: Switches, expected: list[str]
) -> None:
    async with playing(switches) as play:
        access = await play.probe()
        told = await play.order(access)
        play.clock.advance(5 * SECOND)
        since = (NOW + SECOND).isoformat(timespec="milliseconds").removesuffix("+00:00")
        params = {"timestamp": since, "waitTimeout": "0", "returnUpdatedCommands": "true"}
        assert names(await play.ask(access, COMMANDS, **params)) == []
        await play.report(access, told["id"], status="OK")
        assert names(await play.ask(access, COMMANDS, **params)) == expected


async def test_a_poll_for_commands_brings_new_ones_or_updates() -> None:
    async with playing() as play:
        access = await play.probe()
        new = await polling(play, access, COMMANDS)
        updated = await polling(play, access, COMMANDS, returnUpdatedCommands="true")
        told = await play.order(access)
        assert names(await new) == ["valve/open"] and not updated.done()
        await play.report(access, told["id"], status="OK")
        (row,) = (await updated)[1]
        assert (row["id"], row["status"]) == (told["id"], "OK")


async def test_one_command_is_waited_for_until_it_is_updated() -> None:
    async with playing() as play:
        access = await play.probe()
        told = await play.order(access)
        path = f"/device/probe/command/{told['id']}/poll"
        poll = await polling(play, access, path)
        await play.order(access, "another")
        await play.report(access, told["id"], status="OK")
        status, row = await poll
        assert (status, row["status"]) == (200, "OK")
        assert (await play.ask(access, path, waitTimeout="0"))[1]["status"] == "OK"


async def test_a_command_that_is_not_updated_or_not_there_is_no_content() -> None:
    async with playing() as play:
        access = await play.probe()
        told = await play.order(access)
        path = f"/device/probe/command/{told['id']}/poll"
        assert await play.ask(access, path, waitTimeout="0") == (204, None)
        poll = await polling(play, access, path)
        play.clock.advance(30 * SECOND)
        assert await poll == (204, None)
        assert await play.ask(access, "/device/probe/command/7/poll") == (204, None)


async def test_a_hundred_messages_come_at_once_at_most() -> None:
    async with playing() as play:
        access = await play.probe()
        for number in range(101):
            await play.notify(access, "t", NOW + number * SECOND, value=number)
            await play.order(access)
        since: dict[str, Any] = {"timestamp": "1000000", "waitTimeout": "0"}
        assert len(names(await play.ask(access, MESSAGES, **since))) == 100
        assert len(names(await play.ask(access, COMMANDS, **since))) == 100
        assert len(names(await play.ask(access, COMMANDS, **since, limit="7"))) == 7
        assert (await play.ask(access, COMMANDS, **since, limit="-7"))[0] == 400


async def test_who_has_no_network_gets_nothing_at_once() -> None:
    async with playing() as play:
        play.fake.tokens.site.accounts[play.ana.name].networks.clear()
        access, _ = await play.pair()
        assert await play.ask(access, "/device/notification/poll") == (200, [])
        assert await play.ask(access, "/device", sortField="name") == (200, [])
