"""Instants as Coiote says them, in ISO 8601 with a zone, and as they are asked for."""

import re
from datetime import UTC, datetime, timedelta

MS = timedelta(milliseconds=1)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SAID = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE
)


def read(said: object) -> datetime | None:
    """None where it is no such text: without a zone it may be any instant of a day."""
    if not isinstance(said, str) or not _SAID.fullmatch(said):
        return None
    try:
        return datetime.fromisoformat(said.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def millis(instant: datetime) -> int:
    """Since 1970, in whole milliseconds downwards."""
    return (instant - _EPOCH) // MS


def first_millis(instant: datetime) -> int:
    """The first whole millisecond that is not before the instant."""
    return -((_EPOCH - instant) // MS)


def stamp(ms: int) -> str:
    """As the vendor's examples spell it: in UTC, with three digits of a second."""
    utc = (_EPOCH + ms * MS).replace(tzinfo=None)
    return f"{utc.isoformat(timespec='milliseconds')}Z"
