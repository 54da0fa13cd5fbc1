"""What every adapter of task reports keeps to, shown on the real one before its fake."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest
from befallen import TROUBLE, among, endured
from fix_platforms import HISTORY, NOW, SINCE, Stage, login
from msgspec.structs import replace

from harvester import platforms, task_reports
from harvester.auth import AccountApi
from harvester.model import FINAL, Feed, OpenTask, TaskReport, Window
from harvester.simulator import fakes
from harvester.simulator.fakes import Standing, TaskTruth
from harvester.simulator.faults import Fault

PLATFORMS = [
    name for name in platforms.names() if "task_reports" in platforms.adapter(name).streams
]
ASPECT = "tasks"
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
MILLISECOND = timedelta(milliseconds=1)
Told = tuple[AccountApi, Feed, TaskReport]
MOST_TICKS = 20


async def test_all_tasks_are_reported_as_the_platform_says_they_stand(quirky: Stage) -> None:
    truth = quirky.fake.task_truth("acme")
    reported = await quirky.reported()
    assert reported.keys() == truth.keys()
    for identity, task in truth.items():
        said = reported[identity]
        assert (said.kind, said.device) == (task.kind, task.device)
        assert (said.stated_state, said.result) == (task.now.state, task.now.result)
    unknown = {each.stated_state for each in reported.values() if each.state == "unknown"}
    assert unknown <= fakes.stated(quirky.platform, "STRANGE_STATES", frozenset[str | None]())
    assert quirky.fake.violations == []


async def test_whatever_is_reported_can_be_stored_and_each_once(stage: Stage) -> None:
    reported = list((await stage.reported()).values())
    kept, rejections = task_reports.normalize(reported, stage.clock.now())
    assert (len(kept), rejections) == (len(reported), [])
    assert {each.state in FINAL for each in kept} == {True, False}


async def test_the_life_of_a_task_is_told_from_standing_to_standing(
    stage: Stage, to_come: Mapping[str, TaskTruth]
) -> None:
    lives = (task.history for task in to_come.values() if task.history[0].at > NOW)
    held, stood = dict[str, Told](), list[set[tuple[str, str | None]]]()
    for window in windows(max(lives, key=len)):
        stage.clock.set(window.until)
        await ask(stage, held, window)
        assert held.keys() == states(stage).keys()
        assert outdated(stage, held) <= over(held), (
            "such may be begun anew: they are asked for at times"
        )
        stood.append(set(states(stage).items()))
    assert len(stood) > 1 and stood[0] - stood[1]
    stage.clock.advance(6 * HOUR)
    for _ in range(MOST_TICKS):
        if outdated(stage, held):
            stage.clock.advance(MINUTE)
            await ask(stage, held, Window(NOW, stage.clock.now()))
    assert not outdated(stage, held)


async def ask(stage: Stage, held: dict[str, Told], window: Window) -> None:
    """For what changed, and by itself for each that is not over and was not told of."""
    for user in stage.tenant.users:
        held |= {told[2].identity: told for told in await stage.reports_of(user, window)}
    for name in outdated(stage, held) - over(held):
        api, feed, report = held[name]
        [again] = await by_itself(stage, api, feed, report)
        held[name] = api, feed, again


def outdated(stage: Stage, held: Mapping[str, Told]) -> set[str]:
    """Which stand otherwise now, or ended once more since they were told of."""
    truth = stage.fake.task_truth("acme")
    return {name for name, told in held.items() if not stands(told[2], truth[name].now)}


def stands(report: TaskReport, truth: Standing) -> bool:
    told_at = (report.state in FINAL and report.updated_at) or truth.at
    return report.stated_state == truth.state and told_at >= truth.at


def over(held: Mapping[str, Told]) -> set[str]:
    return {name for name, told in held.items() if told[2].state in FINAL}


def states(stage: Stage) -> dict[str, str | None]:
    """As all tasks stand now, in the platform's words."""
    truth = stage.fake.task_truth("acme").items()
    return {name: task.now.state for name, task in truth}


def windows(history: Sequence[Standing]) -> list[Window]:
    """Each ends with another standing of that life; the first is of all time before, too."""
    ends = [*(each.at - MILLISECOND for each in history[1:]), history[-1].at + MINUTE]
    return list(map(Window, [SINCE, *ends], ends))


async def by_itself(
    stage: Stage, api: AccountApi, feed: Feed, report: TaskReport
) -> list[TaskReport]:
    task = OpenTask(report.identity, report.task, report.device)
    said = await stage.adapter.task_report(api, feed, task)
    return [each for each in said if isinstance(each, TaskReport)]


async def test_a_task_is_told_by_itself_as_it_is_in_the_list(stage: Stage) -> None:
    for api, feed, report in (await stage.reports_of(stage.ana))[::5]:
        assert await by_itself(stage, api, feed, report) == [report]
        gone = replace(report, identity=report.identity + "0", task="1" + report.task)
        assert await by_itself(stage, api, feed, gone) == []


@pytest.mark.parametrize("row", ["21.5", None], ids=repr)
async def test_a_row_that_is_none_costs_no_report(stage: Stage, row: object) -> None:
    stage.fake.faults.add(Fault("GET ", among(row), times=None))
    told = {name: report.stated_state for name, report in (await stage.reported()).items()}
    assert told.items() >= states(stage).items()


@pytest.mark.parametrize("kind", ["throttled", "failed"])
async def test_trouble_with_a_request_for_reports_is_told_and_costs_none(
    hasty: Stage, kind: str
) -> None:
    feeds = {
        feed: await hasty.api(login(user))
        for user in hasty.tenant.users
        for each in await hasty.discovered(login(user))
        for feed in each.feeds
        if feed.stream == "task_reports"
    }
    held: dict[str, str | None] = {}

    async def told() -> dict[str, str | None]:
        """With what came before trouble: it is kept."""
        for feed, api in feeds.items():
            async for said in hasty.adapter.task_reports(api, feed, HISTORY):
                held.update(
                    {it.identity: it.stated_state for it in said if isinstance(it, TaskReport)}
                )
        return held

    await endured(hasty.fake.faults, TROUBLE[kind], told, states(hasty))
