"""What an answer comes to: its JSON, or why there is none."""

import aiohttp

from harvester.client.answers import NO_JSON, decoded, printable
from harvester.client.requests import Request
from harvester.errors import Malformed, NoToken, RequestRefused

_BEGINNING = 2**16


def json_of(request: Request, response: aiohttp.ClientResponse, body: bytearray) -> object:
    """The decoded body; None for an empty one to what was no read.

    Raises RequestRefused (3xx and more), Malformed, NoToken.
    """
    told = None if not body and not request.is_read else decoded(body)
    message = f"{request}: {response.status}"
    if response.status >= 300:
        raise RequestRefused(message, response.status, None if told is NO_JSON else told)
    if told is NO_JSON:
        if not request.is_read and response.content_type.endswith("json"):
            raise NoToken(f"{message} with JSON that cannot be read")  # granted, as its kind tells
        kind = response.headers.get("Content-Type", "no type")
        what = f"{printable(kind)}, not JSON" if body else "an empty body"
        raise Malformed(f"{message} with {what}", _excerpt(request, body))
    return told


def _excerpt(request: Request, body: bytearray) -> str:
    """Nothing of a login's answer, whose beginning is the token; a debug page may echo a read's."""
    if request.bearer is None or not request.is_read:
        return ""
    shown = body.replace(request.bearer.encode(), b"***")
    return printable(shown[:_BEGINNING].decode(errors="replace"))
