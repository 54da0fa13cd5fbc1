"""What a good client never asks of a Usergrid, though it gets an answer."""

from collections.abc import Sequence

from harvester.simulator.usergrid_entities import Entity, Place, Version
from harvester.simulator.usergrid_index import AXES
from harvester.simulator.usergrid_ql import Query

Asked = tuple[Place, str, int]
"""A place, a query and a limit: what a cursor is good for."""


class Judge:
    """Notes violations; a cursor is good for what it was given with."""

    def __init__(self, violations: list[str]) -> None:
        self.violations = violations
        self._given: dict[str, set[Asked]] = {}
        self._moving: set[str] = set()

    def query(self, query: Query) -> None:
        if query.rest:
            self.violations.append(f"a query goes on after its end: {query.rest}")
        for each in query.comparisons():
            if each.name in AXES and not isinstance(each.literal, int):
                self.violations.append(f"{each.name} was compared with {each.literal!r}")

    def gave(
        self,
        cursor: str,
        asked: Asked,
        query: Query | None = None,
        rows: Sequence[tuple[Entity, Version]] = (),
    ) -> None:
        """Take note of a cursor, and of the rows it was given with."""
        self._given.setdefault(cursor, set()).add(asked)
        is_by_modified = query is not None and "modified" in dict(query.order[:1])
        if is_by_modified and len({version.modified for _, version in rows}) > 1:
            self._moving.add(cursor)

    def followed(self, cursor: str | None, asked: Asked) -> None:
        if cursor is None:
            return
        if asked not in self._given.get(cursor, {asked}):
            self.violations.append("a cursor was sent with another query or limit")
        if cursor in self._moving:
            self.violations.append("rows that move were paged: a cursor of a list by modified")
