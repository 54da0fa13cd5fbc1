"""The tasks that people give the things of the world, and what becomes of them on each thing.

A task is for one thing or for a group of them. It is not heard of before it begins there, which
may never be; one that is run again goes on under the same name.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from harvester.simulator.chance import dice, identity
from harvester.simulator.curves import DAY_MS, HOUR_MS
from harvester.simulator.tenants import Tenant, Thing

Properties = tuple[tuple[str, str], ...]

NOT_STARTED, IN_PROGRESS, SUCCESS = "NotStarted", "InProgress", "Success"
ERROR, WARNING, RETRYABLE = "Error", "Warning", "ErrorRetryable"
READ = "Read temperature"
NAMES = (READ, "Reboot", "Set reporting interval", "Upgrade firmware")
A_GROUPS_SHARE = 6
"""How many times as rare the tasks of a group are as those of one thing."""


@dataclass(frozen=True, slots=True)
class Stage:
    """How a task stands on a thing from `at_ms` on. `start_ms` is when it was begun last."""

    at_ms: int
    status: str
    start_ms: int | None
    summary: str | None = None
    properties: Properties = ()

    @property
    def finish_ms(self) -> int | None:
        is_over = self.status in (SUCCESS, WARNING, ERROR)
        return self.at_ms if is_over else None


@dataclass(frozen=True, slots=True)
class Task:
    """A task, made at `made_ms`."""

    id: str
    name: str
    made_ms: int

    @property
    def kind(self) -> str:
        return "device task" if self.id.startswith("d:") else "group task"


@dataclass(frozen=True, slots=True)
class Execution:
    """What becomes of a task on a thing; without stages it never begins there."""

    task: Task
    thing: Thing
    stages: tuple[Stage, ...]


def executions_of_day(
    seed: object, tenant: Tenant, day: int, rate: float, told_at_once: bool
) -> Iterator[Execution]:
    """Those of all tasks made on `day` (days since the epoch); `rate` is how many a thing is given
    for each uplink of it."""
    if not rate:
        return
    things = [thing for thing in tenant.things if not thing.model.gateway]
    for thing in things:
        chance = dice(seed, thing.uuid, day, "tasks")
        name = identity(seed, thing.uuid, "tasks")[:5]
        for task in _tasks(f"d:{name}", day, thing.every_ms / rate, chance):
            yield _execution(task, thing, chance, told_at_once, 0)
    chance = dice(seed, tenant.name, day, "tasks")
    pause = A_GROUPS_SHARE * min(thing.every_ms for thing in things) / rate
    for task in _tasks(f"g:root.{tenant.name}", day, pause, chance):
        # Those that begin at once do so in one millisecond, and end in one, too.
        together_ms = int(chance.uniform(1_000, 60_000))
        for thing in things:
            yield _execution(task, thing, chance, told_at_once, together_ms)


def _tasks(prefix: str, day: int, pause: float, chance: Random) -> Iterator[Task]:
    at_ms, number = day * DAY_MS + int(pause * chance.random()), 1
    while at_ms < (day + 1) * DAY_MS:
        yield Task(f"{prefix}:{1000 * (day % 10_000) + number}", chance.choice(NAMES), at_ms)
        at_ms += int(pause * chance.uniform(0.5, 1.5))
        number += 1


def _execution(
    task: Task, thing: Thing, chance: Random, told_at_once: bool, together_ms: int
) -> Execution:
    stages = tuple(_life(task, chance, together_ms)) if thing.active else ()
    if told_at_once:
        stages = (Stage(task.made_ms, NOT_STARTED, None), *stages)
    return Execution(task, thing, stages)


def _life(task: Task, chance: Random, together_ms: int) -> Iterator[Stage]:
    fate = chance.random()
    if fate < 0.1:
        return
    asleep_ms = int(chance.uniform(HOUR_MS, 6 * HOUR_MS)) if fate < 0.2 else 0
    begun_ms = task.made_ms + asleep_ms + (together_ms or int(chance.uniform(1, 30_000)))
    done_ms = begun_ms + (together_ms or int(chance.uniform(500, 600_000)))
    yield Stage(begun_ms, IN_PROGRESS, begun_ms)
    if 0.2 <= fate < 0.3:
        yield Stage(done_ms, ERROR, begun_ms, "Request timed out")
    elif 0.3 <= fate < 0.4:
        yield Stage(done_ms, RETRYABLE, begun_ms, "Device did not answer")
        yield from _again(task, done_ms + 60_000, chance)
    elif 0.4 <= fate < 0.45:
        yield Stage(done_ms, WARNING, begun_ms, "Opération terminée, avec réserve")
    elif fate >= 0.5 or asleep_ms:
        yield _success(task, begun_ms, done_ms, chance)
    if fate >= 0.85:
        yield from _again(task, done_ms + int(chance.uniform(0.5, 4) * HOUR_MS), chance)


def _again(task: Task, begun_ms: int, chance: Random) -> Iterator[Stage]:
    yield Stage(begun_ms, IN_PROGRESS, begun_ms)
    yield _success(task, begun_ms, begun_ms + int(chance.uniform(500, 600_000)), chance)


def _success(task: Task, begun_ms: int, done_ms: int, chance: Random) -> Stage:
    properties: Properties = ()
    if task.name == READ:
        key = "Temperature.0.Sensor Value"
        did = json.dumps({"read": {"key": key}})
        value = f"{chance.uniform(15, 25):.2f}"
        properties = ((key, value), ("lastSuccessfulOperation", did))
    return Stage(done_ms, SUCCESS, begun_ms, None, properties)
