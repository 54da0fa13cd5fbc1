"""The fake myDevices lists reports, their runs and alerts to each user."""

from datetime import timedelta
from typing import Any

import pytest
from simulated import NOW, Play, playing

from harvester.simulator.mydevices_quirks import Switches

REPORTS, ALERTS = "/v1.0/reports", "/v1.0/alerts"


def history(report: dict[str, Any]) -> str:
    return f"/companies/{report['company_id']}/reports/{report['id']}/history"


def entries(body: Any) -> Any:
    """Those of a list, bare or in an envelope."""
    if isinstance(body, list):
        return body
    return next(said for said in body.values() if isinstance(said, list))


async def lists(play: Play) -> list[Any]:
    """The bodies of the three, of Ana's first report."""
    access = await play.login()
    reports = (await play.get(REPORTS, access))[1]
    runs = (await play.get(history(entries(reports)[0]), access))[1]
    return [reports, runs, (await play.get(ALERTS, access))[1]]


async def test_a_run_is_pending_then_over_and_its_dates_tell_so() -> None:
    async with playing() as play:
        access = await play.login()
        seen: dict[int, list[str]] = {}
        for _ in range(24):
            [report, *_] = (await play.get(REPORTS, access))[1]
            for run in (await play.get(history(report), access))[1]:
                assert (run["created_at"] == run["updated_at"]) == (run["status"] == "pending")
                states = seen.setdefault(run["id"], [])
                states += [run["status"]] if states[-1:] != [run["status"]] else []
            play.clock.advance(timedelta(minutes=15))
        begun = [states for states in seen.values() if states[0] == "pending"]
        assert {len(states) for states in begun} <= {1, 2, 3} and len(begun) > 2
        ends = {states[1] for states in begun if len(states) > 1}
        assert ends <= {"completed", "failed"}


async def test_an_alert_is_on_and_off_and_says_since_when() -> None:
    async with playing() as play:
        access, states = await play.login(), set()
        for _ in range(12):
            for alert in (await play.get(ALERTS, access))[1]:
                states.add(alert["triggered"])
                assert not alert["triggered"] or alert["last_triggered"] == alert["updated_at"]
                assert alert["updated_at"] <= play.clock.now().isoformat()
            play.clock.advance(timedelta(hours=1))
        assert states == {True, False}


async def test_each_user_is_told_of_his_own_things_and_companies() -> None:
    async with playing() as play:
        for user in play.tenant.users:
            access = await play.login(user)
            seen = [it for it in play.tenant.things if user.name in it.seen_by]
            alerts = (await play.get(ALERTS, access))[1]
            watched = {it.uuid for it in seen if it.active and not it.model.gateway}
            assert {alert["thing_id"] for alert in alerts} == watched
            reports = (await play.get(REPORTS, access))[1]
            assert {it["company_id"] for it in reports} == {it.location.company_id for it in seen}
        elsewhere = {"company_id": 1, "id": reports[0]["id"]}
        assert (await play.get(history(elsewhere), access))[0] == 404
        assert (await play.get(REPORTS, await play.admin_token()))[0] == 403


async def test_the_truth_is_what_all_users_can_be_told() -> None:
    async with playing() as play:
        found: dict[str, str] = {}
        for user in play.tenant.users:
            access = await play.login(user)
            for report in (await play.get(REPORTS, access))[1]:
                found[f"report/{report['id']}"] = str(report["status"])
                for run in (await play.get(history(report), access))[1]:
                    found[f"report/{report['id']}/run/{run['id']}"] = run["status"]
            for alert in (await play.get(ALERTS, access))[1]:
                found[f"alert/{alert['id']}"] = (
                    "triggered" if alert["triggered"] else "not triggered"
                )
        true = play.fake.task_truth("acme")
        assert found == {name: task.now.state for name, task in true.items()}
        assert all(each.at <= NOW for task in true.values() for each in task.history)


@pytest.mark.parametrize(
    ("form", "names"),
    [
        ("rows", [["count", "limit", "page", "rows"]] * 3),
        ("named", [["reports", "total"], ["history", "total"], ["alerts", "total"]]),
    ],
)
async def test_a_list_may_stand_in_an_envelope(form: Any, names: list[list[str]]) -> None:
    async with playing() as play:
        bare = await lists(play)
    async with playing(Switches(tasks_as=form)) as play:
        shown = await lists(play)
    assert [sorted(body) for body in shown] == names
    assert [*map(entries, shown)] == [body[:10] if form == "rows" else body for body in bare]


async def test_pages_lead_through_a_long_history() -> None:
    async with playing(Switches(tasks_as="rows")) as play:
        access = await play.login()
        [report, *_] = (await play.get(REPORTS, access))[1]["rows"]
        pages = [(await play.get(history(report), access, page=n))[1] for n in range(4)]
        ids = [row["id"] for page in pages for row in page["rows"]]
        assert len(ids) == len(set(ids)) == pages[0]["count"] > 10
        assert pages[3]["rows"] == []


async def test_lists_may_have_no_ids_or_not_be_there() -> None:
    async with playing(Switches(tasks_as="odd")) as play:
        _, body = await play.get(ALERTS, await play.login())
        assert [each for each in body["alerts"] if isinstance(each, dict) and "id" in each] == []
    async with playing(Switches(tasks_as="absent")) as play:
        access = await play.login()
        assert {(await play.get(path, access))[0] for path in (REPORTS, ALERTS)} == {404}
        assert play.fake.task_truth("acme") == {}
