"""myDevices: reports, runs and alerts, of which no shape is promised."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs
from told import Told, ToldApi

from harvester.errors import Forbidden, Malformed, ServerFailed
from harvester.model import Credentials, Feed, OpenTask, TaskReport, Window
from harvester.platforms.mydevices import Adapter
from harvester.platforms.mydevices.options import MyDevicesOptions

FEED = Feed("task_reports", "tasks of ana@acme.example")
NOW = datetime(2026, 3, 4, 10, 30, tzinfo=UTC)
WINDOW = Window(NOW - timedelta(days=1), NOW)
REPORTS, ALERTS = "/v1.0/reports", "/v1.0/alerts"
HISTORY = "/companies/1/reports/7/history"
THING = str(UUID(int=5))
REPORT = {"id": 7, "company_id": 1, "name": "Weekly", "updated_at": "2026-03-04T10:00:00.000Z"}


def adapter() -> Adapter:
    return Adapter(MyDevicesOptions(client_id="u"))


async def reports(told: dict[str, Told], reader: Adapter | None = None) -> list[TaskReport]:
    api = ToldApi({REPORTS: [], ALERTS: []} | told)
    answers = (reader or adapter()).task_reports(api, FEED, WINDOW)
    return [report async for answer in answers for report in answer]


async def only(told: dict[str, Told]) -> TaskReport:
    [report] = await reports(told)
    return report


async def alert(**said: object) -> TaskReport:
    return await only({ALERTS: [{"id": 3, **said}]})


async def run(**said: object) -> TaskReport:
    *_, told = await reports({REPORTS: [REPORT], HISTORY: [{"id": 1, **said}]})
    return told


async def test_the_lists_of_a_user_are_one_feed_of_no_device() -> None:
    who = Credentials("ana@acme.example", "p")
    found = [each async for each in adapter().discover(ToldApi({"/companies": []}), who)]
    assert [(each.device, each.feeds, each.seen_by) for each in found] == [(None, (FEED,), None)]


async def test_reports_their_runs_and_alerts_are_told_as_they_are() -> None:
    ran = {"id": 41, "status": "Completed", "createdAt": "2026-03-04T09:00:00Z"}
    warm = {"id": "r-1", "thing_id": THING.upper(), "triggered": True, "title": "Too warm"}
    told = await reports({REPORTS: [REPORT], HISTORY: [ran], ALERTS: [warm]})
    assert [(each.identity, each.task, each.kind, each.state, each.device) for each in told] == [
        ("report/7", "7", "report", "unknown", None),
        ("report/7/run/41", "7", "report run", "succeeded", None),
        ("alert/r-1", "r-1", "alert", "running", THING),
    ]
    assert [each.details for each in told] == [REPORT, ran, warm]
    assert [each.stated_state for each in told] == [None, "Completed", "triggered"]
    assert (told[0].updated_at, told[1].created_at) == (
        NOW.replace(minute=0),
        NOW.replace(hour=9, minute=0),
    )


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("pending", "pending"),
        ("IN_PROGRESS", "running"),
        (" done ", "succeeded"),
        ("Failed", "failed"),
        ("expired", "expired"),
        ("active", "unknown"),
        (0, "unknown"),
        (None, "unknown"),
        (["done"], "unknown"),
    ],
)
async def test_a_word_that_we_know_is_a_state_of_ours(word: object, state: str) -> None:
    told = await run(status=word)
    stated = str(word) if isinstance(word, str | int) else None
    assert (told.state, told.stated_state) == (state, stated)


@pytest.mark.parametrize(
    ("said", "state", "stated"),
    [
        ({"triggered": True}, "running", "triggered"),
        ({"triggered": 0}, "pending", "not triggered"),
        ({"triggered": False, "status": "active"}, "pending", "active"),
        ({"triggered": "yes"}, "unknown", None),
        ({"triggered": [1]}, "unknown", None),
        ({"triggered": True, "date_triggered": "2026-03-04T10:00:00Z"}, "unknown", None),
    ],
)
async def test_an_alert_that_is_on_runs_and_one_that_is_not_waits(
    said: dict[str, object], state: str, stated: str | None
) -> None:
    told = await alert(**said)
    assert (told.state, told.stated_state) == (state, stated)


@pytest.mark.parametrize(
    "said",
    ["2026-03-04T10:30:00Z", "2026-03-04T11:30:00.000+01:00", "1772620200000", 1772620200000],
)
async def test_an_instant_is_a_date_with_its_zone_or_milliseconds(said: object) -> None:
    told = await alert(created_at=said, updatedAt=said, last_triggered=said, finished_at=said)
    assert {told.created_at, told.started_at, told.finished_at, told.updated_at} == {NOW}


@pytest.mark.parametrize(
    "said", ["yesterday", "", None, "2026-03-04T10:30:00", "0001-01-01T00:00:00+14:00", [], 10**30]
)
async def test_an_instant_that_cannot_be_read_is_none_and_the_next_name_is_tried(
    said: object,
) -> None:
    assert (await alert(created_at=said)).created_at is None
    assert (await alert(created_at=said, createdAt="2026-03-04T10:30:00Z")).created_at == NOW


@pytest.mark.parametrize("thing", [5, "5", None, "", ["x"], {"id": THING}])
async def test_a_device_is_told_only_by_its_uuid(thing: object) -> None:
    assert (await alert(thing_id=thing)).device is None
    assert (await alert(thing_id=thing, thingId=THING)).device == THING


@pytest.mark.parametrize(
    "envelope",
    [
        {"count": 2, "limit": 20, "page": 0, "rows": [{"id": 1}, {"id": 2}]},
        {"alerts": [{"id": 1}, {"id": 2}]},
        {"logs": [{"id": 1}, {"id": 2}], "pagination": {"page": 1}},
    ],
)
async def test_a_list_may_stand_in_an_envelope_of_any_name(envelope: Told) -> None:
    assert [each.identity for each in await reports({ALERTS: envelope})] == ["alert/1", "alert/2"]


@pytest.mark.parametrize("nothing", [[], {}, {"rows": None}, {"rows": []}, {"alerts": []}])
async def test_an_empty_list_is_no_report_in_every_form(nothing: Told) -> None:
    assert await reports({REPORTS: nothing, ALERTS: nothing}) == []


@pytest.mark.parametrize(
    "whole", [{"id": 8, "things": [1, 2]}, {"on": [1], "off": [2]}, {"data": {"x": 1}}]
)
async def test_an_object_without_one_list_is_an_entry_by_itself(whole: Any) -> None:
    told = await only({ALERTS: whole})
    assert (told.state, told.details) == ("unknown", whole)


@pytest.mark.parametrize("odd", ["none", 7, None, [1, 2], {"id": None}, {"id": " "}, {"id": True}])
async def test_an_entry_without_an_id_is_known_by_what_it_says(odd: object) -> None:
    first, second = await reports({ALERTS: [odd, {"name": "other"}]})
    again, other = await reports({ALERTS: [odd, {"name": "another"}]})
    assert first.identity == again.identity != second.identity != other.identity
    assert (first.state, first.details) == ("unknown", odd)
    assert first.identity == f"alert/{first.task}"


async def test_of_an_entry_without_an_id_the_order_of_its_keys_tells_nothing() -> None:
    one, other = {"a": 1, "b": 2}, {"b": 2, "a": 1}
    assert (await only({ALERTS: [one]})).identity == (await only({ALERTS: [other]})).identity


@pytest.mark.parametrize(
    "report", [{"id": 7}, {"company_id": 1}, {"id": 7, "company_id": None}, "x"]
)
async def test_a_report_that_does_not_say_whose_it_is_has_no_runs(report: Told) -> None:
    api = ToldApi({REPORTS: [report], ALERTS: []})
    assert len([each async for each in adapter().task_reports(api, FEED, WINDOW)]) == 2
    assert [path for path, _ in api.asked] == [REPORTS, ALERTS]


async def test_what_a_report_is_called_cannot_lead_a_request_elsewhere() -> None:
    report = {"id": "../7?x", "company_id": "a/\ud800"}
    api = ToldApi({REPORTS: [report], ALERTS: []})
    assert len([each async for each in adapter().task_reports(api, FEED, WINDOW)]) == 3
    assert api.asked[1] == ("/companies/a%2F%3F/reports/..%2F7%3Fx/history", {})


async def test_a_list_that_is_not_offered_has_nothing_and_is_told_once_a_user() -> None:
    told, reader = {REPORTS: [REPORT], ALERTS: Forbidden("404")}, adapter()
    with capture_logs() as logs:
        for _ in range(2):
            assert [each.identity for each in await reports(told, reader)] == ["report/7"]
    assert [(log["what"], log["reason"]) for log in logs] == [
        (f"{FEED.key}: {HISTORY}", "forbidden"),
        (f"{FEED.key}: {ALERTS}", "forbidden"),
    ]


@pytest.mark.parametrize("path", [REPORTS, HISTORY, ALERTS])
@pytest.mark.parametrize("trouble", [ServerFailed(""), None, "x", 7, {"error": "x"}, {"rows": 7}])
async def test_a_list_that_makes_no_sense_or_cannot_be_had_costs_the_window(
    path: str, trouble: Told
) -> None:
    with pytest.raises((ServerFailed, Malformed)):
        await reports({REPORTS: [REPORT], HISTORY: []} | {path: trouble})


RAN, WARM = {"id": 41, "status": "pending"}, {"id": 3, "triggered": True}


@pytest.mark.parametrize(
    ("identity", "details", "asked"),
    [
        ("report/7", REPORT, [REPORTS]),
        ("report/7/run/41", RAN, [REPORTS, HISTORY]),
        ("alert/3", WARM, [ALERTS]),
        ("report/8", None, [REPORTS]),
        ("report/7/run/42", None, [REPORTS, HISTORY]),
        ("alert/4", None, [ALERTS]),
    ],
)
async def test_one_task_is_asked_for_again_through_its_list_alone(
    identity: str, details: object, asked: list[str]
) -> None:
    api = ToldApi({REPORTS: [REPORT, {"id": 70, "company_id": 1}], HISTORY: [RAN], ALERTS: [WARM]})
    told = await adapter().task_report(api, FEED, OpenTask(identity, "7", None))
    assert [(each.identity, each.details) for each in told] == (
        [(identity, details)] if details else []
    )
    assert [path for path, _ in api.asked] == asked


async def test_a_task_whose_list_is_forbidden_now_has_not_vanished() -> None:
    with pytest.raises(Forbidden):
        await adapter().task_report(ToldApi({}), FEED, OpenTask("alert/3", "3", None))
