"""Task reports of myDevices through the whole corridor, into the database."""

from datetime import timedelta

from fix_simulator import Play

from harvester.simulator import mydevices_tasks as tasks
from harvester.simulator.faults import Fault, refuse

MILLISECOND = timedelta(milliseconds=1)


def rerun_to_come(play: Play) -> tasks.Run:
    """The next run that fails and is completed later."""
    now, later = play.clock.now(), play.clock.now() + timedelta(days=3)
    reports = tasks.reports(play.world.tenants["acme"])
    runs = (run for report in reports for run in tasks.runs(play.world, report, later))
    again = [run for run in runs if len(run.history) > 2 and run.history[0].at > now]
    return min(again, key=lambda run: run.history[0].at)


async def stored(play: Play, tenant: str) -> dict[str, tuple[object, ...]]:
    rows = await play.house.pool.fetch(
        "select identity, kind, device, stated_state from harvester.task_reports"
        " where tenant = $1 and vanished_at is null",
        tenant,
    )
    return {identity: tuple(said) for identity, *said in rows}


def truth(play: Play, tenant: str) -> dict[str, tuple[object, ...]]:
    true = play.fake.task_truth(tenant).items()
    return {name: (task.kind, task.device, task.now.state) for name, task in true}


async def test_reports_stand_as_the_platform_says_and_all_that_was_seen_is_kept(play: Play) -> None:
    run, lists = rerun_to_come(play), play.fake.requests
    identity = f"report/{run.report.id}/run/{run.id}"
    for ticks, standing in enumerate(run.history, 1):
        play.clock.set(standing.at + MILLISECOND)
        assert await play.tick()
        for tenant in play.world.tenants:
            assert await stored(play, tenant) == truth(play, tenant)
        # One request for each user of each tenant, however much time has passed.
        assert lists["GET /v1.0/reports"] == lists["GET /v1.0/alerts"] == 6 * ticks
    history = await play.house.pool.fetch(
        "select state, stated_state from harvester.task_report_history"
        " where tenant = 'acme' and identity = $1 order by revision",
        identity,
    )
    assert [tuple(row) for row in history] == [
        ("pending", "pending"),
        ("failed", "failed"),
        ("succeeded", "completed"),
    ]


async def test_lists_that_are_not_there_fail_no_feed_and_take_nothing_back(play: Play) -> None:
    assert await play.tick()
    before = await stored(play, "acme")
    for path in ("/reports", "/alerts"):
        play.fake.faults.add(Fault(path, refuse(404), times=None))
    play.clock.advance(timedelta(minutes=5))
    await play.tick()
    assert await stored(play, "acme") == before != {}
    standing = await play.house.pool.fetch(
        "select distinct failure, upper(pulled) from harvester.coverage"
        " where stream = 'task_reports'"
    )
    assert [tuple(row) for row in standing] == [(None, play.clock.now())]
