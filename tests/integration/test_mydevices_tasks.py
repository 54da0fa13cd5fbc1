"""Task reports of myDevices, as its fake lists them to each user."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from fix_platforms import NOW, SINCE, Stage, login, staged

from harvester.errors import Malformed
from harvester.model import Feed, OpenTask, TaskReport, Window
from harvester.simulator.fakes import TaskTruth
from harvester.simulator.faults import Fault, html_page, refuse
from harvester.simulator.mydevices import FakeMydevices
from harvester.simulator.tenants import User

if TYPE_CHECKING:
    from harvester.store.pool import Pool

WINDOW = Window(SINCE, NOW)
STATES = {"completed": "succeeded", "triggered": "running", "not triggered": "pending"}


async def told(stage: Stage, user: User) -> dict[str, TaskReport]:
    """All reports that a user is told, by identity."""
    api = await stage.api(login(user))
    [feed] = [
        feed
        for each in await stage.discovered(login(user))
        for feed in each.feeds
        if feed.stream == "task_reports"
    ]
    assert feed == Feed("task_reports", f"tasks of {user.name}")
    answers = stage.reads.task_reports(api, feed, WINDOW)
    return {report.identity: report async for answer in answers for report in answer}


async def told_to_all(stage: Stage) -> dict[str, TaskReport]:
    reports: dict[str, TaskReport] = {}
    for user in stage.tenant.users:
        reports |= await told(stage, user)
    return reports


def truth(stage: Stage) -> dict[str, TaskTruth]:
    assert isinstance(stage.fake, FakeMydevices)
    return stage.fake.task_truth("acme")


def agrees(report: TaskReport, true: TaskTruth) -> bool:
    now = true.now
    state = "unknown" if report.kind == "report" else STATES.get(now.state or "", now.state)
    said = (report.kind, report.device, report.stated_state, report.state, report.updated_at)
    return said == (true.kind, true.device, now.state, state, now.at.replace(microsecond=0))


@pytest.fixture
async def stage(request: pytest.FixtureRequest, pool: "Pool") -> AsyncIterator[Stage]:
    async with staged("mydevices", pool, tasks_as=getattr(request, "param", "bare")) as stage:
        yield stage


@pytest.mark.parametrize("stage", ["bare", "rows", "named"], indirect=True)
async def test_what_all_users_are_told_is_the_truth_in_every_form_and_as_time_goes_by(
    stage: Stage,
) -> None:
    for _ in range(3):
        reports, true = await told_to_all(stage), truth(stage)
        assert reports.keys() == true.keys()
        assert [name for name, each in reports.items() if not agrees(each, true[name])] == []
        stage.clock.advance(timedelta(hours=3))
    kinds = {each.kind for each in reports.values()}
    states = {each.state for each in reports.values()}
    assert kinds == {"report", "report run", "alert"}
    assert states == {"unknown", "pending", "running", "succeeded", "failed"}
    assert stage.fake.violations == []


async def test_a_user_is_told_of_what_he_sees_and_not_of_the_rest(stage: Stage) -> None:
    for user in stage.tenant.users:
        things = {it.uuid for it in stage.tenant.things if user.name in it.seen_by}
        reports = await told(stage, user)
        assert {each.device for each in reports.values()} - {None} <= things
        assert reports.keys() < truth(stage).keys()


async def test_a_run_that_was_pending_is_asked_for_again_until_it_is_over(stage: Stage) -> None:
    api, [alert, *_] = await stage.api(), (await told(stage, stage.ana)).values()
    seen: list[str | None] = []
    later = [each.at for each in rerun(stage).history]
    for at in later:
        stage.clock.set(max(at + timedelta(milliseconds=1), stage.clock.now()))
        task = OpenTask(rerun_name(stage), alert.task, None)
        reports = await stage.reads.task_report(api, Feed("task_reports", ""), task)
        seen += [each.stated_state for each in reports if isinstance(each, TaskReport)]
    assert seen == ["pending", "failed", "completed"]
