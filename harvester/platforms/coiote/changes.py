"""What changed of task reports since an instant, page by page.

Pages are sorted by the last change, and there is no cursor. A page may be shorter than was asked
for without being the last, and may end among several reports of one millisecond.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from harvester.platforms.base import Params
from harvester.platforms.coiote import instants

LIMIT = 512
"""Reports of an answer, at first."""
LARGEST_LIMIT = 2**16


@dataclass(slots=True)
class Changes:
    """Reports that changed from `since` until before `until`, in ms.

    Each page begins a millisecond before the last change of the one before. `is_cut`: more changed
    in some millisecond than came.
    """

    since: int
    until: int
    limit: int = LIMIT
    is_over: bool = False
    is_cut: bool = False
    start: int = field(init=False)
    """What changed after it is asked for."""
    _usual: int = LIMIT
    """Reports asked for where no millisecond has more: fewer, where so many are too large."""
    _told: set[str] = field(default_factory=set)
    _passed: int | None = None
    """A millisecond of which no page brought more: what lies beyond is asked for, to see whether
    that was the end of it or of a page."""

    def __post_init__(self) -> None:
        self.start = self.since - 1

    def params(self) -> Params:
        return {"lastUpdateTime": instants.stamp(self.start), "limit": self.limit}

    def take(self, rows: Sequence[object]) -> list[object]:
        """What a page brings that was not in the one before."""
        fresh = [row for row in rows if repr(row) not in self._told]
        self._told = {repr(row) for row in rows}
        changes = list(_changes(rows))
        if self._passed is not None:
            self.is_cut |= any(self._passed < each < self.until for each in changes)
        is_full = len(rows) >= self.limit
        self.is_cut |= is_full and not changes
        self._go_on(max(changes, default=self.until), is_full=is_full)
        return fresh

    def refused(self) -> bool:
        """Whether to go on though a page was refused: so many may be more than it gives at once."""
        is_grown = self.limit > self._usual
        if is_grown:
            self._leave()
        return is_grown

    def too_large(self) -> bool:
        """Whether to go on though a page was too large: with fewer reports."""
        if self.refused():
            return True
        self._usual = self.limit = max(1, self._usual // 8)
        return self.limit > 1

    def _go_on(self, last: int, *, is_full: bool) -> None:
        if last >= self.until or last < self.start:
            self.is_over = True
        elif last - 1 > self.start:
            self.start, self._passed, self.limit = last - 1, None, self._usual
        elif is_full:
            self._grow()
        elif last > self.start:
            self._pass(last)
            self.start = last
        else:  # what changed at the start is told as well
            self._pass(self.start)
            self.start += 1

    def _pass(self, ms: int) -> None:
        self._passed = ms if ms >= self.since else None

    def _grow(self) -> None:
        if self.limit < LARGEST_LIMIT:
            self.limit *= 2
        else:
            self._leave()

    def _leave(self) -> None:
        """Go on behind a millisecond of which no more can be had."""
        self.start, self.limit, self.is_cut = self.start + 1, self._usual, True


def _changes(rows: Sequence[object]) -> Iterator[int]:
    for row in rows:
        if isinstance(row, dict) and (at := instants.read(row.get("lastUpdateTime"))):
            yield instants.millis(at)
