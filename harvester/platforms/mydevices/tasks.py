"""Reports, their runs, and alerts: what comes nearest to tasks on myDevices.

The vendor names the lists and tells nothing of what is in them: docs/platforms/mydevices.md. So
every field is optional here, and what has no known shape is kept as it was said.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import quote

from msgspec.structs import replace

from harvester.errors import Malformed
from harvester.logs import Failures
from harvester.model import Feed, OpenTask, TaskReport, TaskState
from harvester.platforms.base import Api
from harvester.platforms.mydevices import lists
from harvester.platforms.mydevices.readings import instant

REPORTS = "/v1.0/reports"
ALERTS = "/v1.0/alerts"

_ERRORS = ("error", "statusCode")
_STATES: dict[str, TaskState] = {
    **dict.fromkeys(("pending", "queued", "scheduled", "waiting"), "pending"),
    **dict.fromkeys(("running", "processing", "generating", "in progress"), "running"),
    **dict.fromkeys(("success", "succeeded", "done", "complete", "completed", "sent"), "succeeded"),
    **dict.fromkeys(("error", "failed", "failure", "canceled", "cancelled"), "failed"),
    **dict.fromkeys(("expired", "timeout", "timed out"), "expired"),
}


def feed_of(user: str) -> Feed:
    """All lists of one user: another one sees others."""
    return Feed("task_reports", f"tasks of {user}")


async def listed(api: Api, feed: Feed, failures: Failures) -> AsyncIterator[list[TaskReport]]:
    """The reports, then the runs of each, then the alerts, as one user sees them.

    A list that is forbidden to the user, or is not there, has nothing. Raises the other errors of
    `Api`, and Truncated.
    """
    reports = await _offered(api, feed, REPORTS, failures)
    yield [_told("report", "report/", report) for report in reports]
    for report in lists.rows(reports):
        if path := _history(report):
            yield _runs(report, await _offered(api, feed, path, failures))
    alerts = await _offered(api, feed, ALERTS, failures)
    yield [_told("alert", "alert/", alert) for alert in alerts]


async def again(api: Api, task: OpenTask) -> list[TaskReport]:
    """What its list says of one task: no way is known to ask for a single one.

    Raises the errors of `Api`, and Truncated.
    """
    if task.identity.startswith("alert/"):
        alerts = await lists.whole(api, ALERTS, _entries)
        told = [_told("alert", "alert/", alert) for alert in alerts]
    else:
        reports = await lists.whole(api, REPORTS, _entries)
        told = [_told("report", "report/", report) for report in reports]
        for report in lists.rows(reports):
            path = _history(report)
            if path and task.identity.startswith(_within(report)):
                told += _runs(report, await lists.whole(api, path, _entries))
    return [report for report in told if report.identity == task.identity]


async def _offered(api: Api, feed: Feed, path: str, failures: Failures) -> list[object]:
    what = f"{feed.key}: {path}"
    return await lists.unless_forbidden(api, path, failures, what=what, read=_entries)


def _entries(answer: object, path: str) -> list[object]:
    """What is in a list, under whatever name; an object without one is an entry by itself.

    Raises Malformed.
    """
    if not isinstance(answer, dict):
        return lists.rows_of(answer, path)
    # An error under a good status must not pass for a report.
    if any(key in answer for key in _ERRORS):
        raise Malformed(f"{path} is an error and no list")
    if "rows" in answer or not answer:
        return lists.rows_of(answer or [], path)
    found = [said for said in answer.values() if isinstance(said, list)]
    return found[0] if len(found) == 1 and "id" not in answer else [answer]


def _history(report: lists.Row) -> str | None:
    """Where the runs of a report are listed, if it says whose it is."""
    names = lists.text(report, "company_id"), lists.text(report, "id")
    company, name = (name and quote(name, safe="", errors="replace") for name in names)
    return f"/companies/{company}/reports/{name}/history" if company and name else None


def _runs(report: lists.Row, runs: Iterable[object]) -> list[TaskReport]:
    within, task = _within(report), _name(report)
    return [replace(_told("report run", within, run), task=task) for run in runs]


def _within(report: lists.Row) -> str:
    """What the identity of each run of a report begins with."""
    return f"report/{_name(report)}/run/"


def _told(kind: str, within: str, entry: object) -> TaskReport:
    row = entry if isinstance(entry, dict) else {}
    state, stated = _state(row)
    return TaskReport(
        identity=within + _name(entry),
        task=_name(entry),
        kind=kind,
        state=state,
        stated_state=stated,
        device=lists.uuid(row, "thing_id", "thingId"),
        created_at=_instant(row, "created_at", "createdAt"),
        started_at=_instant(row, "date_triggered", "last_triggered", "started_at"),
        finished_at=_instant(row, "completed_at", "finished_at"),
        updated_at=_instant(row, "updated_at", "updatedAt"),
        details=entry,
    )


def _name(entry: object) -> str:
    """The entry's own id; one that has none is known by all that it says."""
    if isinstance(entry, dict) and (named := lists.text(entry, "id")):
        return named
    said = json.dumps(entry, sort_keys=True).encode()
    return hashlib.sha256(said).hexdigest()[:32]


def _state(row: lists.Row) -> tuple[TaskState, str | None]:
    """Ours, and the platform's word. An alert that is on runs, and one that is not waits."""
    stated, triggered = lists.text(row, "status", "state"), row.get("triggered")
    # Beside the date of one occurrence it tells what happened then, not how the alert stands.
    if triggered in (True, False) and "date_triggered" not in row:
        words = "triggered" if triggered else "not triggered"
        return "running" if triggered else "pending", stated or words
    word = (stated or "").strip().casefold().replace("_", " ")
    return _STATES.get(word, "unknown"), stated


def _instant(row: lists.Row, *keys: str) -> datetime | None:
    """The first of the keys that tells one: in epoch milliseconds, or as a date with its zone."""
    for key in keys:
        said = row.get(key)
        at = instant(said)
        if at is None and isinstance(said, str):
            with suppress(ValueError, OverflowError):
                dated = datetime.fromisoformat(said)
                at = dated.astimezone(UTC) if dated.tzinfo else None
        if at is not None:
            return at
    return None
