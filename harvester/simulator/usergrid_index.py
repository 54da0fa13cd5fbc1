"""What the index of the fake Usergrid knows, which lags behind what was written.

Each version of an entity comes to be known some time after it was written, in each place where it
is to be found, and takes the place of the one before. So does the news of a deletion. Between these
a search hits what is stale, and whoever asked gets no row for that.
"""

import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from heapq import heappop, heappush
from itertools import count
from random import Random

from harvester.simulator.usergrid_entities import Entity, Place, Version

_MS = timedelta(milliseconds=1)

AXES = ("created", "modified")
"""By these a shelf is sorted."""


@dataclass(slots=True)
class Indexing:
    """How the index of an installation fares, from now on: of the whole fake.

    A version comes to be known after a time between the two of `lag`. A share of `loses` never
    does, unless all is indexed anew. `unindexed` are collections of which nothing is known.
    """

    lag: tuple[timedelta, timedelta]
    loses: float = 0.0
    is_down: bool = False
    unindexed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Doc:
    """A version of an entity that may be hit."""

    entity: Entity
    version: Version
    number: int

    @property
    def is_stale(self) -> bool:
        """Whether there is no row for it, as the entity stands otherwise by now."""
        return self.entity.is_deleted or self.version is not self.entity.now

    def at(self, axis: str) -> int:
        return self.entity.created if axis == "created" else self.version.modified


class Shelf:
    """What is known in one place: at most one version of each entity."""

    def __init__(self) -> None:
        self._news: list[tuple[int, int, Doc, bool]] = []
        self._docs: dict[str, Doc] = {}
        self._last: dict[str, int] = {}
        self._sorted: dict[str, list[tuple[int, int, str]]] = {axis: [] for axis in AXES}

    def tell(self, at: int, doc: Doc, is_there: bool) -> None:
        heappush(self._news, (at, doc.number, doc, is_there))

    def known(self, now: int) -> dict[str, Doc]:
        """All that is known at `now`, which never goes back."""
        while self._news and self._news[0][0] <= now:
            _, _, doc, is_there = heappop(self._news)
            self._take(doc, is_there)
        return self._docs

    def between(self, axis: str, first: int, last: int, now: int) -> list[Doc]:
        """Those from `first` to `last`, both included, in order."""
        docs, keys = self.known(now), self._sorted[axis]
        begin = bisect.bisect_left(keys, (first,))
        end = bisect.bisect_left(keys, (last + 1,))
        return [docs[uuid] for _, _, uuid in keys[begin:end]]

    def _take(self, doc: Doc, is_there: bool) -> None:
        uuid = doc.entity.uuid
        if self._last.get(uuid, -1) > doc.number:
            return  # overtaken on the way
        self._last[uuid] = doc.number
        if before := self._docs.pop(uuid, None):
            for axis, keys in self._sorted.items():
                del keys[bisect.bisect_left(keys, _key(axis, before))]
        if is_there:
            self._docs[uuid] = doc
            for axis, keys in self._sorted.items():
                bisect.insort(keys, _key(axis, doc))


class Index:
    """The index of one application."""

    def __init__(self, indexing: Indexing, chance: Random) -> None:
        self.indexing = indexing
        self._chance = chance
        self._shelves: dict[Place, Shelf] = {}
        self._numbers = count()
        self._lost: list[tuple[Place, Entity, Version]] = []

    def learn(self, place: Place, entity: Entity, version: Version, ms: int) -> None:
        """Take note of what was written at `ms`, if it does not get lost."""
        if entity.places[0][1] in self.indexing.unindexed:
            return
        if self._chance.random() < self.indexing.loses:
            self._lost.append((place, entity, version))
            return
        doc = Doc(entity, version, next(self._numbers))
        self._shelf(place).tell(ms + self._lag(), doc, is_there=True)

    def forget(self, place: Place, entity: Entity, ms: int) -> None:
        """Take note that there is nothing to be found there any more."""
        doc = Doc(entity, entity.now, next(self._numbers))
        self._shelf(place).tell(ms + self._lag(), doc, is_there=False)

    def reindex(self, ms: int) -> None:
        """Learn what was lost, from `ms` on."""
        lost, self._lost = self._lost, []
        for place, entity, version in lost:
            if version is entity.now and not entity.is_deleted:
                doc = Doc(entity, version, next(self._numbers))
                self._shelf(place).tell(ms + self._lag(), doc, is_there=True)

    def known(self, place: Place, now: int) -> Iterator[Doc]:
        return iter(self._shelf(place).known(now).values())

    def between(self, place: Place, axis: str, first: int, last: int, now: int) -> list[Doc]:
        """By an axis, from `first` to `last`, both included."""
        return self._shelf(place).between(axis, first, last, now)

    def _shelf(self, place: Place) -> Shelf:
        return self._shelves.setdefault(place, Shelf())

    def _lag(self) -> int:
        shortest, longest = (each // _MS for each in self.indexing.lag)
        return self._chance.randint(shortest, longest)


def _key(axis: str, doc: Doc) -> tuple[int, int, str]:
    return doc.at(axis), doc.number, doc.entity.uuid
