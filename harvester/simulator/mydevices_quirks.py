"""How the fake myDevices may differ from deployment to deployment, and the nonsense it may say."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from aiohttp import web

from harvester.simulator.faults import Answer, Kind

BadReading = Literal[
    "null",
    "nan",
    "infinite",
    "nul_character",
    "structure",
    "in_1970",
    "in_2099",
    "text_instant",
    "no_instant",
    "no_channel",
    "no_value",
    "no_sensors",
    "no_object",
]


@dataclass(frozen=True, slots=True)
class Switches:
    """What the vendor leaves undocumented or lets vary. Lifetimes are in seconds."""

    page_cap: int | None = None  # rows at most in an answer, in the order below; no word of it
    cursor: bool = False  # a capped answer has `timestamp`, to be sent back for the rest
    newest_first: bool = True
    shuffled: bool = False  # in no order, and cut like that; no cursor leads through such pages
    start_inclusive: bool = True
    end_inclusive: bool = True
    channel_as: Literal["str", "int"] = "str"  # int: digits only; other channels stay text
    # Reports, runs and alerts: rows are paged, named is an envelope, odd is without ids.
    tasks_as: Literal["bare", "rows", "named", "odd", "absent"] = "bare"
    access_ttl: int = 86_400
    refresh_ttl: int = 172_800
    session_max: int = 0  # from the login on, however often it is refreshed; 0: none, it slides
    rotate: bool = False  # a refresh token serves once; reuse kills the session
    status_profile: Literal["old", "new"] = "old"  # old Keycloaks say 401 for a bad password
    clock_skew: timedelta = timedelta(0)  # how far the platform's clock is ahead of the world's


AS_DOCUMENTED = Switches()

STRANGE_STATES = frozenset({"0"})

ASPECTS: Mapping[str, str] = {
    "access": "access_ttl refresh_ttl session_max rotate status_profile",
    "readings": "page_cap cursor newest_first shuffled start_inclusive end_inclusive channel_as",
    "tasks": "tasks_as",
}

QUIRKS: Mapping[str, Switches] = {
    "as documented": AS_DOCUMENTED,
    "oldest first": Switches(newest_first=False),
    "out of order": Switches(shuffled=True),
    "exclusive start": Switches(start_inclusive=False),
    "exclusive end": Switches(end_inclusive=False),
    "exclusive bounds": Switches(start_inclusive=False, end_inclusive=False),
    "capped": Switches(page_cap=50),
    "capped, oldest first": Switches(page_cap=50, newest_first=False),
    "capped, out of order": Switches(page_cap=50, shuffled=True),
    "capped, exclusive bounds": Switches(page_cap=64, start_inclusive=False, end_inclusive=False),
    "capped, exclusive bounds, oldest first": Switches(
        page_cap=50, newest_first=False, start_inclusive=False, end_inclusive=False
    ),
    "cursor": Switches(page_cap=7, cursor=True),
    "cursor, oldest first": Switches(page_cap=7, cursor=True, newest_first=False),
    "channels as numbers": Switches(channel_as="int"),
    "tasks in pages": Switches(tasks_as="rows"),
    "tasks in an envelope": Switches(tasks_as="named"),
    "no tasks": Switches(tasks_as="absent"),
    "rotating refresh tokens": Switches(rotate=True),
    "sessions that end": Switches(session_max=5 * 86_400),
    "short lives": Switches(access_ttl=60, refresh_ttl=180),
    "newer statuses": Switches(status_profile="new"),
}
"""Deployments as they may be met. A silent cap below 50 rows is none that could be noticed."""


def bad_reading(which: BadReading) -> Kind:
    """The honest readings with one more among them that is none."""

    async def kind(request: web.Request, honest: Answer) -> web.StreamResponse:
        answer = await honest(request)
        if not isinstance(answer, web.Response) or answer.content_type != "application/json":
            return answer
        told = json.loads(answer.text or "{}")
        if "readings" in told:
            intruder = _intruder(which, int(request.query["start_ts"]))
            told["readings"].insert(len(told["readings"]) // 2, intruder)
            answer.text = json.dumps(told)  # writes NaN and Infinity as bare words
        return answer

    return kind


_VALUES: Mapping[str, object] = {
    "null": None,
    "nan": float("nan"),
    "infinite": float("inf"),
    "nul_character": "\0",
    "structure": {"image": [{}]},
}
_INSTANTS: Mapping[str, object] = {
    "in_1970": 86_400_000,
    "in_2099": 4_083_955_200_000,
    "text_instant": "yesterday",
}


def _intruder(which: BadReading, start_ms: int) -> object:
    """Return the reading `which`, on the first instant asked for unless its instant is the flaw.

    It bears the greatest of all correlation ids and a common channel, so that whoever decides a
    clash before throwing it out loses a true value. The structure holds no scalar at all, so that
    nothing can rightly be split out of it.
    """
    reading: dict[str, object] = {
        "ts": _INSTANTS.get(which, start_ms),
        "correlation_id": "ffffffff-ffff-4fff-bfff-ffffffffffff",
        "sensors": [{"v": _VALUES.get(which, 21.5), "channel": "3"}],
    }
    if which == "no_instant":
        del reading["ts"]
    if which == "no_sensors":
        del reading["sensors"]
    if which == "no_channel":
        reading["sensors"] = [{"v": 21.5}]
    if which == "no_value":
        reading["sensors"] = [{"channel": "3"}]
    return "21.5" if which == "no_object" else reading
