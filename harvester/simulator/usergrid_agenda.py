"""What is to happen in the fake Usergrid by itself, as its clock moves."""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count

Deed = Callable[[int], None]
"""It is told when it happens, in ms by the platform's clock."""


class Agenda:
    """Each deed is done once, when its time has come, the earliest first."""

    def __init__(self) -> None:
        self._to_come: list[tuple[int, int, Deed]] = []
        self._put = count()  # breaks ties: what was put in first comes first

    def put(self, ms: int, deed: Deed) -> None:
        heappush(self._to_come, (ms, next(self._put), deed))

    def bring(self, now_ms: int) -> None:
        """Do what is due; a deed may put in others."""
        while self._to_come and self._to_come[0][0] <= now_ms:
            ms, _, deed = heappop(self._to_come)
            deed(ms)
