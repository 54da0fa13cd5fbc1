"""Rows as columns: one statement takes any number of them by `unnest`."""

from __future__ import annotations

from collections.abc import Sequence


def columns(rows: Sequence[tuple[object, ...]], width: int) -> list[list[object]]:
    """A list for each of the columns, of which there are so many also where there is no row."""
    return [[row[i] for row in rows] for i in range(width)]
