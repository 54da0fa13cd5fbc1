"""The fake DeviceHive forgets, and what is true of it is what came in while nobody asked too."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from simulated_devicehive import NOW, Play, playing

from harvester.simulator.curves import DAY_MS
from harvester.simulator.devicehive_flow import Key
from harvester.simulator.devicehive_leaves import leaves, of_notification
from harvester.simulator.devicehive_quirks import Switches
from harvester.simulator.devicehive_tasks import SUCCESS
from harvester.simulator.uplinks import QUIET, Habits, number
from harvester.simulator.world import instant, millis

SECOND, MILLISECOND = timedelta(seconds=1), timedelta(milliseconds=1)
HOUR = timedelta(hours=1)
TTL = 120 * SECOND
LASTING = Switches(access_ttl=10**7)
CROWDED = Habits(twins=0.3, repeated=0.2, late=0.2, corrected=0.2)


async def names(play: Play, access: str) -> list[str]:
    rows = await play.listed(access, "probe", "notification")
    return [row["notification"] for row in rows]


async def test_a_message_is_gone_two_minutes_after_it_came_whatever_its_own_time() -> None:
    async with playing() as play:
        access = await play.probe()
        play.clock.advance(SECOND)
        await play.notify(access, "past", NOW - timedelta(hours=5), value=1)
        await play.notify(access, "future", NOW + timedelta(hours=5), value=2)
        play.clock.advance(TTL)
        assert await names(play, access) == ["past", "future"]
        play.clock.advance(MILLISECOND)
        assert await names(play, access) == []


async def test_an_update_begins_the_life_of_a_command_anew() -> None:
    async with playing() as play:
        access = await play.probe()
        told, _ = await play.order(access), await play.order(access, "left alone")
        play.clock.advance(TTL)
        assert (await play.report(access, told["id"], status="OK"))[0] == 204
        play.clock.advance(TTL)
        (row,) = await play.listed(access, "probe", "command")
        assert (row["timestamp"], row["lastUpdated"]) == (
            "2026-03-04T10:30:00.000",
            "2026-03-04T10:32:00.000",
        )
        play.clock.advance(MILLISECOND)
        gone = {"error": 404, "message": f"Command with id = {told['id']} not found"}
        assert await play.report(access, told["id"], status="late") == (404, gone)
        assert await play.listed(access, "probe", "command") == []


async def test_an_installation_may_keep_all_that_ever_came() -> None:
    async with playing(Switches(cache_ttl=0), history=timedelta(days=2), habits=QUIET) as play:
        admin, device = await play.admin(), play.device("Cold room")
        rows = await play.listed(admin, device, "notification")
        days = {row["timestamp"][:10] for row in rows}
        assert days == {"2026-03-02", "2026-03-03", "2026-03-04"}
        assert len({row["id"] for row in rows}) == len(rows) > 200


async def test_an_uplink_comes_in_when_it_is_published_under_the_time_that_it_is_of() -> None:
    hours = timedelta(hours=3)
    late = replace(QUIET, late=1, delays=(hours,))
    async with playing(LASTING, habits=late) as play:
        admin, device = await play.admin(), play.device("Cold room")
        (thing,) = (each for each in play.fake.world.things("acme") if each.uuid == device)
        (*_, last) = play.fake.world.uplinks(thing, millis(NOW) // DAY_MS + 5)
        own = instant(last.ms)
        assert (own + hours).date() > own.date(), "on a day when nothing of it is new"
        for moment, expected in ((own + hours - MILLISECOND, False), (own + hours, True)):
            play.clock.set(moment)
            rows = await play.listed(admin, device, "notification")
            stated = {datetime.fromisoformat(row["timestamp"] + "Z") for row in rows}
            assert (own in stated) is expected


async def pull(play: Play, admin: str, held: dict[Key, float | str]) -> None:
    """Ask for all that there is, as a client does that knows how to read it."""
    for device in (thing.uuid for thing in play.fake.world.things("acme")):
        said = await play.listed(admin, device, "notification")
        for row in sorted(said, key=lambda row: row["id"]):
            at = datetime.fromisoformat(row["timestamp"] + "Z")
            for channel, value in of_notification(row["notification"], row["parameters"]):
                held[device, channel, at] = read(value)
        for row in await play.listed(admin, device, "command"):
            if row["command"].endswith("/read") and row["status"] in SUCCESS:
                at = datetime.fromisoformat(row["lastUpdated"] + "Z")
                for channel, value in leaves(row["command"], row["result"]):
                    held[device, channel, at] = read(value)


def read(value: Any) -> float | str:
    told = number(value)
    return str(value) if told is None else told


@pytest.mark.parametrize("version", ["3.5.0", "4.1.0"])
async def test_who_asks_often_enough_holds_the_truth(version: Any) -> None:
    switches = replace(LASTING, version=version, commands=1.0)
    async with playing(switches, pace=10, habits=CROWDED) as play:
        admin, held = await play.admin(), dict[Key, float | str]()
        for _ in range(12):
            await pull(play, admin, held)
            play.clock.advance(TTL)
        await pull(play, admin, held)
        came = {each.key for each in play.fake.arrivals("acme") if each.at >= NOW - TTL}
        truth = play.fake.truth("acme")
        assert held == {key: truth[key] for key in came}
        assert len(held) > 300 and any(channel.startswith("adc/read") for _, channel, _ in held)
        assert play.fake.violations == []


async def test_the_truth_is_the_same_whoever_asked_and_when() -> None:
    truths, told = [], Counter[bool]()
    for steps in (1, 40):
        async with playing(LASTING, habits=CROWDED) as play:
            device, access = play.device("Cold room"), await play.admin()
            for _ in range(steps):
                play.clock.advance(timedelta(days=5) / steps)
                await play.listed(access, device, "notification")
            play.fake.cache.subscribe(lambda *_, steps=steps: told.update([steps == 1]))
            truths.append((play.fake.truth("acme"), play.fake.task_truth("acme")))
    assert truths[0] == truths[1] and len(truths[0][0]) > 5000
    assert not told, "nobody is told of what was to be seen long ago"


async def test_what_came_later_of_an_instant_holds_and_of_the_same_moment_the_greater_id() -> None:
    async with playing() as play:
        access = await play.probe()
        sent = {}
        for value in range(6):
            told = await play.notify(access, "t", NOW, value=value)
            sent[told["id"]] = float(value)
        key = ("probe", "t", NOW)
        assert play.fake.truth("acme")[key] == sent[max(sent)]
        play.clock.advance(SECOND)
        await play.notify(access, "t", NOW, value="7.5")
        assert play.fake.truth("acme")[key] == 7.5
        (*_, last) = [each for each in play.fake.arrivals("acme") if each.key == key]
        assert (last.device, last.at, last.value) == ("probe", NOW + SECOND, 7.5)


async def test_readings_in_a_result_are_of_the_instant_of_the_update_if_it_succeeded() -> None:
    async with playing() as play:
        access = await play.probe()
        for status, name in (("OK", "adc/read"), ("Error", "adc/read"), ("OK", "reboot")):
            told = await play.order(access, name)
            play.clock.advance(SECOND)
            await play.report(access, told["id"], status=status, result={"0": "0.5"})
        truth = play.fake.truth("acme")
        mine = {key: value for key, value in truth.items() if key[0] == "probe"}
        assert mine == {("probe", "adc/read.0", NOW + SECOND): 0.5}


async def test_the_truth_of_a_task_is_its_whole_life() -> None:
    async with playing() as play:
        access = await play.probe()
        told = await play.order(access, "reboot")
        for status in ("Error", "OK"):
            play.clock.advance(SECOND)
            await play.report(access, told["id"], status=status, result={"said": status})
        identity = f"probe/{told['id']}/{told['timestamp']}"
        task = play.fake.task_truth("acme")[identity]
        assert (task.kind, task.device) == ("reboot", "probe")
        assert [(each.at - NOW, each.state) for each in task.history] == [
            (0 * SECOND, None),
            (SECOND, "Error"),
            (2 * SECOND, "OK"),
        ]
        assert task.now.result == {"said": "OK"}


async def test_the_worlds_commands_are_the_truth_and_late_answers_are_lost() -> None:
    async with playing(replace(LASTING, commands=2.0), pace=10) as play:
        play.clock.advance(HOUR)
        admin = await play.admin()
        truth = play.fake.task_truth("acme")
        listed = {}
        for device in (thing.uuid for thing in play.fake.world.things("acme")):
            for row in await play.listed(admin, device, "command"):
                listed[f"{device}/{row['id']}/{row['timestamp']}"] = row
        assert len(listed) > 10
        for identity, row in listed.items():
            now = truth[identity].now
            assert (row["status"], row["result"]) == (now.state, now.result)
            assert datetime.fromisoformat(row["lastUpdated"] + "Z") == now.at
        lives = [task.history for task in truth.values()]
        assert all(b.at - a.at <= TTL for life in lives for a, b in pairwise(life))
        assert {len(life) for life in lives} == {1, 2, 3}
        assert set(SUCCESS) | {None, "Error"} < {life[-1].state for life in lives}


async def test_what_a_deleted_device_sends_does_not_come_in() -> None:
    async with playing(LASTING) as play:
        device, other = play.device("Cold room"), play.device("Freezer")
        play.fake.delete(device)
        before = play.fake.truth("acme")
        play.clock.advance(timedelta(hours=2))
        new = {key[0] for key in play.fake.truth("acme").keys() - before.keys()}
        assert device not in new and other in new


async def test_a_platform_whose_clock_is_ahead_stamps_by_it() -> None:
    async with playing(replace(LASTING, clock_skew=timedelta(hours=1))) as play:
        access = await play.probe()
        told = await play.notify(access, "t", value=1)
        assert told["timestamp"] == "2026-03-04T11:30:00.000"
        told = await play.order(access)
        play.clock.advance(SECOND)
        await play.report(access, told["id"], status="OK")
        (row,) = await play.listed(access, "probe", "command")
        assert row["lastUpdated"] == "2026-03-04T11:30:01.000"
        (mine,) = [each for each in play.fake.arrivals("acme") if each.device == "probe"]
        assert mine.at == mine.key[2] == NOW + timedelta(hours=1)
        play.clock.advance(TTL - SECOND)
        assert len(await play.listed(access, "probe", "notification")) == 2
