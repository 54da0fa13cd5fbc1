"""Devices that had no contact with the platform: what they did not tell of is not asked for.

What a device tells is dated by its own clock, which may be ahead, and it may have kept it for long:
docs/platforms/coiote.md.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from harvester.model import Feed, Window
from harvester.platforms.coiote.devices import Seen
from harvester.storable import FURTHEST_AHEAD

FRESH = timedelta(hours=12)
"""A window that ended no longer ago is looked at once more, and then it is none of these."""
AHEAD = timedelta(minutes=10)
"""Clocks that are ahead by more are rare: what such a device tells may come with the last look."""


class Silence:
    """What was not asked of whom, by feed. `ask_silent`: nobody is taken to be silent."""

    def __init__(self, retention: timedelta, *, ask_silent: bool) -> None:
        self._retention = retention
        self._ask_silent = ask_silent
        self._heard: dict[tuple[str, str], datetime] = {}
        """By device and feed: the last contact before what was not asked for."""

    def is_over(self, window: Window, seen: Seen, until: datetime) -> bool:
        """Whether a device told nothing of a window, in a tick that asks up to `until`."""
        if self._ask_silent or seen.last_contact is None:
            return False
        ahead = AHEAD if window.until > until - FRESH else FURTHEST_AHEAD
        return seen.last_contact + ahead < window.since

    def keep_silent(self, feed: Feed, seen: Seen) -> None:
        """It is not asked for."""
        if seen.last_contact:
            self._heard.setdefault((seen.identifier, feed.key), seen.last_contact)

    def before(self, feed: Feed, seen: Seen, window: Window, until: datetime) -> Window | None:
        """A long silence that ended, as far as it lies before the newest window: what of it was not
        asked for is covered, and some is not looked at again."""
        heard = self._heard.get((seen.identifier, feed.key))
        if heard is None or not seen.last_contact or window.until < until:
            return None
        since = max(heard, window.until - self._retention)
        is_long = seen.last_contact - heard > FRESH and since < window.since
        return Window(since, window.since) if is_long else None

    def told(self, feed: Feed, seen: Seen, window: Window, until: datetime) -> None:
        """It was asked for, with all that lay before."""
        if window.until >= until:
            self._heard.pop((seen.identifier, feed.key), None)

    def forget_others(self, devices: Collection[str]) -> None:
        """Of those that are no more, nothing is to be asked for."""
        self._heard = {key: at for key, at in self._heard.items() if key[0] in devices}
