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
SECOND = timedelta(seconds=1)


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
    index_lag: tuple[timedelta, timedelta] = (0.2 * SECOND, SECOND)  # shortest, longest; at first
    unindexed: tuple[str, ...] = ()  # collections of which the index holds nothing
    ties: Literal["first come", "shaky"] = "first come"  # the order of equals, from query to query
    refills: bool = True  # a page of the index is filled up for rows that were left out
    analyzes: bool = False  # no sorting of whole collections
    echoes_tokens: bool = False  # a token in the URL is told in the answer, as by servers of old
    batch: timedelta = timedelta(0)  # so long are readings held back, and written ten per ms
    drifts: bool = False  # a property is a number here and text there
    gzips: bool = False
    notification_times: Literal["ms", "s"] = "ms"  # in which people say when, and it is taken
    statistics: bool = True  # a notification that is finished tells how many it reached
    receipts_twice: bool = False  # of one notification on one device, where it failed


AS_DOCUMENTED = Switches()

ASPECTS: Mapping[str, str] = {
    "access": (
        "accesstokenttl expires_in_as server old_tokens application_as talkative "
        "external_login guarded"
    ),
    "readings": "index_lag unindexed ties refills analyzes echoes_tokens batch drifts gzips",
    "tasks": "index_lag ties refills echoes_tokens notification_times statistics receipts_twice",
}

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
    "older data": Switches(server="2.1.0", refills=False, echoes_tokens=True),
    "a slow index": Switches(index_lag=(5 * SECOND, 50 * SECOND)),
    "selective indexing": Switches(unindexed=("meters",)),
    "shaky order": Switches(ties="shaky"),
    "sorting watched": Switches(analyzes=True),
    "in batches": Switches(batch=900 * SECOND),
    "drifting types": Switches(drifts=True),
    "gzip": Switches(gzips=True),
    "times in seconds": Switches(notification_times="s"),
    "receipts twice": Switches(receipts_twice=True, statistics=False),
}
"""Installations as they may be met."""


def inner_failure() -> Kind:
    """A login of which the check itself failed: it reads as a wrong password does."""

    async def kind(_request: web.Request, _honest: Answer) -> web.StreamResponse:
        raise GrantRefusal()

    return kind


def unauthorized(code: str) -> Kind:
    """A 401 with this code, whatever the token is worth."""
    return refused(401, code)


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


def refused(status: int, code: str) -> Kind:
    """A refusal with this code, as of the index, of a cursor, or of a query."""

    async def kind(_request: web.Request, _honest: Answer) -> web.StreamResponse:
        raise ApiRefusal(status, code, "")

    return kind


def cursor_again() -> Kind:
    """The honest answer, whose cursor is the one that came: it leads nowhere."""

    async def kind(request: web.Request, honest: Answer) -> web.StreamResponse:
        answer = await honest(request)
        if isinstance(answer, web.Response) and "cursor" in request.query:
            told = json.loads(answer.text or "{}")
            answer.text = json.dumps(told | {"cursor": request.query["cursor"]})
        return answer

    return kind


def entities_as(form: Literal["absent", "null", "list"]) -> Kind:
    """The honest answer, in which the entities are not where they should be."""

    async def kind(request: web.Request, honest: Answer) -> web.StreamResponse:
        answer = await honest(request)
        if isinstance(answer, web.Response) and answer.status == 200:
            told = json.loads(answer.text or "{}")
            entities = told.pop("entities", None)
            told |= {"absent": {}, "null": {"entities": None}, "list": {"list": entities}}[form]
            answer.text = json.dumps(told)
        return answer

    return kind
