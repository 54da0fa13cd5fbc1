"""What the fake remembers of messages: nothing but a cache, from which all is gone after a while.

Its clock is the world's; what it stamps is stamped by the platform's own, which may be ahead.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from harvester.simulator.chance import dice
from harvester.simulator.devicehive_quirks import Switches
from harvester.simulator.faults import Refusal
from harvester.simulator.world import World, millis

Action = Literal["notification/insert", "command/insert", "command/update"]


@dataclass(slots=True, kw_only=True)
class Notification:
    """As a device sent it. `timestamp` is epoch ms, and the device may have set it itself; the
    network and the type are None where the platform itself speaks of the device."""

    id: int
    name: str
    device: str
    network: int | None
    timestamp: int
    parameters: object = None
    device_type: int | None = 1
    touched: int = 0  # epoch ms, by the world's clock: what counts for its life in the cache

    @property
    def changed(self) -> int:
        return self.timestamp


@dataclass(slots=True, kw_only=True)
class Command:
    """As it stands now. `timestamp` and `updated` are epoch ms; a command that was not updated
    since it came has both alike. `status` is None until somebody says one."""

    id: int
    name: str
    device: str
    network: int | None
    timestamp: int
    updated: int
    user: int | None = None
    parameters: object = None
    lifetime: int | None = None
    status: str | None = None
    result: object = None
    is_updated: bool = False
    device_type: int | None = 1
    touched: int = 0  # as of a notification

    @property
    def changed(self) -> int:
        return self.updated


Message = Notification | Command
Told = Callable[[Action, Message], None]
Some = TypeVar("Some", Notification, Command)


@dataclass(slots=True)
class Shelf:
    """The messages of one kind of one device, by id and timestamp, the longest untouched first."""

    kept: dict[tuple[int, int], Message] = field(default_factory=dict)

    def put(self, message: Message) -> None:
        """Keep it, in the place of one of the same id and timestamp."""
        key = (message.id, message.timestamp)
        self.kept.pop(key, None)
        self.kept[key] = message

    def drop(self, touched_before: int) -> None:
        while self.kept:
            key = next(iter(self.kept))
            if self.kept[key].touched >= touched_before:
                return
            del self.kept[key]


class Cache:
    """All messages of the installation that are not gone yet.

    Whoever subscribed is told of each message as it comes, before anybody else runs. What comes in
    comes through `devicehive_flow`, that of the world by itself as its clock moves.
    """

    def __init__(self, world: World, switches: Switches) -> None:
        self._world = world
        self._switches = switches
        self._notifications: dict[str, Shelf] = {}
        self._commands: dict[str, Shelf] = {}
        self._ids = dice(world.seed, "ids of what others send")
        self._told: list[Told] = []
        self.followed = asyncio.Event()
        """Whether anybody has subscribed."""

    @property
    def oldest_ms(self) -> int:
        """What was touched before this instant of the world's clock is gone."""
        ttl = self._switches.cache_ttl
        return millis(self._world.clock.now()) - 1000 * ttl if ttl else 0

    def stamp(self) -> int:
        """The time as the platform has it, in epoch ms."""
        return millis(self._world.clock.now()) + self._switches.clock_skew_ms

    def new_id(self) -> int:
        """At random, as the platform does: neither unique nor in any order."""
        return self._ids.randrange(self._switches.ids)

    def subscribe(self, told: Told) -> Callable[[], None]:
        """Have `told` called with each message that comes; call what is returned to end that.

        A command that is updated is the same object as before, with its new state.
        """
        self._told.append(told)
        self.followed.set()
        return lambda: self._unsubscribe(told)

    @contextmanager
    def unheard(self) -> Iterator[None]:
        """Let messages come of which nobody is told: they came long ago."""
        told, self._told = self._told, []
        try:
            yield
        finally:
            self._told = told

    def has_use_for(self, at_ms: int) -> bool:
        """Whether anybody can see what comes at `at_ms` of the world's clock."""
        return bool(self._told) or at_ms >= self.oldest_ms

    def insert(self, message: Message, at_ms: int | None = None) -> None:
        """Keep a message that came at `at_ms` of the world's clock, which is now if not given."""
        message.touched = millis(self._world.clock.now()) if at_ms is None else at_ms
        is_command = isinstance(message, Command)
        self._put("command/insert" if is_command else "notification/insert", message)

    def update(self, command: Command, at_ms: int | None = None) -> None:
        """Note that the command, which is in the cache, was updated: its life there begins anew."""
        command.touched = millis(self._world.clock.now()) if at_ms is None else at_ms
        command.updated = command.touched + self._switches.clock_skew_ms
        command.is_updated = True
        self._put("command/update", command)

    def notifications(self, device: str) -> list[Notification]:
        """All that are kept of it, in order of arrival."""
        return list(self._kept(self._notifications, device, Notification))

    def commands(self, device: str) -> list[Command]:
        """All that are kept of it, the longest untouched first."""
        return list(self._kept(self._commands, device, Command))

    def notification(self, device: str, identifier: int) -> Notification:
        """Raises Refusal 404. Of several with this id any may be meant; it is the oldest."""
        for each in self._kept(self._notifications, device, Notification):
            if each.id == identifier:
                return each
        raise Refusal(404, "Requested notification not found")

    def command(self, device: str, identifier: int) -> Command:
        """Raises Refusal 404."""
        for each in self._kept(self._commands, device, Command):
            if each.id == identifier:
                return each
        raise Refusal(404, f"Command with id = {identifier} not found")

    def _put(self, action: Action, message: Message) -> None:
        if not self.has_use_for(message.touched):
            return
        shelves = self._commands if isinstance(message, Command) else self._notifications
        shelf = shelves.setdefault(message.device, Shelf())
        shelf.put(message)
        shelf.drop(self.oldest_ms)
        for told in list(self._told):
            told(action, message)

    def _kept(self, shelves: dict[str, Shelf], device: str, kind: type[Some]) -> Iterator[Some]:
        shelf = shelves.get(device, Shelf())
        shelf.drop(self.oldest_ms)
        return (each for each in shelf.kept.values() if isinstance(each, kind))

    def _unsubscribe(self, told: Told) -> None:
        self._told.remove(told)
        if not self._told:
            self.followed.clear()
