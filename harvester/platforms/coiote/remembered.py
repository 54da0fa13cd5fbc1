"""What was learned of an account, a device or a resource, and is believed for a while.

The time is that of the windows that are asked for: nothing else tells an adapter of it.
"""

from collections.abc import Callable, Hashable
from datetime import datetime, timedelta

from harvester.model import BEGINNING


class Remembered:
    """Facts, each until an instant."""

    def __init__(self) -> None:
        self._until: dict[Hashable, datetime] = {}

    def holds(self, fact: Hashable, at: datetime) -> bool:
        """Whether it is believed still."""
        return fact in self._until and at <= self._until[fact]

    def forget(self, is_gone: Callable[[Hashable], bool]) -> None:
        """Of what is gone, nobody asks."""
        self._until = {fact: it for fact, it in self._until.items() if not is_gone(fact)}

    def keep(self, fact: Hashable, at: datetime, lasts: timedelta = timedelta()) -> None:
        """Believe it for so long: without that, for what is asked up to the same instant."""
        self._until[fact] = max(at + lasts, self._until.get(fact, BEGINNING))
