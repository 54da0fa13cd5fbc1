"""What a request to the fake myDevices asks: numbers of a query, parameters of a token call."""

import json

from aiohttp import web

from harvester.simulator.faults import Refusal
from harvester.simulator.mydevices_auth import GrantRefusal


def number(request: web.Request, name: str, default: int | None = None) -> int:
    text = request.query.get(name)
    if text is None and default is not None:
        return default
    if text is None:
        raise Refusal(400, f'"{name}" is required')
    if not (text.isascii() and text.removeprefix("-").isdigit()):
        raise Refusal(400, f'"{name}" must be a number')
    return int(text)


async def params(request: web.Request) -> dict[str, str]:
    """Return the parameters of a token call: a form, or JSON where the gateway takes it."""
    if request.content_type == "application/json" and "realm" not in request.match_info:
        return _json_params(await request.text())
    if request.content_type != "application/x-www-form-urlencoded":
        raise Refusal(415)
    form = await request.post()
    if len(form) > len(set(form)):
        raise GrantRefusal(400, "invalid_request", "duplicated parameter")
    return {key: value for key, value in form.items() if isinstance(value, str)}


def _json_params(text: str) -> dict[str, str]:
    try:
        told = json.loads(text)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise Refusal(400, "Invalid request payload JSON format")
    return {key: str(value) for key, value in told.items() if value is not None}
