"""What the fake DeviceHive does when it is asked over a WebSocket: mostly the same as over HTTP.

Who is there is proven once. Nobody looks at the token again, nor whether it has ended.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from harvester.simulator import devicehive_asked as asking, devicehive_shapes as shapes
from harvester.simulator.devicehive_asked import Asked
from harvester.simulator.devicehive_auth import Bearer, ContainerRefusal, Tokens
from harvester.simulator.devicehive_cache import Cache
from harvester.simulator.devicehive_devices import Devices
from harvester.simulator.devicehive_messages import Hanging, Messages
from harvester.simulator.devicehive_quirks import Switches
from harvester.simulator.devicehive_shapes import Json
from harvester.simulator.devicehive_socket import Session
from harvester.simulator.devicehive_subscriptions import Subscriptions
from harvester.simulator.faults import Refusal

DEFAULT_TAKE = 20
"""So many are in a list where nobody says; over HTTP it is another number."""

OfAnybody = Callable[[Session, Asked], Json]
OfBearer = Callable[[Bearer, Asked], Json]
OfSession = Callable[[Session, Bearer, Asked], Sequence[Json]]


class Doors:
    """How somebody gets in; these may be asked for by anybody. All raise Refusal."""

    def __init__(
        self, tokens: Tokens, token_calls: Counter[str], cache: Cache, switches: Switches
    ) -> None:
        self._tokens = tokens
        self._token_calls = token_calls
        self._cache = cache
        self._switches = switches

    def verbs(self) -> dict[str, OfAnybody]:
        return {
            "authenticate": self._authenticate,
            "token": self._login,
            "token/refresh": self._refresh,
            "server/info": self._info,
        }

    def _authenticate(self, session: Session, asked: Asked) -> Json:
        token = asking.text(asked, "token")
        if token is None:
            raise Refusal(401, "Unauthorized")
        try:
            session.bearer = self._tokens.bearer(f"Bearer {token}")
        except ContainerRefusal as refusal:
            ended = refusal.message == "Token expired"
            raise Refusal(401, refusal.message if ended else "Invalid credentials") from None
        return {}

    def _login(self, _session: Session, asked: Asked) -> Json:
        self._token_calls["password"] += 1
        return self._tokens.login(asked)

    def _refresh(self, _session: Session, asked: Asked) -> Json:
        """What the container says to this is not understood by the service in between."""
        self._token_calls["refresh_token"] += 1
        if asked.get("refreshToken") is None:
            raise Refusal(400, "Missing or invalid payload in request")
        try:
            return self._tokens.refresh(asked)
        except ContainerRefusal:
            raise Refusal(500, "Invalid response status") from None

    def _info(self, session: Session, _asked: Asked) -> Json:
        told = {
            "apiVersion": self._switches.version,
            "serverTimestamp": shapes.stamp(self._cache.stamp(), self._switches),
            "restServerUrl": f"http://{session.host}/api/rest",
        }
        return {"info": told}


class Verbs:
    """What somebody may ask for. All raise Refusal; lists raise Hanging."""

    def __init__(self, devices: Devices, messages: Messages) -> None:
        self._devices = devices
        self._messages = messages

    def verbs(self) -> dict[str, OfBearer]:
        return {
            "device/list": lambda who, asked: {"devices": self._devices.listed(who, asked)},
            "device/get": lambda who, asked: {"device": self._devices.get(who, _device(asked))},
            "device/save": self._save_device,
            "device/delete": self._delete_device,
            "network/list": lambda who, asked: {"networks": self._devices.networks(who, asked)},
            "notification/list": self._notifications,
            "notification/get": self._notification,
            "notification/insert": self._notify,
            "command/list": self._commands,
            "command/get": self._command,
            "command/insert": self._order,
            "command/update": self._report,
        }

    def _save_device(self, who: Bearer, asked: Asked) -> Json:
        self._devices.save(who, _device(asked), _object(asked, "device", "Device is empty"))
        return {}

    def _delete_device(self, who: Bearer, asked: Asked) -> Json:
        self._devices.delete(who, _device(asked))
        return {}

    def _notifications(self, who: Bearer, asked: Asked) -> Json:
        rows = self._messages.notifications(who, _device(asked), asked, DEFAULT_TAKE)
        return {"notifications": rows}

    def _notification(self, who: Bearer, asked: Asked) -> Json:
        device, number = _device(asked), _number(asked, "notification")
        return {"notification": self._messages.notification(who, device, number)}

    def _notify(self, who: Bearer, asked: Asked) -> Json:
        told = _object(asked, "notification", "Notification is required")
        return {"notification": self._messages.notify(who, _device(asked), told)}

    def _commands(self, who: Bearer, asked: Asked) -> Json:
        rows = self._messages.commands(who, _device(asked), asked, DEFAULT_TAKE)
        return {"commands": rows}

    def _command(self, who: Bearer, asked: Asked) -> Json:
        device, number = _device(asked), _number(asked, "command")
        return {"command": self._messages.command(who, device, number, {})}

    def _order(self, who: Bearer, asked: Asked) -> Json:
        told = _object(asked, "command", "Command is required")
        return {"command": self._messages.order(who, _device(asked), told)}

    def _report(self, who: Bearer, asked: Asked) -> Json:
        device, number = _device(asked), _number(asked, "command")
        self._messages.report(who, device, number, _object(asked, "command", "Command is required"))
        return {}


class Actions:
    """All that can be asked for."""

    def __init__(
        self, doors: Doors, verbs: Verbs, subscriptions: Subscriptions, violations: list[str]
    ) -> None:
        self._of_anybody = doors.verbs()
        self._of_bearers = verbs.verbs()
        self._of_sessions: dict[str, OfSession] = {
            "notification/subscribe": partial(subscriptions.begin, "notification"),
            "notification/unsubscribe": partial(subscriptions.end, "notification"),
            "command/subscribe": partial(subscriptions.begin, "command"),
            "command/unsubscribe": partial(subscriptions.end, "command"),
            "subscription/list": subscriptions.listed,
        }
        self._violations = violations

    def act(self, session: Session, asked: Asked) -> Sequence[Json]:
        """Do what is asked for, as `devicehive_socket.Act`."""
        action = str(asked.get("action"))
        if action in self._of_anybody:
            return [self._of_anybody[action](session, asked)]
        if action not in self._of_bearers | self._of_sessions:
            raise Refusal(500, "'action' field could not be parsed to known endpoint")
        if session.bearer is None:
            self._violations.append(f"{action} was asked for by nobody")
            raise Refusal(401, "Unauthorized")
        if action in self._of_sessions:
            return self._of_sessions[action](session, session.bearer, asked)
        try:
            return [self._of_bearers[action](session.bearer, asked)]
        except Hanging:
            return []


def _device(asked: Asked) -> str:
    device = asking.text(asked, "deviceId")
    if device is None:
        raise Refusal(400, "Device id is wrong or empty")
    return device


def _number(asked: Asked, kind: str) -> int:
    number = asked.get(f"{kind}Id")
    if not isinstance(number, int):
        raise Refusal(400, f"{kind.title()} id is wrong or empty")
    return number


def _object(asked: Asked, name: str, otherwise: str) -> Asked:
    told = asked.get(name)
    if not isinstance(told, dict):
        raise Refusal(400, otherwise)
    return told
