"""The cursors of the fake Usergrid: opaque texts that no server keeps, and that name no query."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from dataclasses import asdict, dataclass
from typing import TypeVar

from harvester.simulator.usergrid_shapes import ApiRefusal

LONGEST = 1024
_SMILE = b":)\n"
"""What the server's binary form of JSON begins with; here text comes after it."""


@dataclass(frozen=True, slots=True)
class InIndex:
    """The place of the last row among all hits, and that row."""

    offset: int
    uuid: str


@dataclass(frozen=True, slots=True)
class InGraph:
    """The edge before the last row's, -1 where there is none, and that row."""

    at: int
    number: int
    uuid: str


Cursor = TypeVar("Cursor", InIndex, InGraph)


def text_of(cursor: InIndex | InGraph) -> str:
    """URL-safe, but for the padding."""
    return urlsafe_b64encode(_SMILE + json.dumps(asdict(cursor)).encode()).decode()


def read(text: str, kind: type[Cursor]) -> Cursor:
    """Raises ApiRefusal: a 400, or a 500 if it is the cursor of the other path."""
    if len(text) > LONGEST:
        raise _malformed()
    try:
        raw = urlsafe_b64decode(text)
    except (Error, ValueError):
        raise _malformed() from None
    try:
        told = json.loads(raw.removeprefix(_SMILE))
        return kind(**told)
    except (ValueError, TypeError):
        raise ApiRefusal(500, "cursor_parse", "Unable to deserialize cursor") from None


def _malformed() -> ApiRefusal:
    told = "Provided cursor has an invalid format and cannot be parsed."
    return ApiRefusal(400, "illegal_argument", told)
