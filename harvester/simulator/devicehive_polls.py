"""Long polls of the fake DeviceHive: what there is at once, or else the first thing that comes."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from harvester.simulator import devicehive_asked as asking, devicehive_shapes as shapes
from harvester.simulator.chance import dice
from harvester.simulator.clock import Clock
from harvester.simulator.devicehive_asked import Asked
from harvester.simulator.devicehive_auth import Bearer
from harvester.simulator.devicehive_cache import Action, Cache, Command, Message
from harvester.simulator.devicehive_flow import Flow
from harvester.simulator.devicehive_quirks import Switches
from harvester.simulator.devicehive_rights import GET_COMMAND, GET_NOTIFICATION, Rights
from harvester.simulator.devicehive_shapes import Json
from harvester.simulator.faults import Refusal

LONGEST_WAIT, USUAL_WAIT = 60, 30
"""In seconds."""
MOST_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which messages: `action` is how they come. None stands for any."""

    action: Action
    devices: frozenset[str]
    names: set[str] | None = None

    def fits(self, action: Action, message: Message) -> bool:
        return action == self.action and self.has(message)

    def has(self, message: Message) -> bool:
        return message.device in self.devices and (not self.names or message.name in self.names)


class Polls:
    """Each takes who asks, what for, and the device if it is one. All raise Refusal."""

    def __init__(
        self, rights: Rights, cache: Cache, flow: Flow, switches: Switches, clock: Clock
    ) -> None:
        self._rights = rights
        self._cache = cache
        self._flow = flow
        self._switches = switches
        self._clock = clock
        self._scans = 0

    async def notifications(
        self, bearer: Bearer, asked: Asked, device: str | None = None
    ) -> list[Json]:
        devices = self._devices(bearer, GET_NOTIFICATION, asked, device)
        names = asking.names(asked, "names")
        wanted = Wanted("notification/insert", devices, names)
        return await self._polled(wanted, asked, MOST_AT_ONCE, is_one=_one(asked, device))

    async def commands(self, bearer: Bearer, asked: Asked, device: str | None = None) -> list[Json]:
        """Those that were updated are to be had of one device only, named by the path."""
        devices = self._devices(bearer, GET_COMMAND, asked, device)
        is_updated = device is not None and asking.flag(asked, "returnUpdatedCommands")
        action: Action = "command/update" if is_updated else "command/insert"
        wanted = Wanted(action, devices, asking.names(asked, "names"))
        limit = asking.whole(asked, "limit", MOST_AT_ONCE)
        if limit < 0:
            raise Refusal(400, "Limit can't be less than 0.")
        return await self._polled(wanted, asked, limit, is_one=_one(asked, device))

    async def command(
        self, bearer: Bearer, device: str, identifier: int, asked: Asked
    ) -> Json | None:
        """The command once it was updated; None if that does not happen, or there is none."""
        self._flow.bring()
        found = self._rights.device(bearer, GET_COMMAND, device)
        seconds = _seconds(asked)
        try:
            command = self._cache.command(found.id, identifier)
        except Refusal:
            return None
        if not command.is_updated:
            await self._first(lambda _, message: message is command and command.is_updated, seconds)
        return shapes.command(command, self._switches) if command.is_updated else None

    def _devices(
        self, bearer: Bearer, action: int, asked: Asked, device: str | None
    ) -> frozenset[str]:
        self._flow.bring()
        one = device or asking.text(asked, "deviceId")
        if one is not None:
            return frozenset({self._rights.device(bearer, action, one).id})
        self._rights.check(bearer, action)
        networks, types = asking.names(asked, "networkIds"), asking.names(asked, "deviceTypeIds")
        for each in networks or ():
            self._rights.network(bearer, asking.identifier(each))
        if types and types != {str(shapes.DEVICE_TYPE)}:
            raise Refusal(403, "Access is denied")
        devices = self._rights.devices(bearer)
        return frozenset(
            each.id for each in devices if not networks or str(each.network) in networks
        )

    async def _polled(self, wanted: Wanted, asked: Asked, limit: int, is_one: bool) -> list[Json]:
        seconds = _seconds(asked)
        since = asking.instant(asked, "timestamp")
        since = self._cache.stamp() if since is None else since
        if not wanted.devices:
            return []
        rows = self.backlog(wanted, since, limit, is_one)
        if not rows:
            rows = await self._first(wanted.fits, seconds)
        return [shapes.message(each, self._switches) for each in rows]

    @property
    def _is_old(self) -> bool:
        return self._switches.version == "3.5.0"

    def backlog(self, wanted: Wanted, since: int, limit: int, is_one: bool) -> list[Message]:
        """What is there already. Old servers leave out what is of `since` itself; newer ones look
        at one device only."""
        if not is_one and not self._is_old:
            return []
        first = since + 1 if self._is_old else since
        rows = [
            each
            for device in sorted(wanted.devices)
            for each in self._kept(wanted, device)
            if wanted.has(each) and self._cursor(wanted, each) >= first
        ]
        if not self._is_old:
            self._scans += 1
            dice("poll", self._scans).shuffle(rows)
            return rows[:limit]
        rows.sort(key=lambda each: each.timestamp)
        return rows[:limit] if limit else rows

    def _kept(self, wanted: Wanted, device: str) -> list[Message]:
        if wanted.action == "notification/insert":
            return list(self._cache.notifications(device))
        is_updated = wanted.action == "command/update"
        return [each for each in self._cache.commands(device) if each.is_updated or not is_updated]

    def _cursor(self, wanted: Wanted, message: Message) -> int:
        """By what `since` counts: of updates at newer servers the creation all the same."""
        is_updated = wanted.action == "command/update" and self._is_old
        return message.updated if isinstance(message, Command) and is_updated else message.timestamp

    async def _first(self, fits: Callable[[Action, Message], bool], seconds: int) -> list[Message]:
        """The first message that comes and fits, alone; nothing if none does in time."""
        if seconds == 0:
            return []
        came: asyncio.Future[Message] = asyncio.get_running_loop().create_future()

        def told(action: Action, message: Message) -> None:
            if fits(action, message) and not came.done():
                came.set_result(message)

        unsubscribe = self._cache.subscribe(told)
        end = self._clock.now() + timedelta(seconds=seconds)
        waiting = asyncio.ensure_future(self._clock.sleep_until(end))
        try:
            await asyncio.wait((came, waiting), return_when=asyncio.FIRST_COMPLETED)
        finally:
            unsubscribe()
            waiting.cancel()
        return [came.result()] if came.done() else []


def _one(asked: Asked, device: str | None) -> bool:
    return device is not None or asking.text(asked, "deviceId") is not None


def _seconds(asked: Asked) -> int:
    seconds = asking.whole(asked, "waitTimeout", USUAL_WAIT)
    if seconds > LONGEST_WAIT:
        raise Refusal(400, f"Timeout can't be more than {LONGEST_WAIT} seconds. ")
    if seconds < 0:
        raise Refusal(400, "Timeout can't be less than 0 seconds. ")
    return seconds
