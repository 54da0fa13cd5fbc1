"""One path of a small Usergrid: an index whose cursors are offsets, and a graph that has no lag.

What `between` does, it does before each answer: so things come and go between pages.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from harvester.errors import RequestRefused, TooLarge
from harvester.model import Window
from harvester.platforms.base import Params
from harvester.platforms.usergrid.instants import MS, from_millis

PATH = "/acme/plant7/readings"

BASE = 1_772_620_200_000
"""2026-03-04 10:30 in milliseconds."""
NOW = BASE + 600_000
"""What the server's clock shows."""
_QL = re.compile(
    r"select \* where (created|modified) >= (\d+)(?: and \1 < (\d+))? order by \1 (asc|desc)"
)

Row = dict[str, Any]


def row(number: int, ms: int = 0, modified: int | None = None, **properties: object) -> Row:
    """An entity that was created so many milliseconds after BASE."""
    changed = ms if modified is None else modified
    own = {"uuid": f"u{number:05d}", "type": "reading"}
    return {**own, "created": BASE + ms, "modified": BASE + changed, **properties}


def window(since: float = 0, until: float = 60_000) -> Window:
    """From and until so many milliseconds after BASE."""
    return Window(from_millis(BASE) + since * MS, from_millis(BASE) + until * MS)


def uuids(*numbers: int) -> list[str]:
    return [f"u{number:05d}" for number in numbers]


@dataclass
class Paged:
    """`rows` stand in the order of their edges, the oldest first. `cap` is the largest page.

    `unindexed` are UUIDs that the index does not answer. With `shuffled`, rows of one instant come
    in another order each time.
    """

    rows: list[Row]
    cap: int = 1000
    now: int | None = NOW
    unindexed: Collection[str] = ()
    shuffled: bool = False
    between: Callable[[int], None] = lambda _: None
    asked: list[dict[str, Any]] = field(default_factory=list)

    async def get(self, path: str, params: Params | None = None) -> object:
        assert path == PATH, path
        asked: dict[str, Any] = dict(params or {})
        self.asked.append(asked)
        self.between(len(self.asked))
        size = min(int(asked["limit"]), self.cap)
        found = self._indexed(asked["ql"]) if "ql" in asked else self.rows[::-1]
        offset, rest = _after(found, asked.get("cursor"), is_offset="ql" in asked)
        page = rest[:size]
        told: Row = {"action": "get", "entities": page, "timestamp": self.now}
        if page and len(page) == size:
            told["cursor"] = f"{offset + len(page) - 1} {page[-1]['uuid']}="
        return told

    @property
    def queries(self) -> list[dict[str, Any]]:
        return [each for each in self.asked if "ql" in each]

    def _indexed(self, ql: str) -> list[Row]:
        parts = _QL.fullmatch(ql)
        assert parts, ql
        axis, since, until, order = parts.groups()
        found = [
            each
            for each in self.rows
            if int(since) <= each[axis] < int(until or 10**15)
            and each["uuid"] not in self.unindexed
        ]
        if self.shuffled:
            first = len(self.asked) % 3
            found = found[first:] + found[:first]
        return sorted(found, key=lambda each: each[axis], reverse=order == "desc")


class Heavy(Paged):
    """What weighs more than that in one answer is too many bytes; a row without `weight`, one."""

    largest = 1000

    async def get(self, path: str, params: Params | None = None) -> object:
        answer = await super().get(path, params)
        assert isinstance(answer, dict)
        if sum(each.get("weight", 1) for each in answer["entities"]) > self.largest:
            raise TooLarge("more bytes than are taken at once")
        return answer


def _after(found: list[Row], cursor: str | None, *, is_offset: bool) -> tuple[int, list[Row]]:
    """The offset at which an answer begins, and all from there on."""
    if cursor is None:
        return 0, found
    place, _, uuid = cursor.removesuffix("=").partition(" ")
    if not is_offset:
        numbers = [n for n, each in enumerate(found) if each["uuid"] == uuid]
        if not numbers:
            raise RequestRefused("400", 400, {"error": "illegal_argument"})
        return numbers[0] + 1, found[numbers[0] + 1 :]
    offset = int(place)
    rest = found[offset:]
    if rest and rest[0]["uuid"] == uuid:
        return offset + 1, rest[1:]
    return offset, rest
