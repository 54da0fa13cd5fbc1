"""Instants of the platform itself: whole milliseconds since 1970."""

from datetime import UTC, datetime, timedelta

from harvester.platforms.usergrid.properties import instant

MS = timedelta(milliseconds=1)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FAR = (datetime(9999, 1, 1, tzinfo=UTC) - _EPOCH) // MS


def millis(said: object) -> int | None:
    """None where it tells none."""
    if type(said) is int and 0 <= said < _FAR:  # the usual one, without a detour
        return said
    told = instant(said)
    return None if told is None else (told - _EPOCH) // MS


def from_millis(ms: int) -> datetime:
    return _EPOCH + ms * MS


def first_millis(instant: datetime) -> int:
    """The first of them that is not before an instant."""
    return -((_EPOCH - instant) // MS)
