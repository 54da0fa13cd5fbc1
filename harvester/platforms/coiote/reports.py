"""A task's report: how the task stands on one device."""

import re
import sys
from collections.abc import Mapping
from typing import Any

from harvester.model import FINAL, TaskReport, TaskState
from harvester.platforms.coiote import instants
from harvester.storable import shown

STATES: Mapping[str, TaskState] = {
    "notstarted": "pending",
    "inprogress": "running",
    "errorretryable": "running",
    "success": "succeeded",
    "warning": "succeeded",
    "error": "failed",
}
"""A retryable error is not the end of a task. Words that are not known are no end either."""

_REPORTED = (
    "taskId",
    "deviceId",
    "startTime",
    "finishTime",
    "lastUpdateTime",
    "status",
    "summary",
)
_SECRET = re.compile(
    r"secret|passw|psk|pre.?shared|token|(?<!\")\bkey\b|lwm2m.security|(?<![\w/.])/?0/\d+\b", re.I
)
"""In a name of what only the device may know. Object 0, LwM2M Security, holds its keys; of an
operation, told as JSON, a `"key"` is any name."""

_HIDDEN = "[hidden]"


def report(row: object) -> TaskReport | None:
    """None where it does not say which task it is of, and on which device."""
    said = row if isinstance(row, dict) else {}
    key = key_of(said)
    if key is None:
        return None
    stated = _text(said.get("status"))
    state = STATES.get((stated or "").replace("_", "").casefold(), "unknown")
    finished_at = instants.read(said.get("finishTime"))
    return TaskReport(
        identity=identity(*key),
        task=key[0],
        kind=_kind(key[0]),
        state=state,
        stated_state=stated,
        device=key[1],
        started_at=instants.read(said.get("startTime")),
        finished_at=finished_at if state in FINAL else None,
        updated_at=instants.read(said.get("lastUpdateTime")),
        result=said.get("summary"),
        details={
            name: _HIDDEN if _SECRET.search(name) else without_secrets(value)
            for name, value in said.items()
            if name not in _REPORTED
        },
    )


def without_secrets(said: object) -> object:
    """What a task read or wrote, for people to read: of what is named like a secret, its name."""
    return [_open(each) for each in said] if isinstance(said, list) else _open(said)


def _open(said: object) -> object:
    if not _SECRET.search(shown(said, sys.maxsize)):
        return said
    if isinstance(said, dict) and "name" in said:
        return {"name": said["name"], "value": _HIDDEN}
    return _HIDDEN


def waiting(task: str, device: str) -> TaskReport:
    """Of a task that its device has not begun."""
    return TaskReport(
        identity=identity(task, device), task=task, kind=_kind(task), state="pending", device=device
    )


def identity(task: str, device: str) -> str:
    """A run of the same task on the same device again has the same report."""
    return f"{task} {device}"


def key_of(row: Mapping[str, Any]) -> tuple[str, str] | None:
    """The task and the device."""
    task, device = _text(row.get("taskId")), _text(row.get("deviceId"))
    return (task, device) if task and device else None


def _kind(task: str) -> str:
    return "group task" if task.startswith("g:") else "device task"


def _text(said: object) -> str | None:
    return said if isinstance(said, str) and said else None
