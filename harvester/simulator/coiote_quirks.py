"""How the fake Coiote may differ from installation to installation, and the nonsense it may say."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from aiohttp import web

from harvester.simulator.coiote_errors import Coded
from harvester.simulator.faults import Answer, Kind

Lifetime = Literal["as documented", "int", "float", "string", "zero", "absurd", "word", "absent"]
BadPoint = Literal[
    "null",
    "nan",
    "infinite",
    "structure",
    "in_1970",
    "in_2099",
    "text_date",
    "no_date",
    "no_value",
    "no_object",
]


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
    permissions: Literal["documented", "all"] = "documented"  # of users; a service account has all
    # Of devices. A urn is the endpoint's name; one that is spaced ends in a blank.
    ids: Literal["plain", "base64", "urn", "spaced"] = "plain"
    nulls: Literal["null", "absent"] = "null"  # what keys without a value are
    slashes: Literal["both", "raw"] = "both"  # raw: a proxy takes no path with one as %2F
    requests_per_minute: int | None = None  # of a user; more are throttled
    retry_after: bool = True  # whether it is told until when
    device_cap: int | None = None  # devices at most in an answer, whatever was asked
    retention: timedelta = timedelta(days=30)  # of history, by the instants of its points
    point_cap: int | None = None  # points at most in an answer, whatever was asked
    shuffled: bool = False  # the points of an answer are in no order
    last_point: Literal["page", "window"] = "page"  # which of the two the told last point ends
    ahead: timedelta = timedelta(0)  # by how much the clocks are by which devices date points
    crowd: int = 0  # so many points more in the millisecond of a device's first uplink of a day
    spellings: Literal["plain", "odd"] = "plain"  # odd: exponents, commas, no text, huge integers
    # Of data models: the registry's, a tenant's own, or numbers; and of the path of a resource.
    names: Literal["registry", "own", "numbers"] = "registry"
    resource_paths: Literal["names", "numbers"] = "names"
    tasks: float = 0.1  # so many a device is given for each uplink of it; 0: none
    not_started: Literal["absent", "told"] = "absent"  # whether there are reports of what is not
    finish_times: Literal["null", "told"] = "null"  # of what still runs; told: when it changed last
    report_cap: int | None = None  # reports at most in an answer, whatever was asked; no word of it
    report_step: timedelta = timedelta(0)  # by how coarse a clock it is told when they changed
    since_inclusive: bool = False  # what changed at the instant asked for is told as well
    search_by_time: bool = False  # keys of reports may be searched by their last change


AS_DOCUMENTED = Switches()

OTHER_OPTIONS: Mapping[str, object] = {
    **dict.fromkeys(("realm", "client_id", "client_secret")),
    "token_exchange_url": "http://127.0.0.1/token",
    "token_exchange_form": {"grant_type": "exchange"},
}

LASTING: Mapping[str, object] = {"tasks": 0.3}

ASPECTS: Mapping[str, str] = {
    "access": (
        "lifetime expires_in status jwt refresh_token slides refused_login errors "
        "lock_after lock_lasts invalidates"
    ),
    "readings": (
        "permissions ids nulls slashes device_cap retention point_cap shuffled last_point ahead "
        "crowd spellings names resource_paths"
    ),
    "tasks": (
        "errors permissions ids nulls slashes device_cap report_cap report_step spellings "
        "tasks not_started finish_times since_inclusive search_by_time"
    ),
}

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
    "all permitted": Switches(permissions="all"),
    "all permitted, few at a time": Switches(
        permissions="all", device_cap=3, point_cap=10, report_cap=20
    ),
    "all permitted, changes by the second": Switches(
        permissions="all", report_cap=20, report_step=timedelta(seconds=1)
    ),
    "all permitted, since inclusive": Switches(permissions="all", since_inclusive=True),
    "reports from the first": Switches(permissions="all", not_started="told", finish_times="told"),
    "reports searched by time": Switches(search_by_time=True),
    "no tasks": Switches(tasks=0),
    "ids in base64": Switches(ids="base64"),
    "ids that are names": Switches(ids="urn", permissions="all"),
    "ids that end in a blank": Switches(ids="spaced"),
    "nothing said of nothing": Switches(nulls="absent"),
    "no encoded slashes": Switches(slashes="raw"),
    "few points at a time": Switches(point_cap=10),
    "few points at a time, out of order": Switches(point_cap=10, shuffled=True),
    "few points at a time, the last of all told": Switches(point_cap=10, last_point="window"),
    "dates ahead": Switches(ahead=timedelta(minutes=40)),
    "crowded milliseconds": Switches(crowd=30, point_cap=50),
    "odd spellings": Switches(spellings="odd"),
    "names of its own": Switches(names="own", resource_paths="numbers"),
    "numbers as names": Switches(names="numbers"),
}
"""Installations as they may be met."""


def refused(code: int) -> Kind:
    """A refusal with this code, whose first three digits are its status; nothing is done."""

    async def kind(_request: web.Request, _honest: Answer) -> web.StreamResponse:
        raise Coded(code, "No")

    return kind


def bad_point(which: BadPoint) -> Kind:
    """The honest points with one more among them that is none."""

    async def kind(request: web.Request, honest: Answer) -> web.StreamResponse:
        answer = await honest(request)
        if not isinstance(answer, web.Response) or answer.content_type != "application/json":
            return answer
        told = json.loads(answer.text or "{}")
        if "data" in told:
            intruder = _intruder(which, request.query["timeRangeEnd"])
            told["data"].insert(len(told["data"]) // 2, intruder)
            answer.text = json.dumps(told)
        return answer

    return kind


_VALUES: Mapping[str, object] = {
    "null": None,
    "nan": "NaN",
    "infinite": "-Infinity",
    "structure": {"noValue": True},
}
_DATES: Mapping[str, str] = {
    "in_1970": "1970-01-01T00:00:00Z",
    "in_2099": "2099-06-01T00:00:00Z",
    "text_date": "yesterday",
}


def _intruder(which: BadPoint, end: str) -> object:
    """The point `which`, at the end of what was asked for unless its instant is the flaw."""
    point = {"date": _DATES.get(which, end), "value": _VALUES.get(which, "21.5")}
    if which in ("no_date", "no_value"):
        del point[which.removeprefix("no_")]
    return "21.5" if which == "no_object" else point


def page(status: int) -> Kind:
    """A page of a proxy with `status`; nothing is done."""
    return instead("<!doctype html><title>No</title>", status, "text/html")


def instead(text: str, status: int = 201, content_type: str = "application/json") -> Kind:
    """`text` in place of the answer; nothing is done."""

    async def kind(_request: web.Request, _honest: Answer) -> web.StreamResponse:
        return web.Response(text=text, status=status, content_type=content_type)

    return kind
