"""What every adapter of task reports keeps to, shown on the real one before its fake."""

from fix_platforms import Stage

from harvester import platforms, task_reports
from harvester.model import FINAL, OpenTask, TaskReport
from harvester.platforms.base import Platform


def has_tasks(name: str) -> bool:
    found = platforms.adapter(name)
    return issubclass(found, Platform) and "task_reports" in found.streams


PLATFORMS = [name for name in platforms.names() if has_tasks(name)]
BESIDE = (
    "^(capped|cursor|oldest|out of|exclusive|refusals|no management|no making|short|rot|kept"
    "|guarded|tokens|no lifetimes|lifetimes|more members|older server|selective|sorting|in batches"
    "|drifting|gzip)"
)
"""Ways in which readings or tokens alone differ."""


async def test_all_tasks_are_reported_as_the_platform_says_they_stand(quirky: Stage) -> None:
    truth = quirky.fake.task_truth("acme")
    reported = await quirky.reported()
    assert reported.keys() == truth.keys()
    for identity, task in truth.items():
        said = reported[identity]
        assert (said.kind, said.device) == (task.kind, task.device)
        assert (said.stated_state, said.result) == (task.now.state, task.now.result)
    assert quirky.fake.violations == []


async def test_whatever_is_reported_can_be_stored_and_each_once(stage: Stage) -> None:
    reported = list((await stage.reported()).values())
    kept, rejections = task_reports.normalize(reported, stage.clock.now())
    assert (len(kept), rejections) == (len(reported), [])
    assert {each.state in FINAL for each in kept} == {True, False}


async def test_a_task_is_told_by_itself_as_it_is_in_the_list(stage: Stage) -> None:
    for api, feed, report in (await stage.reports_of(stage.ana))[::5]:
        task = OpenTask(report.identity, report.task, report.device)
        said = await stage.reads.task_report(api, feed, task)
        assert [each for each in said if isinstance(each, TaskReport)] == [report]
        gone = OpenTask(report.identity + "0", "1" + report.task, report.device)
        assert not await stage.reads.task_report(api, feed, gone)
