"""What the bytes and the headers of an answer say, whatever the request was."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from json import detect_encoding, loads
from typing import Final

import msgspec

NO_JSON: Final = object()

_EXCERPT = 200


def decoded(body: bytearray) -> object:
    """JSON as an object, or `NO_JSON`.

    What msgspec refuses, such as a bare NaN, a number beyond range or a lone surrogate, the
    standard library takes: one odd value costs one reading then, and not the answer.
    """
    with suppress(ValueError, RecursionError):
        return msgspec.json.decode(body)
    with suppress(ValueError, RecursionError):
        return loads(body.decode(detect_encoding(body), "replace"), parse_int=_whole)
    return NO_JSON


def _whole(digits: str) -> int | float:
    # int() refuses thousands of digits, and with them the answer; float() says infinite.
    return int(digits) if len(digits) < 400 else float(digits)


def printable(text: str) -> str:
    shown = "".join(c if c.isprintable() else " " for c in text[: 10 * _EXCERPT])
    return " ".join(shown.split())[:_EXCERPT]


def asked_to_wait(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """`Retry-After`: how long in seconds, or until which HTTP date (RFC 9110, 10.2.3).

    None where that cannot be read; never negative. `now` is ours.
    """
    said = headers.get("Retry-After", "").strip()
    if said.isdecimal():
        return timedelta(seconds=min(float(said), 1e9))
    until = _date(said)
    if until is None:
        return None
    # A date is by the platform's clock, which may be far from ours.
    return max(until - (_date(headers.get("Date", "")) or now), timedelta())


def _date(said: str) -> datetime | None:
    with suppress(ValueError, TypeError, OverflowError):
        at = parsedate_to_datetime(said)
        return at if at.tzinfo else None
    return None
