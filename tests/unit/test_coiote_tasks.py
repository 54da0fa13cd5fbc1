"""Coiote: how tasks stand, asked for by what changed, or one by one."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, strategies as st
from told import Told, ToldApi
from told_coiote import adapter

from harvester.errors import Forbidden, Malformed, ServerFailed, Truncated
from harvester.model import Feed, OpenTask, Sample, TaskReport, Window
from harvester.platforms.coiote import Adapter, changes, instants, reports, tasks

ROOT = "/api/coiotedm/v3/taskReports"
SINCE = f"{ROOT}/findSince"
FEED = Feed("task_reports", "task reports of ana")
START = datetime(2026, 3, 4, 5, tzinfo=UTC)
HOUR, MS = timedelta(hours=1), timedelta(milliseconds=1)
WINDOW = Window(START, START + HOUR)
PROPERTIES = [
    {"name": "Temperature.0.Sensor Value", "value": "21.5"},
    {"name": "lastSuccessfulOperation", "value": '{"read":{"key":"Temperature.0.Sensor Value"}}'},
]


def row(task: str = "d:q7Zk1:4", ms: int = 1900, **more: object) -> dict[str, Any]:
    """As documented, changed so long after the start."""
    return {
        "taskId": task,
        "deviceId": "c2Vuc29yLTE",
        "startTime": "2026-03-04T05:00:00.100Z",
        "finishTime": "2026-03-04T05:00:01.900Z",
        "lastUpdateTime": instants.stamp(instants.millis(START) + ms),
        "status": "Success",
        "summary": None,
        "blocking": False,
        "properties": PROPERTIES,
        **more,
    }


def one(task: str) -> str:
    return f"{ROOT}/{task.replace(':', '%3A')}/c2Vuc29yLTE"


def closed(rows: dict[str, Told], keys: Told = None) -> ToldApi:
    """Of who may only ask one by one; `rows` are by task."""
    listed = [{"taskId": task, "deviceId": "c2Vuc29yLTE"} for task in rows]
    answers = {one(task): told for task, told in rows.items()}
    return ToldApi({ROOT: keys or listed, **answers})


async def told(api: ToldApi, it: Adapter | None = None, window: Window = WINDOW) -> list[Any]:
    asked = (it or adapter()).task_reports(api, FEED, window)
    return [each async for batch in asked for each in batch]


async def states(api: ToldApi, it: Adapter | None = None, window: Window = WINDOW) -> list[str]:
    return [f"{each.task} {each.state}" for each in await told(api, it, window)]


async def test_the_documented_report_is_read() -> None:
    [report] = await told(ToldApi({SINCE: [row()]}))
    assert report == TaskReport(
        identity="d:q7Zk1:4 c2Vuc29yLTE",
        task="d:q7Zk1:4",
        kind="device task",
        state="succeeded",
        stated_state="Success",
        device="c2Vuc29yLTE",
        started_at=START + 100 * MS,
        finished_at=START + 1900 * MS,
        updated_at=START + 1900 * MS,
        result=None,
        details={"blocking": False, "properties": PROPERTIES},
    )


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("Success", "succeeded"),
        ("SUCCESS", "succeeded"),
        ("Warning", "succeeded"),
        ("Error", "failed"),
        ("InProgress", "running"),
        ("IN_PROGRESS", "running"),
        ("ErrorRetryable", "running"),
        ("NotStarted", "pending"),
        ("Postponed", "unknown"),
        (None, "unknown"),
        (7, "unknown"),
    ],
)
def test_a_state_is_what_the_word_means(status: object, state: str) -> None:
    report = reports.report(row("g:root.acme:1", status=status, summary="No answer", staff=1))
    assert report and (report.state, report.kind) == (state, "group task")
    assert (report.finished_at is None) is (state not in ("succeeded", "failed"))
    assert report.result == "No answer" and report.details == {
        "blocking": False,
        "properties": PROPERTIES,
        "staff": 1,
    }


@pytest.mark.parametrize(
    "name",
    [
        "LwM2M Security.0",
        "LWM2M Security.0.Secret Key",
        "Security.1.Public Key or Identity",
        "/0/0/5",
        "0/1/3",
        "WLAN connectivity.0.wpaPreSharedKey",
        "APN.0.Secret",
        "adminPassword",
        "accessToken",
        "DTLS-PSK",
    ],
)
async def test_of_what_only_the_device_may_know_a_report_tells_the_name_alone(name: str) -> None:
    done = json.dumps({"write": {"key": name, "value": "c0ffee"}})
    named = [{"name": name, "value": "c0ffee"}, {"name": "lastSuccessfulOperation", "value": done}]
    said = [row(properties=[*PROPERTIES, *named]), row(taskId=None, properties=named)]
    [report, nameless] = await told(ToldApi({SINCE: said}))
    hidden = [{**each, "value": "[hidden]"} for each in named]
    assert report.details["properties"] == [*PROPERTIES, *hidden]
    assert nameless == Sample("", "", None, "[hidden]")
    for more in ({"properties": {name: "c0ffee"}}, {name: "c0ffee"}):
        assert "c0ffee" not in repr(await told(ToldApi({SINCE: [row(**more)]})))


@pytest.mark.parametrize("name", ["Location.0.Radius", "Temperature.0/5700", "/3/0/5", "10/0/1"])
def test_what_is_measured_is_told(name: str) -> None:
    properties = [{"name": name, "value": "21.5"}]
    report = reports.report(row(properties=properties))
    assert report and report.details == {"blocking": False, "properties": properties}


@pytest.mark.parametrize("said", [None, 7, {}, {"taskId": "d:1:1"}, row(taskId=None)])
async def test_what_says_of_no_task_is_rejected_in_the_open(said: object) -> None:
    assert await told(ToldApi({SINCE: [said]})) == [Sample("", "", None, said)]


@pytest.mark.parametrize("answer", [None, 7, {}, {"error": "x"}, "x"])
async def test_what_is_no_list_does_not_pass_for_silence(answer: object) -> None:
    with pytest.raises(Malformed):
        await told(ToldApi({SINCE: answer}))
    with pytest.raises(Malformed):
        await told(ToldApi({ROOT: answer}))


def server(rows: list[dict[str, Any]], cap: int, inclusive: bool) -> Callable[..., object]:
    """`findSince` of a platform that gives so many at most, whatever was asked."""

    def answer(params: dict[str, Any]) -> object:
        since = params["lastUpdateTime"]
        later = [
            each
            for each in rows
            if each["lastUpdateTime"] > since or (inclusive and each["lastUpdateTime"] == since)
        ]
        return later[: min(cap, params["limit"])]

    return answer


@given(st.lists(st.integers(-2, 30), max_size=40).map(sorted), st.integers(1, 9), st.booleans())
async def test_no_page_costs_a_report_but_of_a_millisecond_beyond_which_nothing_is(
    told_at: list[int], cap: int, inclusive: bool
) -> None:
    rows = [row(f"d:x:{number}", ms) for number, ms in enumerate(told_at)]
    api = ToldApi({SINCE: server(rows, cap, inclusive)})
    within = [ms for ms in told_at if 0 <= ms < 20]
    try:
        found = {each.task for each in await told(api, window=Window(START, START + 20 * MS))}
    except Truncated:
        beside = [told_at.count(ms) + inclusive * told_at.count(ms - 1) for ms in within]
        assert max(beside) >= cap, "nothing stood in the way"
        return
    missing = {ms for number, ms in enumerate(told_at) if f"d:x:{number}" not in found}
    assert missing & set(within) <= {max(within, default=0)}
    assert all(told_at.count(ms) > cap for ms in missing & set(within))


async def test_what_a_page_hides_among_what_changed_at_once_is_told() -> None:
    rows = [row(f"d:x:{number}", 5) for number in range(30)] + [row("d:x:later", 9)]
    found: list[Any] = []
    with pytest.raises(Truncated, match="one millisecond"):
        async for batch in adapter().task_reports(
            ToldApi({SINCE: server(rows, 20, inclusive=False)}), FEED, WINDOW
        ):
            found += batch
    assert len({each.task for each in found}) == 21, "and what came after it is had"


async def test_more_are_asked_for_where_those_of_one_millisecond_fill_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(changes, "LARGEST_LIMIT", 4 * changes.LIMIT)
    rows = [row(f"d:x:{number}", 5) for number in range(changes.LIMIT + 1)]
    api = ToldApi({SINCE: server(rows, 10**6, inclusive=False)})
    assert {each.task for each in await told(api)} == {each["taskId"] for each in rows}
    full = [row(f"d:x:{number}", 5) for number in range(changes.LARGEST_LIMIT)]
    with pytest.raises(Truncated):
        await told(ToldApi({SINCE: server(full, 10**6, inclusive=False)}))


async def test_who_may_not_ask_for_what_changed_asks_for_each() -> None:
    api = closed(
        {
            "d:x:1": row("d:x:1"),
            "d:x:2": Forbidden("x", 404, {"code": 4041}),
            "d:x:3": Forbidden("x", 404, {"code": 4040}),
            "d:x:4": row("d:x:4", status="InProgress", finishTime=None),
        }
    )
    assert await states(api) == ["d:x:1 succeeded", "d:x:2 pending", "d:x:4 running"]


async def test_what_was_over_is_asked_for_last_and_a_run_once_more_is_seen() -> None:
    it, api = adapter(), closed({"d:x:1": row("d:x:1"), "d:x:2": row("d:x:2", status="InProgress")})
    await told(api, it)
    again = row("d:x:1", status="InProgress", ms=9000)
    api.answers = {**api.answers, one("d:x:1"): again}
    later = Window(WINDOW.until, WINDOW.until + HOUR)
    assert await states(api, it, later) == ["d:x:2 running", "d:x:1 running"]


async def test_all_is_asked_for_once_for_all_windows_of_a_tick() -> None:
    it, api = adapter(), closed({"d:x:1": row("d:x:1")})
    assert await told(api, it)
    assert await told(api, it, Window(START - HOUR, START)) == []
    assert [path for path, _ in api.asked] == [SINCE, ROOT, one("d:x:1")]


async def test_more_than_the_budget_is_left_for_the_next_pull(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tasks, "BUDGET", 2)
    it, api = adapter(), closed({f"d:x:{n}": row(f"d:x:{n}") for n in range(5)})
    for left in (3, 1):
        with pytest.raises(Truncated, match=f"^{left} task reports"):
            await told(api, it)
    assert len(await told(api, it)) == 2
    asked = [path for path, _ in api.asked if path.count("/") > 4]
    assert {one(f"d:x:{n}") for n in range(5)} <= set(asked)


async def test_a_report_that_is_refused_spoils_no_other() -> None:
    it, api = adapter(), closed({"d:x:1": Forbidden("x", 404), "d:x:2": row("d:x:2")})
    said: list[Any] = []
    with pytest.raises(Forbidden):
        async for batch in it.task_reports(api, FEED, WINDOW):
            said += batch
    assert [each.task for each in said if isinstance(each, TaskReport)] == ["d:x:2"]
    api = closed({"d:x:1": Forbidden("x"), "d:x:2": row("d:x:2")})
    with pytest.raises(Forbidden):
        await told(api, it, Window(WINDOW.until, WINDOW.until + HOUR))
    assert one("d:x:2") not in [path for path, _ in api.asked], "no permission for any"


async def test_a_permission_that_was_given_is_found_out() -> None:
    it, api = adapter(), closed({"d:x:1": row("d:x:1")})
    await told(api, it)
    api.answers = {SINCE: [row("d:x:9")]}
    until = WINDOW.until + tasks.TRIED_AGAIN + HOUR
    assert await states(api, it, Window(until - HOUR, until)) == ["d:x:9 succeeded"]


async def test_a_task_by_itself_stands_as_it_is_told() -> None:
    task = OpenTask("d:x:1 c2Vuc29yLTE", "d:x:1", "c2Vuc29yLTE")
    for answer, states in (
        (row("d:x:1"), ["succeeded"]),
        (Forbidden("x", 404, {"code": 4041}), ["pending"]),
        (Forbidden("x", 404, {"code": 4040}), []),
    ):
        said = await adapter().task_report(ToldApi({one("d:x:1"): answer}), FEED, task)
        assert [each.state for each in said if isinstance(each, TaskReport)] == states
        assert all(each.identity == task.identity for each in said if isinstance(each, TaskReport))
    wrongs: list[Told] = [Forbidden("x", 404), ServerFailed("x"), [], row("d:x:2")]
    for wrong in wrongs:
        with pytest.raises((Forbidden, ServerFailed, Malformed)):
            await adapter().task_report(ToldApi({one("d:x:1"): wrong}), FEED, task)


async def test_reports_that_were_told_but_not_kept_are_told_again() -> None:
    names = [f"d:x:{n}" for n in range(50)]
    it, api = adapter(), closed({name: row(name) for name in names})
    assert {each.task for each in await told(api, it)} == set(names)
    later = Window(WINDOW.since, WINDOW.until + HOUR)
    assert {each.task for each in await told(api, it, later)} == set(names), "none was covered"
    after = Window(later.until, later.until + HOUR)
    assert len(await told(api, it, after)) == tasks.ONCE_MORE
