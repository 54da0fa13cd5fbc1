"""Data on its way out: a table for people, CSV and JSON for programs."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from asyncpg import Range
from rich.console import Console
from rich.table import Table

Row = Mapping[str, Any]

NOTHING = "-"
_WIDE = 1000
"""Columns where no terminal folds the lines."""
_STEPS = ((timedelta(seconds=1), "s", 100), (timedelta(minutes=1), "m", 100))


def duration(value: timedelta | None) -> str:
    """For people: "12 s", "3 m", "5 h", "2 d", rounded up, so that only nothing is 0."""
    if value is None:
        return NOTHING
    if value <= timedelta():
        return "0"
    for step, unit, most in _STEPS:
        if (count := math.ceil(value / step)) < most:
            return f"{count} {unit}"
    hours = math.ceil(value / timedelta(hours=1))
    return f"{hours} h" if hours < 100 else f"{math.ceil(hours / 24)} d"


def share(part: timedelta, whole: timedelta) -> str:
    """In percent, rounded down, so that only all of it is 100."""
    if not whole:
        return NOTHING
    return f"{math.floor(part / whole * 1000) / 10:.4g} %"


def instant(value: datetime, timespec: str = "seconds") -> str:
    """An aware instant as people read it: "2026-03-04 10:00:00Z"."""
    return value.isoformat(sep=" ", timespec=timespec).replace("+00:00", "Z")


def console() -> Console:
    """Standard output; what goes into a pipe or a file is not folded to a terminal's width."""
    width = None if sys.stdout.isatty() else _WIDE
    return Console(width=width, highlight=False, markup=False, emoji=False)


def table(
    rows: Iterable[Sequence[object]], *columns: str, right: Iterable[str] = (), gap: int = 2
) -> Table:
    """`right` names the columns that are set flush right; `gap` is the room between two."""
    made = Table(box=None, header_style="bold", pad_edge=False, padding=(0, gap, 0, 0))
    for name in columns:
        made.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        made.add_row(*map(cell, row))
    return made


def cell(value: object) -> str:
    """One value as people read it. What would move a terminal's cursor is made visible."""
    if value is None:
        return ""
    if isinstance(value, timedelta):
        return duration(value)
    if isinstance(value, datetime) and value.tzinfo:
        return instant(value)
    text = f"{value:.6g}" if isinstance(value, float) else _text(value)
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def as_json(value: object) -> str:
    """Instants in ISO 8601 with zone, intervals as seconds, ranges as text."""
    return json.dumps(_plain(value), ensure_ascii=False, allow_nan=False)


def write_json(rows: Iterable[Row]) -> None:
    """An array of objects, one a line."""
    lines = ",\n ".join(as_json(dict(row)) for row in rows)
    sys.stdout.write(f"[{lines}]\n")


def write_csv(columns: Sequence[str], rows: Iterable[Row]) -> None:
    """A header and a line a row, as JSON has the values; null is empty."""
    writer = csv.writer(_Lines(), lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_text(row[name]) for name in columns] for row in rows)


class _Lines:
    """Standard output; csv ends a line by "\\r\\n", or it would leave a lone "\\r" unquoted."""

    def write(self, line: str) -> None:
        sys.stdout.write(line.removesuffix("\r\n") + "\n")


def _text(value: object) -> str:
    plain = _plain(value)
    if plain is None:
        return ""
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def _plain(value: Any) -> object:
    """What JSON has a form for."""
    match value:
        case datetime():
            # asyncpg gives Postgres's infinite instants without a zone.
            return value.isoformat() if value.tzinfo else ("-" * (value.year == 1) + "infinity")
        case timedelta():
            return value.total_seconds()
        case Decimal() | float():
            return float(value) if math.isfinite(value) else str(value)
        case Range():
            return _range(value)
        case list() | tuple():
            return [_plain(each) for each in value]
        case dict():
            return {key: _plain(each) for key, each in value.items()}
        case bool() | int() | None:
            return value
    return str(value)


def _range(value: Range[Any]) -> str:
    """As Postgres writes it, such as "[2026-03-04T10:00:00+00:00,2026-03-04T11:00:00+00:00)"."""
    if value.isempty:
        return "empty"
    begin, end = "[" if value.lower_inc else "(", "]" if value.upper_inc else ")"
    return f"{begin}{_text(value.lower)},{_text(value.upper)}{end}"
