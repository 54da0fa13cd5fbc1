"""Partitions of `reading`, made ahead of the rows that need them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from harvester.model import BEGINNING, FOREVER, Window
from harvester.store.pool import translated

if TYPE_CHECKING:
    from harvester.store.pool import Pool

Width = Literal["month", "week", "day"]

_MADE = "select lower(span), upper(span) from harvester_data.make_reading_partition($1, $2) as span"


class Partitions:
    """The partitions we know of; anybody may have dropped one since (`forget`)."""

    def __init__(self, pool: Pool, width: Width) -> None:
        self._pool = pool
        self._width = width
        self._known: list[Window] = []

    async def ensure(self, instants: Iterable[datetime]) -> None:
        """Each of these instants has a partition, made in a short transaction of its own."""
        for instant in instants:
            if not any(span.since <= instant < span.until for span in self._known):
                with translated():
                    rows = await self._pool.fetch(_MADE, instant, self._width)
                self._known[:0] = [Window(row[0] or BEGINNING, row[1] or FOREVER) for row in rows]

    def forget(self) -> None:
        self._known.clear()
