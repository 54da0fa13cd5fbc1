"""What an entity says. There is no schema: a property may be of any type, or absent."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from harvester.platforms.usergrid.options import TimeUnit

RESERVED = frozenset({"uuid", "type", "created", "modified", "metadata"})
"""Properties that the platform gives to every entity."""

Given = TypeVar("Given")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = {"ms": timedelta(milliseconds=1), "s": timedelta(seconds=1)}
_NUMBER = re.compile(r"-?\d{1,20}(?:\.\d{1,9})?", re.ASCII)


class Record:
    """An entity that is being read: what could be read of it is not among the `rest`.

    What is no object has no properties.
    """

    def __init__(self, said: object) -> None:
        self._said: Mapping[str, Any] = said if isinstance(said, dict) else {}
        self._read = set(RESERVED)

    def text(self, name: str) -> str | None:
        return self._noted(name, text(at(self._said, name)))

    def word(self, name: str) -> str | None:
        """A text, or true or false."""
        said = at(self._said, name)
        return self._noted(name, str(said).lower() if isinstance(said, bool) else text(said))

    def uuid(self, name: str) -> str | None:
        return self._noted(name, uuid(at(self._said, name)))

    def instant(self, name: str, unit: TimeUnit = "ms") -> datetime | None:
        return self._noted(name, instant(at(self._said, name), unit))

    def value(self, name: str) -> object:
        return self._noted(name, at(self._said, name))

    def rest(self) -> dict[str, object]:
        return {name: said for name, said in self._said.items() if name not in self._read}

    def _noted(self, name: str, read: Given) -> Given:
        if read is not None:
            self._read.add(name)
        return read


def at(said: Mapping[str, Any], name: str) -> object:
    """A property, None where it is absent. Dots lead into objects, unless a name has them."""
    if name in said:
        return said[name]
    first, _, rest = name.partition(".")
    inner = said.get(first)
    return at(inner, rest) if rest and isinstance(inner, dict) else None


def text(said: object) -> str | None:
    """A text that is not blank; a whole number in its digits."""
    if isinstance(said, int) and not isinstance(said, bool):
        said = str(said)
    return said if isinstance(said, str) and said.strip() else None


def uuid(said: object) -> str | None:
    """A UUID in its usual spelling."""
    try:
        return str(UUID(said)) if isinstance(said, str) else None
    except ValueError:
        return None


def instant(said: object, unit: TimeUnit = "ms") -> datetime | None:
    """Since 1970 in that unit, as a number or its digits, or a date that tells its offset from UTC.

    None where it is no such thing: neither a unit nor a zone is guessed at.
    """
    try:
        return _dated(said) if unit == "iso" else _counted(said, _UNITS[unit])
    except (ValueError, OverflowError):
        return None


def _dated(said: object) -> datetime | None:
    dated = datetime.fromisoformat(said.upper()) if isinstance(said, str) else None
    return dated.astimezone(UTC) if dated and dated.tzinfo else None


def _counted(said: object, unit: timedelta) -> datetime | None:
    if isinstance(said, str) and _NUMBER.fullmatch(said):
        said = float(said) if "." in said else int(said)
    if isinstance(said, bool) or not isinstance(said, int | float):
        return None
    return _EPOCH + said * unit
