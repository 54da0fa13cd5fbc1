"""What became of the tasks of the fake Coiote: reports, one for each task and device."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from harvester.simulator import coiote_asked as asked
from harvester.simulator.coiote_asked import Json, Query
from harvester.simulator.coiote_auth import Token
from harvester.simulator.coiote_errors import Coded
from harvester.simulator.coiote_points import MILLISECOND
from harvester.simulator.coiote_quirks import Switches
from harvester.simulator.coiote_shapes import stamp
from harvester.simulator.coiote_site import Device, Site
from harvester.simulator.coiote_tasks import (
    ERROR,
    SUCCESS,
    WARNING,
    Execution,
    Stage,
    Task,
    executions_of_day,
)
from harvester.simulator.curves import DAY_MS
from harvester.simulator.fakes import Standing, TaskTruth
from harvester.simulator.world import World, instant, millis

MANY = 10**6
_BOTH = frozenset({"eq", "startswith"})
SEARCHED: Mapping[str, frozenset[str]] = {"taskId": _BOTH, "deviceId": _BOTH}
"""What reports are searched by everywhere."""
BY_TIME: Mapping[str, frozenset[str]] = {"lastUpdateTime": frozenset({"gt"})}


class Reports:
    """What answers questions for tasks and their reports."""

    def __init__(self, world: World, switches: Switches, site: Site) -> None:
        self._world = world
        self._switches = switches
        self._site = site
        self._days: dict[tuple[str, int], dict[str, list[Execution]]] = {}

    def since(self, token: Token, query: Query) -> list[Json]:
        """Reports that changed after an instant, whole, those of the oldest change first."""
        after = asked.instant(query, "lastUpdateTime")
        if after is None:
            raise Coded(4000, "lastUpdateTime is required")
        most = asked.whole(query, "limit", MANY, range(1, MANY + 1), 4000)
        asked.whole(query, "pollingInterval", 1, range(1, MANY), 4000)
        first_ms = millis(after) + (not self._switches.since_inclusive)
        rows = [it for it in self._rows(token, query) if self._at(it[2]) >= first_ms]
        rows.sort(key=lambda it: (it[2].at_ms, it[1].task.id, it[0].id))
        return [self._report(*it) for it in rows[: min(most, self._switches.report_cap or most)]]

    def keys(self, token: Token, query: Query) -> list[Json]:
        """Which reports there are, in no order that means anything."""
        searched = {**SEARCHED, **(BY_TIME if self._switches.search_by_time else {})}
        meets = asked.criterion(query, searched)
        reports = [self._report(*it) for it in self._rows(token, {})]
        return [
            {"taskId": each["taskId"], "deviceId": each["deviceId"]}
            for each in reports
            if meets(each)
        ]

    def one(self, token: Token, task: str, identifier: str) -> Json:
        """Raises Coded 4040 and, where the task was not begun there yet, 4041."""
        device = self._site.device(token, identifier)
        for each in self._of(device):
            if each.task.id == task and (stage := self._last(device, each)):
                return self._report(device, each, stage)
        if all(each.task.id != task for _, each in self._visible(token)):
            raise Coded(4040, "Task does not exist")
        raise Coded(4041, "Task has not been executed yet.")

    def summary(self, token: Token, query: Query) -> Json:
        """How many devices a task is for, and on how many it is how far."""
        task = self.task(token, query.get("taskId", ""))["id"]
        total = sum(each.task.id == task for _, each in self._visible(token))
        rows = (it for it in self._rows(token, {}) if it[1].task.id == task)
        stood = Counter(stage.status for _, _, stage in rows)
        successes, failures = stood[SUCCESS] + stood[WARNING], stood[ERROR]
        completed = successes + failures
        return {
            "totalScheduled": total,
            "inProgress": stood.total() - completed,
            "completed": completed,
            "successes": successes,
            "failures": failures,
            "notCompleted": total - completed,
            "completionRate": completed / total,
            "successRate": successes / (completed or 1),
            "failureRate": failures / (completed or 1),
        }

    def tasks(self, token: Token, query: Query) -> list[object]:
        """The ids of all tasks."""
        meets = asked.criterion(query, {"id": _BOTH})
        return [each["id"] for each in self._tasks(token) if meets(each)]

    def task(self, token: Token, identifier: str) -> Json:
        """Raises Coded 4040."""
        for each in self._tasks(token):
            if each["id"] == identifier:
                return each
        raise Coded(4040, "Task does not exist")

    def truth(self, tenant: str) -> dict[str, TaskTruth]:
        """All that the tenant's devices have begun, by "task device"."""
        return {
            f"{each.task.id} {device.id}": TaskTruth(
                each.task.kind,
                device.id,
                tuple(
                    Standing(instant(self._at(stage)), stage.status, stage.summary)
                    for stage in begun
                ),
            )
            for device in self._site.of(tenant)
            for each in self._of(device)
            if (begun := [it for it in self._begun(each) if it.at_ms <= device.left_ms])
        }

    def _tasks(self, token: Token) -> list[Json]:
        found = {each.task.id: each.task for _, each in self._visible(token)}
        return [_task(each) for each in found.values()]

    def _rows(self, token: Token, query: Query) -> Iterator[tuple[Device, Execution, Stage]]:
        """Each report that there is, as it stands; a move of the device takes those before it."""
        for device, each in self._visible(token):
            stage = self._last(device, each)
            if stage and _is_meant(query, device, each.task):
                yield device, each, stage

    def _last(self, device: Device, it: Execution) -> Stage | None:
        """How it stands; None where it has not begun, or not since the device was moved."""
        begun = self._begun(it)
        return begun[-1] if begun and begun[-1].at_ms > device.wiped_ms else None

    def _visible(self, token: Token) -> Iterator[tuple[Device, Execution]]:
        for device in self._site.visible(token):
            yield from ((device, each) for each in self._of(device))

    def _of(self, device: Device) -> Iterator[Execution]:
        """Those that were made by now for a device."""
        first_ms, last_ms = millis(self._world.since), millis(self._world.clock.now())
        for day in range(first_ms // DAY_MS, last_ms // DAY_MS + 1):
            for each in self._of_day(device.tenant, day).get(device.thing.uuid, ()):
                if first_ms <= each.task.made_ms <= last_ms:
                    yield each

    def _of_day(self, tenant: str, day: int) -> Mapping[str, list[Execution]]:
        """By the things that they are for."""
        if (tenant, day) not in self._days:
            told_at_once = self._switches.not_started == "told"
            made = (self._world.seed, self._world.tenants[tenant], day, self._switches.tasks)
            executions = self._days[tenant, day] = defaultdict(list)
            for each in executions_of_day(*made, told_at_once):
                executions[each.thing.uuid].append(each)
        return self._days[tenant, day]

    def _begun(self, it: Execution) -> list[Stage]:
        now_ms = millis(self._world.clock.now())
        return [stage for stage in it.stages if stage.at_ms <= now_ms]

    def _at(self, it: Stage) -> int:
        """When it came to stand so, by the platform's clock."""
        at_ms = millis(instant(it.at_ms) + self._switches.clock_skew)
        return at_ms - at_ms % max(1, self._switches.report_step // MILLISECOND)

    def _report(self, device: Device, it: Execution, stage: Stage) -> Json:
        finish_ms = stage.finish_ms
        if finish_ms is None and self._switches.finish_times == "told":
            finish_ms = stage.at_ms
        told: Json = {
            "taskId": it.task.id,
            "deviceId": device.id,
            "startTime": self._told(stage.start_ms),
            "finishTime": self._told(finish_ms),
            "lastUpdateTime": stamp(self._at(stage)),
            "status": stage.status,
            "summary": stage.summary,
            "blocking": it.task.kind == "device task",
            "properties": [{"name": name, "value": value} for name, value in stage.properties],
        }
        if self._switches.nulls == "absent":
            return {name: value for name, value in told.items() if value is not None}
        return told

    def _told(self, ms: int | None) -> str | None:
        return None if ms is None else stamp(millis(instant(ms) + self._switches.clock_skew))


def _is_meant(query: Query, device: Device, task: Task) -> bool:
    """By the parameters of a question for what changed; absent ones mean all."""
    direct = query.get("directTasksOnly", "false").lower() == "true"
    return (
        query.get("taskId", task.id) == task.id
        and query.get("deviceId", device.id) == device.id
        and not (direct and task.kind != "device task")
    )


def _task(it: Task) -> Json:
    config = {"taskName": it.name, "parameters": [], "properties": {}, "isActive": True}
    return {"id": it.id, "config": config}
