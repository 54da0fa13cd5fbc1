"""How the fake Coiote may differ from installation to installation, and the nonsense it may say."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from aiohttp import web

from harvester.simulator.faults import Answer, Kind

Lifetime = Literal["as documented", "int", "float", "string", "zero", "absurd", "word", "absent"]


@dataclass(frozen=True, slots=True)
class Switches:
    """What the vendor leaves undocumented or to an administrator. Lives are in seconds."""

    lifetime: int = 300  # of access tokens
    expires_in: Lifetime = "as documented"  # a string; at the identity server an int
    status: Literal[201, 200] = 201  # of a login's answer
    jwt: bool = True  # else a token is a text that tells nothing
    refresh_token: bool = False  # an answer has one too, which nothing takes
    slides: bool = False  # an older guide: each request makes the token's life begin anew
    refused_login: Literal[401, 400] = 401
    errors: Literal["message", "error", "empty", "html"] = "message"  # the form of a refusal
    lock_after: int | None = None  # rejected passwords in a row, then none is taken
    lock_lasts: int = 900
    invalidates: bool = True  # an older guide's call that ends a token; else 404
    clock_skew: timedelta = timedelta(0)  # how far the platform's clock is ahead of the world's


AS_DOCUMENTED = Switches()

QUIRKS: Mapping[str, Switches] = {
    "as documented": AS_DOCUMENTED,
    "lives as numbers": Switches(expires_in="int", status=200),
    "no lives told": Switches(expires_in="absent", jwt=False),
    "absurd lives": Switches(expires_in="absurd", jwt=False),
    "short lives": Switches(lifetime=60),
    "lives that slide": Switches(slides=True),
    "refresh tokens of no use": Switches(refresh_token=True),
    "errors in the other form": Switches(errors="error", refused_login=400),
    "errors without words": Switches(errors="empty"),
    "locks": Switches(lock_after=5),
    "no invalidation": Switches(invalidates=False),
}
"""Installations as they may be met."""


def page(status: int) -> Kind:
    """A page of a proxy with `status`; nothing is done."""
    return instead("<!doctype html><title>No</title>", status, "text/html")


def instead(text: str, status: int = 201, content_type: str = "application/json") -> Kind:
    """`text` in place of the answer; nothing is done."""

    async def kind(_request: web.Request, _honest: Answer) -> web.StreamResponse:
        return web.Response(text=text, status=status, content_type=content_type)

    return kind
