"""Recorded readings, read from a CSV of device, channel, instant and value."""

import csv
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from harvester.simulator.world import millis

COLUMNS = ("device", "channel", "instant", "value")
HEADER = ",".join(COLUMNS)
YEARS = range(1970, 2101)
MOST_TOLD = 10
"""Mistakes told of one file."""

_INTEGER = re.compile(r"\s*[+-]?\d+\s*", re.ASCII)
_NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_NO_VALUE = re.compile(r"\s*[+-]?(nan|inf|infinity)\s*|\s*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Recorded:
    """One row: `ms` is its instant in epoch milliseconds, rounded down.

    A device that is named by a UUID is named in the UUID's usual spelling.
    """

    device: str
    channel: str
    ms: int
    value: float | str


class BadRecording(Exception):
    """The file is no recording. It says why in sentences, a line each, with the file and line."""


def read(path: Path) -> list[Recorded]:
    """Return all rows, in the file's order.

    The columns may stand in any order, with others among them. Raises BadRecording with up to
    `MOST_TOLD` mistakes, and OSError.
    """
    lines: dict[tuple[str, str, int], int] = {}
    recorded: list[Recorded] = []
    mistakes: list[str] = []
    for line, header, row in _rows(path):
        try:
            each = _recorded(header, row)
            first = lines.setdefault((each.device, each.channel, each.ms), line)
            if first != line:
                raise ValueError(f"has the device, channel and instant of line {first} again")
            recorded.append(each)
        except ValueError as mistake:
            mistakes.append(f"{path}, line {line}: {mistake}.")
        if len(mistakes) == MOST_TOLD:
            break
    if mistakes:
        raise BadRecording("\n".join(mistakes))
    if not recorded:
        raise BadRecording(f"{path}: there is no reading below the header.")
    return recorded


def ending(recorded: Sequence[Recorded], newest: datetime) -> list[Recorded]:
    """Return all of them, shifted so that the newest one's instant is `newest`."""
    shift = millis(newest) - max(each.ms for each in recorded)
    return [replace(each, ms=each.ms + shift) for each in recorded]


def _rows(path: Path) -> Iterator[tuple[int, list[str], list[str]]]:
    """Yield the line that a row ends in, the header, and the row."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            header = next(reader, [])
            _check(path, header)
            for row in reader:
                if row:
                    yield reader.line_num, header, row
        except (csv.Error, UnicodeDecodeError) as error:
            where = f"{path}, after line {reader.line_num}"
            raise BadRecording(f"{where}: this is no CSV in UTF-8: {error}.") from None


def _check(path: Path, header: list[str]) -> None:
    if not header:
        raise BadRecording(f"{path}: the file has no header; its first line must be {HEADER}.")
    for name in COLUMNS:
        if header.count(name) != 1:
            wrong = "stands there twice" if name in header else "is missing"
            raise BadRecording(
                f"{path}, line 1: the column {name} {wrong}; the first line must be {HEADER}."
            )


def _recorded(header: list[str], row: list[str]) -> Recorded:
    """Raises ValueError, which says in words what is wrong with the row."""
    if len(row) != len(header):
        raise ValueError(f"has {len(row)} fields where the header has {len(header)}")
    fields = dict(zip(header, row, strict=True))
    for name in COLUMNS:
        if not fields[name].strip():
            raise ValueError(f"{name} is empty")
    ms = millis(_instant(fields["instant"]))
    return Recorded(_device(fields["device"]), fields["channel"], ms, _value(fields["value"]))


def _device(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        return text


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(
            f'instant "{text}" is no date with a time; write it as 2026-03-04T10:30:00Z'
        ) from None
    if at.tzinfo is None:
        raise ValueError(f'instant "{text}" has no zone; end it with Z, or as +01:00')
    if at.year not in YEARS:
        raise ValueError(f'instant "{text}" lies before {YEARS[0]} or after {YEARS[-1]}')
    return at.astimezone(UTC)


def _value(text: str) -> float | str:
    """A number, where the text is one that a float can hold; else the text itself."""
    if _NO_VALUE.fullmatch(text):
        raise ValueError(f'value "{text}" was not measured; leave the row out')
    if not _NUMBER.fullmatch(text):
        return text
    told = float(text)
    exact = not _INTEGER.fullmatch(text) or (math.isfinite(told) and int(told) == int(text))
    return told if exact and math.isfinite(told) else text
