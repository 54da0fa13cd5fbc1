"""Pages of what the fake Usergrid holds: by edges without a query, and through the index with one.

Both go on where a cursor says. That of the index is a mere offset: what comes in before it tells
rows again, and what goes leaves some out. That of the graph is a place between two edges.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar
from urllib.parse import unquote

from harvester.simulator import usergrid_cursors as cursors
from harvester.simulator.chance import dice
from harvester.simulator.usergrid_asked import is_whole
from harvester.simulator.usergrid_cursors import InGraph, InIndex
from harvester.simulator.usergrid_entities import ROOT, Entity, Place, Version
from harvester.simulator.usergrid_index import Doc, Indexing
from harvester.simulator.usergrid_judging import Asked, Judge
from harvester.simulator.usergrid_ql import Query, parsed
from harvester.simulator.usergrid_quirks import Switches
from harvester.simulator.usergrid_search import hits
from harvester.simulator.usergrid_shapes import ApiRefusal
from harvester.simulator.usergrid_store import Store

MOST = 1000
USUAL = 10

Row = tuple[Entity, Version]
Some = TypeVar("Some")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Where rows are wanted from, of one type or of any, and the parameters of the request."""

    store: Store
    place: Place
    kind: str | None
    params: Mapping[str, str]

    @property
    def ql(self) -> str | None:
        """Decoded once more than it was encoded; a plus sign is itself."""
        for name in ("ql", "q", "query"):
            if name in self.params:
                return unquote(self.params[name]) or None
        return None

    def fits(self, entity: Entity) -> bool:
        return self.kind in (None, entity.type)


@dataclass(frozen=True, slots=True)
class Page:
    """Rows as they stood, at most `limit`; `subjects` are those of a projection."""

    rows: tuple[Row, ...]
    limit: int
    cursor: str | None = None
    subjects: tuple[tuple[str, str], ...] = ()


class Pages:
    """The two read paths over any store of one fake."""

    def __init__(self, switches: Switches, indexing: Indexing, violations: list[str]) -> None:
        self._switches = switches
        self._indexing = indexing
        self._violations = violations
        self._judge = Judge(violations)
        self._searches = 0

    def page(self, wanted: Wanted, now: int) -> Page:
        """Raises ApiRefusal."""
        ql, cursor = wanted.ql, wanted.params.get("cursor")
        if ql is None or ql.strip().lower() == "select *":
            # Of a place between edges there may be more or less at once than before.
            self._judge.followed(cursor, (wanted.place, "", 0))
            return self._walked(wanted, cursors.read(cursor, InGraph) if cursor else None)
        asked: Asked = (wanted.place, ql, self._limit(wanted))
        self._judge.followed(cursor, asked)
        query = parsed(ql)
        self._judge.query(query)
        self._check(query)
        docs = [doc for doc in self._hits(wanted, query, now) if wanted.fits(doc.entity)]
        if query.subjects:
            rows = [(doc.entity, doc.version) for doc in docs if not doc.is_stale]
            return Page(tuple(rows[: asked[2]]), asked[2], subjects=query.subjects)
        resumed = cursors.read(cursor, InIndex) if cursor else None
        return self._searched(docs, query, asked, resumed)

    def _limit(self, wanted: Wanted) -> int:
        usual = USUAL if wanted.place[0] == ROOT else MOST
        text = wanted.params.get("limit", "")
        limit = int(text) if is_whole(text) else 0
        if limit > MOST:
            self._violations.append(f"more than {MOST} rows were asked for at once")
        return min(limit, MOST) if 0 < limit < 2**31 else usual

    def _hits(self, wanted: Wanted, query: Query, now: int) -> list[Doc]:
        self._searches += 1
        is_shaky = self._switches.ties == "shaky"
        ties = dice("ties", self._searches) if is_shaky else None
        return hits(wanted.store, wanted.place, query, now, ties)

    def _check(self, query: Query) -> None:
        """Whether the index answers such a query now."""
        if self._indexing.is_down:
            status = 500 if self._switches.server == "2.1.0" else 503
            raise ApiRefusal(status, "search_phase_execution", "Failed to execute phase [query]")
        if self._switches.analyzes and query.order and query.where is None:
            told = "Query Analyzer: sorts on large indexes are not allowed"
            raise ApiRefusal(503, "query_analyzer_violations_enforced", told)

    def _walked(self, wanted: Wanted, cursor: InGraph | None) -> Page:
        begin = (cursor.at, cursor.number) if cursor and cursor.at >= 0 else None
        found = wanted.store.edges(wanted.place, begin)
        edges = ((edge, edge.target.uuid) for edge in found if wanted.fits(edge.target))
        limit = self._limit(wanted)
        told = [edge for edge, _ in islice(_resumed(edges, cursor), limit)]
        rows = tuple((edge.target, edge.target.now) for edge in told)
        if len(told) < limit:
            return Page(rows, limit)
        # A cursor leads to the edge before the last; a page of one row knows none.
        at, number = (told[-2].at, told[-2].number) if len(told) > 1 else (-1, -1)
        text = cursors.text_of(InGraph(at, number, told[-1].target.uuid))
        self._judge.gave(text, (wanted.place, "", 0))
        return Page(rows, limit, text)

    def _searched(
        self, docs: list[Doc], query: Query, asked: Asked, cursor: InIndex | None
    ) -> Page:
        limit, begin = asked[2], cursor.offset if cursor else 0
        end = None if self._switches.refills else begin + limit
        found = (
            ((at, doc), doc.entity.uuid)
            for at, doc in enumerate(docs[begin:end], begin)
            if not doc.is_stale
        )
        told = [each for each, _ in islice(_resumed(found, cursor), limit)]
        rows = tuple((doc.entity, doc.version) for _, doc in told)
        is_full = len(told) == limit if end is None else end <= len(docs)
        if not (told and is_full):
            return Page(rows, limit)
        at, last = told[-1]
        text = cursors.text_of(InIndex(at, last.entity.uuid))
        self._judge.gave(text, asked, query, rows)
        return Page(rows, limit, text)


def _resumed(
    found: Iterator[tuple[Some, str]], cursor: InGraph | InIndex | None
) -> Iterator[tuple[Some, str]]:
    """Without the first, if that was the last one of the page before."""
    for number, (each, uuid) in enumerate(found):
        if number or cursor is None or uuid != cursor.uuid:
            yield each, uuid
