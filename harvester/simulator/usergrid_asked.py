"""What a request to the fake Usergrid asks: its path, its token, and the parameters of a login."""

import json
from base64 import b64decode
from binascii import Error
from urllib.parse import unquote
from uuid import UUID

from aiohttp import web

from harvester.simulator.faults import Refusal
from harvester.simulator.tenants import Client
from harvester.simulator.usergrid_shapes import ApiRefusal


def path(request: web.Request) -> list[str]:
    """Its parts; a doubled slash and one at the end make no difference."""
    parts = request.rel_url.raw_path.split("/")
    return [unquote(part) for part in parts if part]


def bearer(request: web.Request) -> str | None:
    """The token that comes along; in the query it goes before the header's."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    return request.query.get("access_token") or (text if scheme.lower() == "bearer" else None)


def basic(request: web.Request) -> Client | None:
    """The client that comes along in the header."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, secret = b64decode(text).decode().partition(":")
    except (Error, UnicodeDecodeError):
        return None
    return Client(name, secret) if colon and secret else None


def client_in_query(request: web.Request) -> Client | None:
    """Any call may be made as a client like that, without a token."""
    name, secret = request.query.get("client_id"), request.query.get("client_secret")
    return Client(name, secret) if name and secret else None


async def params(request: web.Request) -> dict[str, str]:
    """The parameters of a login: of the query of a GET, else of JSON or of a form.

    A body that begins as JSON does is JSON, whatever its type says.
    """
    if request.method == "GET":
        return _of_query(dict(request.query))
    text = await request.text()
    if text[:1] in ("{", "[") or not text or request.content_type == "application/json":
        return _json(text)
    if request.content_type != "application/x-www-form-urlencoded":
        raise Refusal(415)
    return {key: value for key, value in (await request.post()).items() if isinstance(value, str)}


async def body(request: web.Request) -> object:
    """What shall be written, None where nothing is said; its type is no matter."""
    text = await request.text()
    told = _parsed(text) if text else None
    if told is None or isinstance(told, dict | list):
        return told
    raise ApiRefusal(400, "json_parse", "Cannot deserialize a map out of it")


def with_basic(request: web.Request, found: dict[str, str]) -> dict[str, str]:
    """A client in the header goes before that of the parameters."""
    client = basic(request)
    return found | {"client_id": client.id, "client_secret": client.secret} if client else found


def _of_query(found: dict[str, str]) -> dict[str, str]:
    if not is_whole(found.get("ttl", "0")):
        raise ApiRefusal(500, "number_format", "For input string")
    return found


def is_whole(text: str) -> bool:
    """Whether it can be read as a number of milliseconds."""
    return text.isascii() and text.removeprefix("-").isdigit()


def is_uuid(text: str) -> bool:
    """Whether it names an entity by its UUID."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        raise ApiRefusal(400, "json_parse", "Unexpected end-of-input") from None


def _json(text: str) -> dict[str, str]:
    told = _parsed(text) if text else {}
    if not isinstance(told, dict):
        raise ApiRefusal(400, "json_parse", "Cannot deserialize a map out of it")
    return {key: str(value) for key, value in told.items() if value is not None}
