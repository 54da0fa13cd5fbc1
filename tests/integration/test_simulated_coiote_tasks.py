"""The fake Coiote's tasks: reports since an instant, by their keys, one by one, and summed up."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from simulated_coiote import MILLISECOND, NOW, Play, playing

from harvester.simulator.coiote_quirks import Switches
from harvester.simulator.coiote_rights import REPORTS_SINCE, SUMMARY
from harvester.simulator.coiote_shapes import stamp
from harvester.simulator.fakes import TaskTruth
from harvester.simulator.world import millis

DAY = timedelta(days=1)
BUSY = Switches(tasks=1)
ALWAYS = {"startTime", "lastUpdateTime", "taskId", "deviceId", "status", "blocking", "properties"}


def identity(report: Any) -> str:
    return f"{report['taskId']} {report['deviceId']}"


def order(report: Any) -> tuple[str, str, str]:
    return report["lastUpdateTime"], report["taskId"], report["deviceId"]


def path(task: str, device: str) -> str:
    return f"taskReports/{quote(task, safe='')}/{quote(device, safe='')}"


async def since(play: Play, at: datetime, **params: str) -> list[Any]:
    told = {"lastUpdateTime": at.isoformat(), **params}
    rows: list[Any] = await play.told(await play.service(), REPORTS_SINCE, **told)
    return rows


def stands(report: Any) -> tuple[object, ...]:
    return report["lastUpdateTime"], report["status"], report["summary"]


def true(truth: TaskTruth) -> tuple[object, ...]:
    return stamp(millis(truth.now.at)), truth.now.state, truth.now.result


async def test_reports_since_the_beginning_are_all_that_are_true_in_order() -> None:
    async with playing(BUSY) as play:
        rows = await since(play, NOW - 2 * DAY)
        truth = play.fake.task_truth("acme")
        assert {identity(each): stands(each) for each in rows} == {
            key: true(task) for key, task in truth.items()
        }
        assert rows == sorted(rows, key=order) and len(rows) == len(truth) > 200
        assert {task.kind for task in truth.values()} == {"device task", "group task"}
        words = Counter(each["status"] for each in rows)
        assert words.keys() >= {"Success", "Error", "Warning", "InProgress"}
        assert all(each.keys() >= ALWAYS for each in rows)
        running = [each for each in rows if each["status"] == "InProgress"]
        assert {each["finishTime"] for each in running} == {None}


async def test_a_group_begins_and_ends_in_one_millisecond() -> None:
    async with playing(BUSY) as play:
        rows = await since(play, NOW - 2 * DAY)
        ties = Counter(each["lastUpdateTime"] for each in rows)
        at, count = ties.most_common(1)[0]
        assert count >= 3
        moment = datetime.fromisoformat(at)
        assert at not in {each["lastUpdateTime"] for each in await since(play, moment)}
        again = await since(play, moment - MILLISECOND, limit=str(count))
        assert {each["lastUpdateTime"] for each in again} == {at}
    async with playing(Switches(tasks=1, since_inclusive=True)) as play:
        assert (await since(play, moment, limit=str(count))) == again


async def test_pages_of_changes_bring_all_of_them() -> None:
    async with playing(Switches(tasks=1, report_cap=20)) as play:
        assert len(await since(play, NOW - 2 * DAY, limit="512")) == 20
        found: dict[str, Any] = {}
        start = NOW - 2 * DAY
        while rows := [each for each in await since(play, start) if identity(each) not in found]:
            found |= {identity(each): each for each in rows}
            start = datetime.fromisoformat(rows[-1]["lastUpdateTime"]) - MILLISECOND
        assert found.keys() == play.fake.task_truth("acme").keys()


async def test_changes_may_be_those_of_one_task_or_device_or_of_no_group() -> None:
    async with playing(BUSY) as play:
        rows = await since(play, NOW - 2 * DAY)
        device, task = play.device("Door").id, rows[-1]["taskId"]
        mine = [each for each in rows if each["deviceId"] == device]
        assert await since(play, NOW - 2 * DAY, deviceId=device) == mine != []
        its = [each for each in rows if each["taskId"] == task]
        assert await since(play, NOW - 2 * DAY, taskId=task, pollingInterval="5") == its != []
        direct = await since(play, NOW - 2 * DAY, directTasksOnly="True")
        assert direct == [each for each in rows if each["taskId"].startswith("d:")] != rows


@pytest.mark.parametrize(
    "asked", [{"lastUpdateTime": ""}, {"limit": "0"}, {"limit": "all"}, {"pollingInterval": "0"}]
)
async def test_a_question_for_changes_out_of_shape_is_refused(asked: dict[str, str]) -> None:
    async with playing() as play:
        params = {"lastUpdateTime": NOW.isoformat(), **asked}
        told = await play.get(await play.service(), REPORTS_SINCE, **params)
        assert (told[0], told[1]["code"]) == (400, 4000)


async def test_users_have_keys_and_single_reports_of_what_they_see() -> None:
    async with playing(BUSY) as play:
        access = await play.token()
        for route in (REPORTS_SINCE, SUMMARY):
            assert (await play.get(access, route))[0] == 403
        keys = await play.told(access, "taskReports")
        seen = set(await play.told(access, "devices"))
        truth = play.fake.task_truth("acme")
        mine = {key: task for key, task in truth.items() if task.device in seen}
        assert {identity(each) for each in keys} == mine.keys() != truth.keys()
        for each in keys[::9]:
            report = await play.told(access, path(each["taskId"], each["deviceId"]))
            assert stands(report) == true(mine[identity(each)])


@pytest.mark.parametrize(
    ("criteria", "field", "start"),
    [
        ("deviceId eq '{deviceId}'", "deviceId", "{deviceId}"),
        ("taskId eq '{taskId}'", "taskId", "{taskId}"),
        ("taskId startswith 'g:'", "taskId", "g:"),
    ],
)
async def test_keys_are_searched_by_one_condition(criteria: str, field: str, start: str) -> None:
    async with playing(BUSY) as play:
        access = await play.service()
        keys = await play.told(access, "taskReports")
        found = await play.told(access, "taskReports", searchCriteria=criteria.format(**keys[0]))
        assert found == [each for each in keys if each[field].startswith(start.format(**keys[0]))]
        assert 0 < len(found) < len(keys)


async def test_keys_may_be_searched_by_time() -> None:
    hour_ago = stamp(millis(NOW - timedelta(hours=1)))
    criteria = f"lastUpdateTime gt '{hour_ago}'"
    async with playing(BUSY) as play:
        told = await play.get(await play.service(), "taskReports", searchCriteria=criteria)
        assert (told[0], told[1]["code"]) == (400, 4000)
    async with playing(Switches(tasks=1, search_by_time=True)) as play:
        found = await play.told(await play.service(), "taskReports", searchCriteria=criteria)
        late = await since(play, NOW - timedelta(hours=1))
        assert {identity(each) for each in found} == {identity(each) for each in late} != set()


async def test_what_has_not_begun_is_told_from_what_there_is_not() -> None:
    async with playing(BUSY) as play:
        access, device = await play.service(), play.device("Door").id
        tasks = await play.told(access, "tasks")
        groups = [each for each in tasks if each.startswith("g:")]
        dead = next(each for each in play.fake.site.of("acme") if not each.thing.active)
        status, body = await play.get(access, path(groups[0], dead.id))
        assert (status, body) == (404, {"message": "Task has not been executed yet.", "code": 4041})
        for unknown in (path("d:none:1", device), path(groups[0], "none"), "tasks/d:none:1"):
            status, body = await play.get(access, unknown)
            assert (status, body["code"]) == (404, 4040)
        for task in tasks[::30]:
            told = await play.told(access, f"tasks/{quote(task, safe='')}")
            assert (told["id"], told["config"]["isActive"]) == (task, True)


async def test_a_task_goes_from_nothing_over_running_to_its_end_and_may_be_run_again() -> None:
    async with playing(BUSY) as play:
        play.clock.advance(timedelta(hours=8))
        (key, task), *_ = (
            each
            for each in play.fake.task_truth("acme").items()
            if [it.state for it in each[1].history] == ["InProgress", "Success"] * 2
            and each[1].history[0].at > NOW + timedelta(minutes=5)
        )
    async with playing(BUSY) as play:
        starts = set[str]()
        play.clock.set(task.history[0].at - MILLISECOND)
        for standing in (None, *task.history):
            if standing:
                play.clock.set(standing.at)
            status, told = await play.get(await play.service(), path(*key.split(" ")))
            expected = (200, standing.state) if standing else (404, None)
            assert (status, told.get("status")) == expected
            starts |= {told["startTime"]} if standing else set()
        assert len(starts) == 2 and told["finishTime"] == told["lastUpdateTime"]


async def test_what_is_not_started_may_be_reported_all_the_same() -> None:
    async with playing(Switches(tasks=1, not_started="told", nulls="absent")) as play:
        rows = await since(play, NOW - 2 * DAY)
        waiting = [each for each in rows if each["status"] == "NotStarted"]
        assert waiting and all("startTime" not in each for each in waiting)
        assert len(rows) == len(play.fake.task_truth("acme"))
    async with playing(Switches(tasks=1, not_started="told", finish_times="told")) as play:
        rows = await since(play, NOW - 2 * DAY)
        assert None not in {each["finishTime"] for each in rows}
    async with playing(Switches(tasks=0)) as play:
        assert await since(play, NOW - 2 * DAY) == []
        assert play.fake.task_truth("acme") == {}


async def test_what_was_read_stands_in_the_report() -> None:
    async with playing(BUSY) as play:
        rows = await since(play, NOW - 2 * DAY)
        names = {tuple(it["name"] for it in each["properties"]) for each in rows}
        assert names == {(), ("Temperature.0.Sensor Value", "lastSuccessfulOperation")}


async def test_a_summary_counts_what_is_over_and_what_is_not() -> None:
    async with playing(BUSY) as play:
        access = await play.service()
        groups = await play.told(access, "tasks", searchCriteria="id startswith 'g:'")
        told = await play.told(access, SUMMARY, taskId=groups[0])
        rows = await since(play, NOW - 2 * DAY, taskId=groups[0])
        over = sum(each["finishTime"] is not None for each in rows)
        assert (told["totalScheduled"], told["completed"]) == (9, over)
        assert told["inProgress"] == len(rows) - over
        assert told["notCompleted"] + told["completed"] == 9
        assert told["completionRate"] == over / 9
        assert (await play.get(access, SUMMARY, taskId="d:none:1"))[0] == 404


async def test_a_move_takes_the_reports_from_before_it() -> None:
    async with playing(BUSY) as play:
        device = play.device("Door")
        before = await since(play, NOW - 2 * DAY, deviceId=device.id)
        play.fake.move(device.id, "/acme/roof/")
        assert await since(play, NOW - 2 * DAY, deviceId=device.id) == []
        play.clock.advance(timedelta(hours=2))
        after = await since(play, NOW - 2 * DAY, deviceId=device.id)
        assert after and all(each["lastUpdateTime"] > stamp(millis(NOW)) for each in after)
        truth = play.fake.task_truth("acme")
        assert {identity(each) for each in (*before, *after)} <= truth.keys()


async def test_of_a_device_that_left_what_its_tasks_did_before_is_true() -> None:
    async with playing(BUSY) as play:
        device = play.device("Door").id
        play.fake.delete(device)
        before = play.fake.task_truth("acme")
        assert await since(play, NOW - 2 * DAY, deviceId=device) == []
        play.clock.advance(timedelta(hours=2))
        after = play.fake.task_truth("acme")
        its = {key: task for key, task in after.items() if task.device == device}
        assert its == {key: task for key, task in before.items() if task.device == device}
        assert its and after != before


async def test_a_skewed_platform_tells_its_own_time() -> None:
    async with playing(Switches(tasks=1, clock_skew=timedelta(hours=1))) as play:
        rows = await since(play, NOW)
        assert rows and all(each["lastUpdateTime"] > stamp(millis(NOW)) for each in rows)
        truth = play.fake.task_truth("acme")
        assert {identity(each): stands(each) for each in rows} == {
            identity(each): true(truth[identity(each)]) for each in rows
        }
