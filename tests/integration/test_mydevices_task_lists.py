"""Task reports of myDevices, as its fake lists them to each user."""

from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING

import pytest
from fix_platforms import NOW, SINCE, Stage, login, staged

from harvester.errors import Malformed
from harvester.model import Feed, OpenTask, TaskReport, Window
from harvester.simulator import mydevices_tasks as tasks
from harvester.simulator.fakes import TaskTruth
from harvester.simulator.faults import Fault, html_page, refuse
from harvester.simulator.mydevices import FakeMydevices
from harvester.simulator.mydevices_tasks import Run
from harvester.simulator.tenants import User

if TYPE_CHECKING:
    from harvester.store.pool import Pool

WINDOW = Window(SINCE, NOW)
ANAS = Feed("task_reports", "tasks of ana@acme.example")
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
    answers = [each async for each in stage.adapter.task_reports(api, feed, WINDOW)]
    reports = [each for each in chain(*answers) if isinstance(each, TaskReport)]
    return {report.identity: report for report in reports}


async def told_to_all(stage: Stage) -> dict[str, TaskReport]:
    reports: dict[str, TaskReport] = {}
    for user in stage.tenant.users:
        reports |= await told(stage, user)
    return reports


def mydevices(stage: Stage) -> FakeMydevices:
    assert isinstance(stage.fake, FakeMydevices)
    return stage.fake


def truth(stage: Stage) -> dict[str, TaskTruth]:
    return mydevices(stage).task_truth("acme")


def agrees(report: TaskReport, true: TaskTruth) -> bool:
    now = true.now
    state = "unknown" if report.kind == "report" else STATES.get(now.state or "", now.state)
    said = (report.kind, report.device, report.stated_state, report.state, report.updated_at)
    return said == (true.kind, true.device, now.state, state, now.at)


def runs_to_come(stage: Stage) -> list[Run]:
    """Those of the next days that Ana will see."""
    reports = tasks.reports(stage.tenant, stage.ana)
    later = (tasks.runs(stage.world, each, NOW + timedelta(days=3)) for each in reports)
    return [run for run in chain.from_iterable(later) if run.history[0].at > NOW]


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


async def test_a_run_is_asked_for_again_from_its_beginning_to_a_second_try(stage: Stage) -> None:
    api, run = (
        await stage.api(),
        next(each for each in runs_to_come(stage) if len(each.history) > 2),
    )
    task = OpenTask(f"report/{run.report.id}/run/{run.id}", str(run.report.id), None)
    seen: list[tuple[str, str | None]] = []
    for standing in run.history:
        stage.clock.set(standing.at + timedelta(milliseconds=1))
        [report] = await stage.adapter.task_report(api, ANAS, task)
        assert isinstance(report, TaskReport) and report.task == task.task
        seen.append((report.state, report.stated_state))
    assert seen == [("pending", "pending"), ("failed", "failed"), ("succeeded", "completed")]


async def test_what_is_no_more_listed_has_vanished(stage: Stage) -> None:
    api = await stage.api()
    for identity in ("report/1", "report/1/run/1", "report/400000/run/1", "alert/1"):
        assert await stage.adapter.task_report(api, ANAS, OpenTask(identity, "1", None)) == []


@pytest.mark.parametrize("stage", ["absent"], indirect=True)
async def test_a_platform_without_such_lists_is_asked_in_vain_and_that_is_all(stage: Stage) -> None:
    assert not await told(stage, stage.ana) and not truth(stage)
    assert (
        mydevices(stage).requests["GET /v1.0/reports"]
        == mydevices(stage).requests["GET /v1.0/alerts"]
        == 1
    )


@pytest.mark.parametrize("stage", ["odd"], indirect=True)
async def test_entries_of_no_known_shape_are_kept_as_they_were_said(stage: Stage) -> None:
    reports = await told(stage, stage.ana)
    assert await told(stage, stage.ana) == reports
    odd = [each.details for each in reports.values() if each.state == "unknown"]
    assert [each for each in odd if not isinstance(each, dict)] == [None, "none", [1]] * 2
    assert {each.identity.partition("/")[0] for each in reports.values()} == {"report", "alert"}


async def test_a_list_that_is_forbidden_costs_the_others_nothing(stage: Stage) -> None:
    whole = await told(stage, stage.ana)
    for path, kind in (("/v1.0/alerts", "alert"), ("/history", "report run")):
        stage.fake.faults.add(Fault(path, refuse(403), times=None))
        left = await told(stage, stage.ana)
        assert left == {name: each for name, each in whole.items() if each.kind != kind}
        stage.fake.faults.clear()


@pytest.mark.parametrize("path", ["/v1.0/reports", "/history", "/v1.0/alerts"])
async def test_a_page_for_people_is_no_list(stage: Stage, path: str) -> None:
    stage.fake.faults.add(Fault(path, html_page()))
    with pytest.raises(Malformed):
        await told(stage, stage.ana)
