"""What the fake DeviceHive says and is told of notifications and commands.

Lists are cut before they are sorted, in one way by servers 3 and in another by servers 4.
"""

from typing import TypeVar

from harvester.simulator import devicehive_asked as asking, devicehive_shapes as shapes
from harvester.simulator.chance import dice
from harvester.simulator.devicehive_asked import Asked
from harvester.simulator.devicehive_auth import Bearer
from harvester.simulator.devicehive_cache import Cache, Command, Notification
from harvester.simulator.devicehive_flow import Flow
from harvester.simulator.devicehive_quirks import Switches
from harvester.simulator.devicehive_rights import (
    CREATE_COMMAND,
    CREATE_NOTIFICATION,
    GET_COMMAND,
    GET_NOTIFICATION,
    UPDATE_COMMAND,
    Rights,
)
from harvester.simulator.devicehive_shapes import Json
from harvester.simulator.devicehive_site import Device
from harvester.simulator.faults import Refusal

DEFAULT_TAKE = 100
RESERVED = ("$device-add", "$device-update")
FIELDS = {"timestamp": "timestamp", "notification": "name", "command": "name", "status": "status"}
"""What lists are sorted by, and what that is called here."""

Some = TypeVar("Some", Notification, Command)


class Hanging(Exception):
    """The platform fails in a way that leaves who asked without any answer."""


class Messages:
    """Each verb takes who asks, the device and what for. All raise Refusal; lists raise Hanging.

    `default_take` is how many there are in a list where nobody says: not the same everywhere.
    """

    def __init__(
        self, rights: Rights, cache: Cache, flow: Flow, switches: Switches, violations: list[str]
    ) -> None:
        self._rights = rights
        self._cache = cache
        self._flow = flow
        self._switches = switches
        self._violations = violations
        self._scans = 0

    def notifications(
        self, bearer: Bearer, device: str, asked: Asked, default_take: int = DEFAULT_TAKE
    ) -> list[Json]:
        self._judge(asked)
        bounds = self._bounds(asked)
        found = self._found(bearer, GET_NOTIFICATION, device)
        name = asking.text(asked, "notification")
        rows = [
            each
            for each in self._cache.notifications(found.id)
            if name in (None, each.name) and self._within(each.timestamp, *bounds)
        ]
        fields = ("timestamp", "notification")
        return self._shown(self._cut(rows, asked, fields, default_take))

    def commands(
        self, bearer: Bearer, device: str, asked: Asked, default_take: int = DEFAULT_TAKE
    ) -> list[Json]:
        self._judge(asked)
        bounds = self._bounds(asked)
        found = self._found(bearer, GET_COMMAND, device)
        name, status = asking.text(asked, "command"), asking.text(asked, "status")
        rows = [
            each
            for each in self._cache.commands(found.id)
            if name in (None, each.name)
            and (status is None or self._is_status(status, each.status))
            and self._within(each.timestamp, *bounds)
        ]
        fields = ("timestamp", "command", "status")
        return self._shown(self._cut(rows, asked, fields, default_take))

    def notification(self, bearer: Bearer, device: str, identifier: int) -> Json:
        found = self._found(bearer, GET_NOTIFICATION, device)
        return shapes.notification(self._cache.notification(found.id, identifier), self._switches)

    def command(self, bearer: Bearer, device: str, identifier: int, asked: Asked) -> Json:
        found = self._found(bearer, GET_COMMAND, device)
        command = self._cache.command(found.id, identifier)
        if asking.flag(asked, "returnUpdatedCommands") and not command.is_updated:
            raise Refusal(404, f"Command with id = {identifier} not found")
        return shapes.command(command, self._switches)

    def notify(self, bearer: Bearer, device: str, told: Asked) -> Json:
        """What a device sends; the time may be its own."""
        name, parameters = asking.text(told, "notification"), _object(told, "parameters")
        if name in RESERVED:
            listed = "$device-update, $device-add"
            raise Refusal(403, f"It's forbidden to insert these special notifications: {listed}.")
        found = self._found(bearer, CREATE_NOTIFICATION, device)
        if name is None:
            raise Refusal(400, "Invalid request parameters")
        notification = Notification(
            id=self._cache.new_id(),
            name=name,
            device=found.id,
            network=found.network,
            timestamp=self._instant(told),
            parameters=parameters,
        )
        self._flow.insert(notification)
        return shapes.inserted(notification, self._switches)

    def order(self, bearer: Bearer, device: str, told: Asked) -> Json:
        """A command for a device; it may come with a status and a result of its own."""
        name, at = asking.text(told, "command"), self._instant(told)
        found = self._found(bearer, CREATE_COMMAND, device)
        if name is None:
            raise Refusal(400, "Command is required")
        command = Command(
            id=self._cache.new_id(),
            name=name,
            device=found.id,
            network=found.network,
            timestamp=at,
            updated=at,
            user=bearer.account.id,
            parameters=_object(told, "parameters"),
            lifetime=asking.whole(told, "lifetime", 0) or None,
            status=asking.text(told, "status"),
            result=_object(told, "result"),
        )
        self._flow.insert(command)
        return shapes.inserted(command, self._switches)

    def report(self, bearer: Bearer, device: str, identifier: int, told: Asked) -> None:
        """What a device says of a command; the platform knows none that is not in its cache."""
        found = self._found(bearer, UPDATE_COMMAND, device)
        command = self._cache.command(found.id, identifier)
        if "result" in told:
            _object(told, "result")
        self._flow.update(command, told)

    def _found(self, bearer: Bearer, action: int, device: str) -> Device:
        """The device, once all has come in that it sent before now."""
        self._flow.bring()
        return self._rights.device(bearer, action, device)

    def _judge(self, asked: Asked) -> None:
        field, order = asking.text(asked, "sortField"), asking.text(asked, "sortOrder")
        if field is None or order is None or order.upper() == "DESC":
            self._violations.append("a list was not asked for from the oldest on")
        if field == "status":
            self._violations.append("a list was asked for by status")
        if "take" not in asked:
            self._violations.append("a list was asked for without saying how much of it")
        if asking.lost_its_zone(asked):
            self._violations.append("a plus sign was not encoded")

    def _bounds(self, asked: Asked) -> tuple[int | None, int | None]:
        return asking.instant(asked, "start"), asking.instant(asked, "end")

    def _instant(self, told: Asked) -> int:
        at = asking.instant(told, "timestamp")
        return self._cache.stamp() if at is None else at

    @property
    def _is_old(self) -> bool:
        return self._switches.version == "3.5.0"

    def _within(self, ms: int, start: int | None, end: int | None) -> bool:
        """Old servers leave both bounds out."""
        by = 1 if self._is_old else 0
        return (start is None or start + by <= ms) and (end is None or ms <= end - by)

    def _is_status(self, wanted: str, status: str | None) -> bool:
        if self._is_old:
            return status == wanted
        return status is not None and status.lower() == wanted.lower()

    def _cut(
        self, rows: list[Some], asked: Asked, fields: tuple[str, ...], default_take: int
    ) -> list[Some]:
        """Some of the rows, and of these the page, in the order that was asked for."""
        skip, take = asking.whole(asked, "skip", 0), asking.whole(asked, "take", default_take)
        if skip < 0 or take <= 0:
            return []
        kept = self._some(rows)[: skip + take]
        field = (asking.text(asked, "sortField") or "timestamp").lower()
        if field in fields:
            many = len(kept) > 1
            kept.sort(key=lambda each: _word(each, FIELDS[field], many), reverse=True)
        if (asking.text(asked, "sortOrder") or "DESC").upper() != "DESC":
            kept.reverse()
        return kept[skip : skip + take]

    def _some(self, rows: list[Some]) -> list[Some]:
        """Old servers take the oldest; newer ones those that they happen upon, each time others."""
        if self._is_old:
            return sorted(rows, key=lambda each: each.timestamp)
        self._scans += 1
        dice("scan", self._scans).shuffle(rows)
        return rows

    def _shown(self, rows: list[Some]) -> list[Json]:
        return [shapes.message(each, self._switches) for each in rows]


def _word(message: Notification | Command, field: str, is_compared: bool) -> int | str:
    """What a list is sorted by. There is no comparing with nothing."""
    word: int | str | None = getattr(message, field)
    if word is None and is_compared:
        raise Hanging
    return "" if word is None else word


def _object(told: Asked, name: str) -> object:
    value = told.get(name)
    if value is not None and not isinstance(value, dict):
        raise Refusal(400, f"'{name}' must be JSON Object!")
    return value
