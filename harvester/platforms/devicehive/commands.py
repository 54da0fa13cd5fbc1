"""Commands: how far each has got, and what those whose results are measurements measured."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

from harvester.model import FINAL, Said, Sample, TaskReport, TaskState
from harvester.platforms.base.states import state_of
from harvester.platforms.devicehive import instants, leaves
from harvester.platforms.devicehive.options import DeviceHiveOptions
from harvester.platforms.devicehive.readings import measured

WORDS: Mapping[str, TaskState] = {
    "pending": "pending",
    "in progress": "running",
    "processing": "running",
    "running": "running",
    "ok": "succeeded",
    "success": "succeeded",
    "succeeded": "succeeded",
    "done": "succeeded",
    "completed": "succeeded",
    "error": "failed",
    "failed": "failed",
    "failure": "failed",
    "unknown command": "failed",
    "timeout": "failed",
    "timed out": "failed",
    "expired": "expired",
}
"""What devices say of a command, in any case. The platform knows no such list."""

_REPORTED = ("id", "command", "deviceId", "timestamp", "lastUpdated", "status", "result")


class Commands:
    """How commands are read at one installation, whose devices have words of their own."""

    def __init__(self, options: DeviceHiveOptions) -> None:
        self._own = options.command_states
        self._measuring = options.measuring_commands

    def said(self, device: str, command: object) -> Iterator[Said]:
        """A report, and the samples of a result that is a measurement.

        What is out of shape becomes a sample without a channel, so that it is rejected in the open.
        """
        row = command if isinstance(command, dict) else {}
        report = self._report(device, row)
        if report is None:
            yield Sample(device, "", None, command)
            return
        yield report
        if report.state == "succeeded" and self._measures(report.kind):
            told = leaves.channels(report.kind, report.result)
            stated = row.get("lastUpdated") or row.get("timestamp")
            yield from measured(device, told, stated, row["id"])

    def _measures(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self._measuring)

    def _report(self, device: str, row: Mapping[str, object]) -> TaskReport | None:
        """None where it does not say which command it is."""
        task, name = _text(row.get("id")), _text(row.get("command"))
        if not (task and name):
            return None
        status = row.get("status")
        state = self._state(status)
        updated_at = instants.read(row.get("lastUpdated"))
        return TaskReport(
            # Ids are random and come again, on the same device too.
            identity=f"{device}/{task}/{_text(row.get('timestamp'))}",
            task=task,
            kind=name,
            state=state,
            stated_state=str(status) if isinstance(status, str | int) else None,
            device=device,
            created_at=instants.read(row.get("timestamp")),
            finished_at=updated_at if state in FINAL else None,
            updated_at=updated_at,
            result=row.get("result"),
            details={key: value for key, value in row.items() if key not in _REPORTED},
        )

    def _state(self, status: object) -> TaskState:
        """A command without a status has not been answered yet."""
        return "pending" if status is None else state_of(status, WORDS, self._own)


def _text(said: object) -> str:
    return str(said) if isinstance(said, str | int) else ""
