"""What the fake DeviceHive sends by itself over a WebSocket, and to whom."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Literal

from harvester.simulator import devicehive_asked as asking, devicehive_shapes as shapes
from harvester.simulator.devicehive_asked import Asked
from harvester.simulator.devicehive_auth import Bearer
from harvester.simulator.devicehive_cache import Action, Cache, Command, Message
from harvester.simulator.devicehive_polls import MOST_AT_ONCE, Polls, Wanted
from harvester.simulator.devicehive_quirks import Switches
from harvester.simulator.devicehive_rights import GET_COMMAND, GET_NOTIFICATION, Rights
from harvester.simulator.devicehive_shapes import Json
from harvester.simulator.devicehive_site import ADMIN
from harvester.simulator.devicehive_socket import Session, Subscription
from harvester.simulator.faults import Refusal
from harvester.simulator.tenants import Tenant

Kind = Literal["notification", "command"]

RIGHT = {"notification": GET_NOTIFICATION, "command": GET_COMMAND}
USUAL_LIMIT = 20
"""So many commands that are there already, unless somebody says otherwise."""
TOLD = ("deviceId", "networkIds", "deviceTypeIds", "names", "timestamp")


@dataclass(frozen=True, slots=True)
class Followed:
    """Which messages: those of the networks that could be seen when it was asked for, by the
    network that a device was in when it sent them. What is of none goes to who sees `all_of` a
    tenant."""

    action: Action
    networks: frozenset[int]
    device: str | None
    names: set[str] | None
    all_of: Tenant | None

    def fits(self, action: Action, message: Message) -> bool:
        return (
            action == self.action
            and self.device in (None, message.device)
            and (self.names is None or message.name in self.names)
        )


class Subscriptions:
    """All that is sent. Methods take the kind, the session, who it is and what for; they give the
    answer and what is said after it. All raise Refusal."""

    def __init__(self, rights: Rights, cache: Cache, polls: Polls, switches: Switches) -> None:
        self._rights = rights
        self._cache = cache
        self._polls = polls
        self._switches = switches
        self._numbers = count(1)

    def begin(self, kind: Kind, session: Session, bearer: Bearer, asked: Asked) -> list[Json]:
        """Its id, and what there is already since the `timestamp` that was asked for."""
        followed = self._followed(bearer, kind, asked)
        since = asking.instant(asked, "timestamp")
        number = next(self._numbers)

        def told(action: Action, message: Message) -> None:
            if followed.fits(action, message) and self._sees(followed, message):
                session.say(self._sent(number, action, message))

        end = self._cache.subscribe(told)
        session.subscriptions[number] = Subscription(kind, asked, end)
        there = () if since is None else self._there(followed, asked, since)
        sent = [self._sent(number, followed.action, each) for each in there]
        return [{"subscriptionId": number}, *sent]

    def end(self, kind: Kind, session: Session, bearer: Bearer, asked: Asked) -> list[Json]:
        """One, or all of the kind where none is named."""
        self._rights.check(bearer, RIGHT[kind])
        ids = [each for each, it in session.subscriptions.items() if it.kind == kind]
        if asked.get("subscriptionId") is not None:
            number = asking.whole(asked, "subscriptionId", 0)
            if number not in ids:
                raise Refusal(404, f"Subscription with id {number} was not found")
            ids = [number]
        for each in ids:
            session.subscriptions.pop(each).end()
        return [{}]

    def listed(self, session: Session, bearer: Bearer, asked: Asked) -> list[Json]:
        """Those of the session, of one kind or of both."""
        if not any(bearer.may(right) for right in RIGHT.values()):
            raise Refusal(403, "Access is denied")
        kind = asking.text(asked, "type")
        rows = [
            {"subscriptionId": number, "type": it.kind}
            | {each: it.asked.get(each) for each in TOLD}
            for number, it in session.subscriptions.items()
            if kind in (None, it.kind)
        ]
        return [{"subscriptions": rows}]

    def _followed(self, bearer: Bearer, kind: Kind, asked: Asked) -> Followed:
        self._rights.check(bearer, RIGHT[kind])
        if asked.get("deviceId") == "":
            raise Refusal(400, "Device id is wrong or empty")
        networks = self._networks(bearer, asked)
        device = asking.text(asked, "deviceId")
        if device is not None:
            # Where the device is now: once it is in another network, nothing of it is sent.
            networks = frozenset({self._rights.device(bearer, RIGHT[kind], device).network})
        narrowed = device or asked.get("networkIds") or asked.get("deviceTypeIds")
        sees_all = bearer.account.role == ADMIN and "*" in bearer.networks and not narrowed
        all_of = bearer.account.tenant if sees_all else None
        names = asking.names(asked, "names")
        return Followed(_action(kind, asked), networks, device, names, all_of)

    def _networks(self, bearer: Bearer, asked: Asked) -> frozenset[int]:
        seen = {str(each.id) for each in self._rights.networks(bearer)}
        named = asking.names(asked, "networkIds") or seen
        _check_known(bearer, "Networks with such networkIds", named - seen)
        types = asking.names(asked, "deviceTypeIds") or set()
        unknown = types - {str(shapes.DEVICE_TYPE)}
        _check_known(bearer, "Device types with such deviceTypeIds", unknown)
        if not seen:
            raise Refusal(403, "No access to any device type or network")
        return frozenset(int(each) for each in named)

    def _sees(self, followed: Followed, message: Message) -> bool:
        if message.network is not None:
            return message.network in followed.networks
        device = self._rights.site.devices.get(message.device)
        return device is not None and self._rights.site.tenant_of(device) is followed.all_of

    def _there(self, followed: Followed, asked: Asked, since: int) -> Iterator[Message]:
        devices = self._rights.site.devices.values()
        ids = {each.id for each in devices if each.network in followed.networks}
        one = followed.device
        wanted = Wanted(followed.action, frozenset({one} if one else ids), followed.names)
        is_command = followed.action != "notification/insert"
        limit = asking.whole(asked, "limit", USUAL_LIMIT) if is_command else MOST_AT_ONCE
        rows = self._polls.backlog(wanted, since, limit, is_one=one is not None)
        return (each for each in rows if self._sees(followed, each))

    def _sent(self, number: int, action: Action, message: Message) -> Json:
        kind = "command" if isinstance(message, Command) else "notification"
        told = shapes.message(message, self._switches)
        return {"action": action, kind: told, "subscriptionId": number}


def _action(kind: Kind, asked: Asked) -> Action:
    """Commands are told of when they come or when they are updated: a subscription is for one."""
    if kind == "notification":
        return "notification/insert"
    return "command/update" if asking.flag(asked, "returnUpdatedCommands") else "command/insert"


def _check_known(bearer: Bearer, what: str, unknown: set[str]) -> None:
    if unknown and bearer.account.role == ADMIN:
        raise Refusal(404, f"{what} wasn't found: {{[{', '.join(sorted(unknown))}]}}")
    if unknown:
        raise Refusal(403, "Access is denied")
