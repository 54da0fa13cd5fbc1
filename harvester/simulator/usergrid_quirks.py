"""How the fake Usergrid may differ from installation to installation, and what may befall it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from aiohttp import web

from harvester.simulator.faults import Answer, Kind
from harvester.simulator.usergrid_shapes import ApiRefusal, GrantRefusal

WEEK = 604_800_000


@dataclass(frozen=True, slots=True)
class Switches:
    """What an installation decides, or nobody knows for sure. Lifetimes are in milliseconds."""

    accesstokenttl: int = WEEK  # the longest of users of the application; 0: they never end
    expires_in_as: Literal["int", "float", "string", "zero", "null", "absent"] = "int"
    server: Literal["2.1.0", "2.2"] = "2.2"  # they name a token that was never issued differently
    old_tokens: bool = False  # three parts with colons, as in the vendor's own samples
    application_as: Literal["uuid", "object"] = "uuid"  # in a client's token answer
    talkative: bool = False  # token_type, scope and a member that is none of RFC 6749's
    external_login: Literal["no", "illegal_argument", "invalid_grant"] = "no"  # of admin users
    guarded: bool = False  # the users' role grants no more than their own entity
    clock_skew: timedelta = timedelta(0)  # how far the platform's clock is ahead of the world's


AS_DOCUMENTED = Switches()

QUIRKS: Mapping[str, Switches] = {
    "as documented": AS_DOCUMENTED,
    "short lives": Switches(accesstokenttl=60_000),
    "tokens that never end": Switches(accesstokenttl=0),
    "no lifetimes told": Switches(expires_in_as="absent"),
    "lifetimes as text": Switches(expires_in_as="string"),
    "older server": Switches(server="2.1.0"),
    "tokens of old": Switches(old_tokens=True),
    "more members": Switches(application_as="object", talkative=True),
    "guarded": Switches(guarded=True),
}
"""Installations as they may be met."""


def inner_failure() -> Kind:
    """A login of which the check itself failed: it reads as a wrong password does."""

    async def kind(_request: web.Request, _honest: Answer) -> web.StreamResponse:
        raise GrantRefusal()

    return kind


def unauthorized(code: str) -> Kind:
    """A 401 with this code, whatever the token is worth."""

    async def kind(_request: web.Request, _honest: Answer) -> web.StreamResponse:
        raise ApiRefusal(401, code, "")

    return kind


def without_token() -> Kind:
    """The honest answer to a login, less the token."""

    async def kind(request: web.Request, honest: Answer) -> web.StreamResponse:
        answer = await honest(request)
        if isinstance(answer, web.Response) and answer.status == 200:
            told = json.loads(answer.text or "{}")
            del told["access_token"]
            answer.text = json.dumps(told)
        return answer

    return kind
