"""Push notifications of the fake Usergrid and their receipts: what they say, and who may say it.

The state is not written, but made of the rest whenever somebody reads it: with time one expires,
and nothing tells.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from harvester.simulator.chance import identity
from harvester.simulator.tenants import Thing
from harvester.simulator.usergrid_entities import Entity, Version, singular
from harvester.simulator.usergrid_quirks import Switches
from harvester.simulator.usergrid_shapes import ApiRefusal

NOTIFICATIONS, RECEIPTS = "notifications", "receipts"
NOTIFIER = "push"

Properties = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it on one device: an error, or none."""

    thing: Thing
    error: tuple[str | int, str] | None


def unit_ms(switches: Switches) -> int:
    """That of `deliver` and `expire`, in which people say when that shall be."""
    return 1000 if switches.notification_times == "s" else 1


def state(told: Properties, now_ms: int, unit_ms: int) -> str:
    """What it is at `now_ms`, after the order of the server's source."""
    if told.get("errorMessage") is not None:
        return "FAILED"
    if told.get("canceled") is True:
        return "CANCELED"
    if told.get("finished") is not None:
        return "FINISHED"
    if told.get("started") is not None and told.get("deliver") is None:
        return "STARTED"
    if expired_ms(told, unit_ms) <= now_ms:
        return "EXPIRED"
    scheduled = told.get("deliver") is not None or told.get("queued") is not None
    return "SCHEDULED" if scheduled else "CREATED"


def expired_ms(told: Properties, unit_ms: int) -> int:
    """The first instant at which it is over by itself, if nothing was done before."""
    expire = told.get("expire")
    return expire * unit_ms + 1 if isinstance(expire, int) else 2**63


def standing(told: Properties, ms: int, unit_ms: int) -> tuple[str | None, object]:
    """The word for how it stands at `ms`, and its result."""
    return state(told, ms, unit_ms), _said(told, "statistics", "errorMessage")


def derived(entity: Entity, version: Version, now_ms: int, switches: Switches) -> dict[str, object]:
    """What is said of an entity beside what is written."""
    if entity.type != singular(NOTIFICATIONS):
        return {}
    return {"state": state(version.properties, now_ms, unit_ms(switches))}


def made(switches: Switches) -> dict[str, object]:
    """What the server says of every one from its beginning."""
    common: dict[str, object] = {"debug": False, "pathQuery": {"pathTokens": []}}
    if switches.server == "2.1.0":
        return common | {"expectedCount": 0}
    counted = {"processingFinished": 0, "deviceProcessedCount": 0}
    kept = {"saveReceipts": True, "useGraph": False, "filters": {}}
    return common | counted | kept | {"priority": "normal"}


def check_new(told: Properties, ms: int, unit_ms: int) -> None:
    """Raises ApiRefusal where nobody could post one like that at `ms`."""
    deliver = told.get("deliver", ms // unit_ms)
    if "payloads" not in told:
        wanting = "Entity notification requires a property named payloads"
        raise ApiRefusal(400, "required_property_not_found", wanting)
    if not isinstance(told["payloads"], dict):
        raise ApiRefusal(400, "illegal_argument", "payloads must be a JSON Map")
    if type(deliver) is not int or deliver < ms // unit_ms:
        wanting = "Property 'deliver' cannot have a value in the past"
        raise ApiRefusal(400, "illegal_argument", wanting)


def changed(told: Properties, wanted: dict[str, object]) -> dict[str, object]:
    """What is changed if somebody wants that. Raises ApiRefusal, a 403."""
    if told.get("finished") is not None:
        raise _not_allowed("Notification immutable once sent.")
    if told.get("started") is None:
        return wanted
    if wanted.get("canceled") is not True:
        raise _not_allowed("Notification has started. You may only set canceled.")
    return {"canceled": True}


def check_over(told: Properties, ms: int, unit_ms: int) -> None:
    """Raises ApiRefusal, a 403, for one that goes on: it cannot be deleted."""
    if state(told, ms, unit_ms) in ("CREATED", "STARTED", "SCHEDULED"):
        raise _not_allowed("Service operation not allowed")


def receipt(notification: str, outcome: Outcome, ms: int) -> dict[str, object]:
    """What is written of one device: when it was sent, or else why it was not."""
    told: dict[str, object] = {"notificationUUID": notification, "deviceId": outcome.thing.uuid}
    told |= {"notifierId": identity(outcome.thing.uuid, NOTIFIER), "payload": {"alert": "Look"}}
    if outcome.error is None:
        return told | {"sent": ms}
    code, message = outcome.error
    return told | {"errorCode": code, "errorMessage": message}


def copies(outcome: Outcome, told: Properties, switches: Switches) -> int:
    """How many receipts there are of what became of it: as a rule none, where it went well."""
    if told.get("saveReceipts") is False or not (outcome.error or told.get("debug")):
        return 0
    return 2 if outcome.error and switches.receipts_twice else 1


def receipt_standing(told: Properties, _ms: int) -> tuple[str | None, object]:
    """No word, and a result where there is an error."""
    return None, _said(told, "errorCode", "errorMessage")


def of_what(uuid: str, told: Properties) -> tuple[str, str | None]:
    """The identity of what a receipt reports, and its device."""
    task, device = told.get("notificationUUID"), told.get("deviceId")
    within = f"{task}/{device}" if task and device else uuid
    return f"{RECEIPTS}/{within}", str(device) if device else None


def _not_allowed(why: str) -> ApiRefusal:
    return ApiRefusal(403, "forbidden_service_operation", why)


def _said(told: Properties, *names: str) -> dict[str, object] | None:
    return {name: told[name] for name in names if told.get(name) is not None} or None
