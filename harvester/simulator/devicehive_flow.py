"""How what the world does comes in at the fake DeviceHive as the clock moves, and what is true.

Nothing comes in before its instant, or from a device that is not there then. All that came in is
remembered here for good, whatever the cache still has of it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from heapq import heappop, heappush
from typing import NamedTuple

from harvester.simulator.chance import dice
from harvester.simulator.curves import DAY_MS
from harvester.simulator.devicehive_cache import Cache, Command, Notification
from harvester.simulator.devicehive_leaves import leaves, of_notification
from harvester.simulator.devicehive_quirks import Switches
from harvester.simulator.devicehive_shapes import stamp
from harvester.simulator.devicehive_site import Device, Site, device_id
from harvester.simulator.devicehive_tasks import (
    LONGEST_ANSWER_MS,
    SUCCESS,
    Answer,
    Task,
    tasks_of_day,
)
from harvester.simulator.devicehive_world import Sent, notifications, said, sent
from harvester.simulator.fakes import Standing, TaskTruth
from harvester.simulator.tenants import Thing
from harvester.simulator.uplinks import Values, number
from harvester.simulator.world import World, instant, millis

MEASURING = "*/read"
"""The names of commands whose results are readings."""

MILLISECOND = timedelta(milliseconds=1)

Key = tuple[str, str, datetime]  # device, channel, instant


class Arrival(NamedTuple):
    """A reading that came in at `at`, by the platform's clock."""

    device: str
    at: datetime
    key: Key
    value: float | str


@dataclass(frozen=True, slots=True)
class Entry:
    """What came in at `at_ms`: readings of `ms`, or an uplink that is not taken apart before it
    must be. Of two of one instant that with the greater `tie` holds."""

    at_ms: int
    tie: int
    tenant: str
    device: str
    ms: int
    readings: Values | Sent


class Flow:
    """All that came in, and all that is to come."""

    def __init__(self, world: World, switches: Switches, site: Site, cache: Cache) -> None:
        self._world = world
        self._switches = switches
        self._site = site
        self._cache = cache
        self._to_come: list[tuple[int, int, Sent | Task | tuple[Command, Answer]]] = []
        self._put = 0  # breaks ties: what was put in first comes first
        self._next_day = millis(world.since) // DAY_MS
        self._left_out: list[int] = []  # days of which nobody can see anything any more
        self._entries: list[Entry] = []
        self._truths: dict[str, tuple[int, dict[Key, float | str]]] = {}
        self._tasks: dict[str, tuple[str, Command, list[Standing]]] = {}

    def bring(self) -> None:
        """Let all come in whose time has come."""
        now_ms = millis(self._world.clock.now())
        while self._next_day * DAY_MS <= now_ms:
            if self._cache.has_use_for((self._next_day + 1) * DAY_MS + self._longest_delay_ms):
                self._load(self._next_day)
            else:
                self._left_out.append(self._next_day)
            self._next_day += 1
        while self._to_come and self._to_come[0][0] <= now_ms:
            at_ms, _, event = heappop(self._to_come)
            if isinstance(event, Sent):
                self._come(event)
            elif isinstance(event, Task):
                self._order(event)
            else:
                self._answer(at_ms, *event)

    def settle(self) -> None:
        """Let in what was left out, too: before there are other devices, and for the truth."""
        self.bring()
        with self._cache.unheard():
            while self._left_out:
                self._load(self._left_out.pop())
            self.bring()

    async def next(self) -> None:
        """Return when something more has come in."""
        next_ms = self._next_day * DAY_MS
        if self._to_come:
            next_ms = min(next_ms, self._to_come[0][0])
        await self._world.clock.sleep_until(instant(next_ms))
        self.bring()

    def insert(self, message: Notification | Command) -> None:
        """Take in what somebody sends now."""
        self.bring()
        self._cache.insert(message)
        if isinstance(message, Command):
            self._note_task(message)
            self._note_result(message)
        else:
            readings = of_notification(message.name, message.parameters)
            self._note(message, message.timestamp, tuple(readings))

    def update(self, command: Command, told: Mapping[str, object]) -> None:
        """Take in what somebody says of a command now: a new status, a new result, or both."""
        status = told.get("status", command.status)
        command.status = None if status is None else str(status)
        command.result = told.get("result", command.result)
        self._updated(command, millis(self._world.clock.now()))
        self._note_result(command)

    def truth(self, tenant: str) -> dict[Key, float | str]:
        """What a perfect observer of the tenant holds now: what came in last, of each instant.

        It is made anew only when something came in.
        """
        self.settle()
        if self._truths.get(tenant, (-1,))[0] != len(self._entries):
            truth = {each.key: each.value for each in self.arrivals(tenant)}
            self._truths[tenant] = (len(self._entries), truth)
        return dict(self._truths[tenant][1])

    def arrivals(self, tenant: str) -> list[Arrival]:
        """All readings that came in, in the order in which they hold."""
        self.settle()
        ordered = sorted(self._entries, key=lambda each: (each.at_ms, each.tie))
        return [each for entry in ordered if entry.tenant == tenant for each in self._taken(entry)]

    def tasks(self, tenant: str) -> dict[str, TaskTruth]:
        """All commands that came in, by device, id and timestamp."""
        self.settle()
        return {
            identity: TaskTruth(command.name, command.device, tuple(history))
            for identity, (name, command, history) in self._tasks.items()
            if name == tenant
        }

    @property
    def _longest_delay_ms(self) -> int:
        """Between what happens on a day and the last that comes in of it."""
        habits = self._world.habits
        late = max((habits.latency, *habits.delays))
        corrected = 2 * max(habits.correction_delays, default=timedelta())
        return (late + corrected) // MILLISECOND + LONGEST_ANSWER_MS

    def _load(self, day: int) -> None:
        since_ms = millis(self._world.since)
        for tenant in self._world.tenants.values():
            for thing in tenant.things:
                for event in self._of_day(thing, day):
                    first_ms = event.ms if isinstance(event, Sent) else event.at_ms
                    if first_ms >= since_ms:
                        self._push(event.at_ms, event)

    def _of_day(self, thing: Thing, day: int) -> Iterator[Sent | Task]:
        yield from sent(thing, self._world.uplinks(thing, day))
        yield from tasks_of_day(self._world.seed, thing, day, self._switches.commands)

    def _push(self, at_ms: int, event: Sent | Task | tuple[Command, Answer]) -> None:
        self._put += 1
        heappush(self._to_come, (at_ms, self._put, event))

    def _device(self, thing: Thing) -> Device | None:
        return self._site.devices.get(device_id(thing, self._switches))

    def _come(self, it: Sent) -> None:
        device = self._device(it.thing)
        if device is None:
            return
        tie = it.rank * self._switches.ids // it.of
        tenant = self._site.tenant_of(device).name
        self._entries.append(Entry(it.at_ms, tie, tenant, device.id, it.ms, it))
        if self._cache.has_use_for(it.at_ms):
            made = (self._world.seed, self._switches.ids, it, device.id, device.network)
            for message in notifications(*made):
                self._cache.insert(message, it.at_ms)

    def _order(self, task: Task) -> None:
        device = self._device(task.thing)
        if device is None:
            return
        chance = dice(self._world.seed, task.thing.uuid, task.at_ms, task.number)
        stamp_ms = task.at_ms + self._switches.clock_skew_ms
        command = Command(
            id=chance.randrange(self._switches.ids),
            name=task.name,
            device=device.id,
            network=device.network,
            timestamp=stamp_ms,
            updated=stamp_ms,
            user=self._site.accounts[task.thing.owner.name].id,
            parameters=task.parameters,
            lifetime=task.lifetime,
        )
        self._cache.insert(command, task.at_ms)
        self._note_task(command)
        for answer in task.answers:
            self._push(answer.at_ms, (command, answer))

    def _answer(self, at_ms: int, command: Command, answer: Answer) -> None:
        """The platform refuses what is said of a command that it knows no more."""
        ttl = self._switches.cache_ttl
        known = not ttl or at_ms - command.touched <= 1000 * ttl
        if known and command.device in self._site.devices:
            command.status, command.result = answer.status, answer.result
            self._updated(command, at_ms)
            self._note(command, command.updated, answer.readings)

    def _updated(self, command: Command, at_ms: int) -> None:
        self._cache.update(command, at_ms)
        _, _, history = self._tasks[self._identity(command)]
        history.append(Standing(instant(command.updated), command.status, command.result))

    def _identity(self, command: Command) -> str:
        return f"{command.device}/{command.id}/{stamp(command.timestamp, self._switches)}"

    def _note_task(self, command: Command) -> None:
        begun = Standing(instant(command.updated), command.status, command.result)
        tenant = self._site.tenant_of(self._site.devices[command.device]).name
        self._tasks[self._identity(command)] = (tenant, command, [begun])

    def _note_result(self, command: Command) -> None:
        if fnmatchcase(command.name, MEASURING) and command.status in SUCCESS:
            self._note(command, command.updated, tuple(leaves(command.name, command.result)))

    def _note(self, message: Notification | Command, ms: int, readings: Values) -> None:
        tenant = self._site.tenant_of(self._site.devices[message.device]).name
        entry = Entry(message.touched, message.id, tenant, message.device, ms, readings)
        self._entries.append(entry)

    def _taken(self, entry: Entry) -> Iterator[Arrival]:
        at = instant(entry.at_ms + self._switches.clock_skew_ms)
        for channel, value in _readings(entry):
            told = number(value)
            key = (entry.device, channel, instant(entry.ms))
            yield Arrival(entry.device, at, key, str(value) if told is None else told)


def _readings(entry: Entry) -> Iterator[tuple[str, float | str | bool]]:
    if isinstance(entry.readings, Sent):
        yield from (pair for each in said(entry.readings) for pair in each.readings)
    else:
        yield from entry.readings
