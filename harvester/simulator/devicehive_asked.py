"""What is asked of the fake DeviceHive: by a query, whose values are text, or by JSON."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from aiohttp import web

from harvester.simulator.faults import Refusal
from harvester.simulator.world import millis

Asked = Mapping[str, object]

_ZONE_LOST = re.compile(r"T\S* \d\d:?\d\d$")


async def body(request: web.Request) -> Asked:
    """The JSON object of a body; a body without a type is taken for JSON."""
    if "Content-Type" in request.headers and request.content_type != "application/json":
        raise Refusal(415, "HTTP 415 Unsupported Media Type")
    try:
        told = json.loads(await request.text())
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise Refusal(400, "Invalid request parameters")
    return told


def whole(asked: Asked, name: str, default: int) -> int:
    """A whole number. What is none makes that no route fits."""
    value = asked.get(name)
    if value is None:
        return default
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return identifier(str(value))


def identifier(text: str) -> int:
    """A number in the path; or none, and no route fits."""
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        raise Refusal(404, "HTTP 404 Not Found")
    return int(text)


def text(asked: Asked, name: str) -> str | None:
    """None where it is absent or empty."""
    value = asked.get(name)
    return str(value) if value not in (None, "") else None


def names(asked: Asked, name: str) -> set[str] | None:
    """A list, which a query has as text with commas; None where it is absent or empty."""
    value = asked.get(name)
    listed = value if isinstance(value, list) else str(value or "").split(",")
    return {str(each) for each in listed if each != ""} or None


def flag(asked: Asked, name: str) -> bool:
    return str(asked.get(name)).lower() == "true"


def instant(asked: Asked, name: str) -> int | None:
    """Epoch milliseconds, of as many digits or of ISO 8601: in UTC where there is no zone."""
    value = asked.get(name)
    if value is None:
        return None
    told = str(value)
    if re.fullmatch(r"-?[0-9]{5,}", told):
        return int(told)
    try:
        said = datetime.fromisoformat(told)
    except ValueError:
        raise Refusal(400, "Unparseable timestamp") from None
    return millis(said if said.tzinfo else said.replace(tzinfo=UTC))


def lost_its_zone(asked: Asked) -> bool:
    """Whether a plus sign before a zone was not encoded, and so became a blank."""
    return any(_ZONE_LOST.search(str(asked.get(name, ""))) for name in ("start", "end"))
