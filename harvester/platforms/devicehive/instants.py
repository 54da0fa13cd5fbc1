"""Instants as DeviceHive says them, in UTC without a zone, and as they are sent to it."""

import re
from datetime import UTC, datetime, timedelta

MS = timedelta(milliseconds=1)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SAID = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)?", re.ASCII | re.IGNORECASE
)


def read(said: object) -> datetime | None:
    """Without a zone it is UTC; None where it is no such text."""
    if not isinstance(said, str) or not _SAID.fullmatch(said):
        return None
    try:
        instant = datetime.fromisoformat(said.upper())
        return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def millis(instant: datetime) -> int:
    """Since 1970, in whole milliseconds downwards."""
    return (instant - _EPOCH) // MS


def bound(ms: int) -> str:
    """With a zone, which every version reads; a "+" would arrive as a blank. Raises OverflowError
    beyond the years that a datetime knows."""
    utc = (_EPOCH + ms * MS).replace(tzinfo=None)
    return f"{utc.isoformat(timespec='milliseconds')}Z"
