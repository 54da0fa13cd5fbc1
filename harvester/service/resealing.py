"""What lies sealed in the database, sealed anew under the first key while daemons go on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from harvester.errors import SealBroken
from harvester.store import sealed
from harvester.store.sealed import SealedFields, SealedRow
from harvester.vault import Context, KeyRing, Sealed

if TYPE_CHECKING:
    from harvester.store.pool import Pool

SEALED_UNDER = {
    "key_id": ("access_token", "refresh_token"),
    "judged_key_id": ("judged",),
    "password_key_id": ("password",),
}
"""The fields by the column that has the id of their key."""


@dataclass(slots=True)
class Found:
    """How many values each key seals, and what no key of the ring opens, with why."""

    values: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)


class Resealing:
    """The sealed values of one deployment, and the ring that opens and seals them."""

    def __init__(self, pool: Pool, ring: KeyRing, deployment: str) -> None:
        self._pool = pool
        self._ring = ring
        self._deployment = deployment

    async def look(self) -> Found:
        """Open everything, and change nothing. Raises StoreUnavailable."""
        found = Found()
        async for row in sealed.rows(self._pool):
            for column in SEALED_UNDER:
                try:
                    texts = self._opened(row, column)
                except SealBroken as error:
                    found.broken.append(str(error))
                else:
                    found.values[getattr(row.fields, column)] += len(texts)
        found.values += Counter()  # without the columns of nothing
        return found

    async def reseal(self) -> int:
        """Seal anew what other keys sealed, until none is left; how many values it were.

        What cannot be opened stays as it is. Raises StoreUnavailable.
        """
        total = 0
        while True:
            done, met = await self._once_through()
            total += done
            if not met:
                return total

    async def _once_through(self) -> tuple[int, bool]:
        """How many values were sealed anew, and whether there were any to seal."""
        done, met = 0, False
        async for row in sealed.rows(self._pool):
            anew, values = self._anew(row)
            if values:
                met = True
                # Else somebody renewed it meanwhile: the next time through finds what is there now.
                done += values * await sealed.replace(self._pool, row, anew)
        return done, met

    def _anew(self, row: SealedRow) -> tuple[SealedFields, int]:
        """The fields as they should be, and how many values of them are others."""
        changes: dict[str, Any] = {}
        values = 0
        for column in SEALED_UNDER:
            if getattr(row.fields, column) == self._ring.sealing:
                continue
            try:
                texts = self._opened(row, column)
            except SealBroken:
                continue
            for name, text in texts.items():
                anew = self._ring.seal(text, self._context(row, name))
                changes |= {column: anew.key_id, name: anew.data}
            values += len(texts)
        return replace(row.fields, **changes), values

    def _opened(self, row: SealedRow, column: str) -> dict[str, str]:
        """The values under the key of this column, by their fields. Raises SealBroken."""
        key_id = getattr(row.fields, column)
        return {
            name: self._ring.open(Sealed(key_id, data), self._context(row, name))
            for name in SEALED_UNDER[column]
            if (data := getattr(row.fields, name)) is not None
        }

    def _context(self, row: SealedRow, name: str) -> Context:
        return Context(self._deployment, row.tenant, row.user, name)
