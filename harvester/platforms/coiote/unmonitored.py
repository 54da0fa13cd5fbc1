"""Devices, and feeds of them, whose history cannot be had: nobody switched their monitoring on, or
there is no such resource. The platform has codes for that, and not every answer has one."""

from collections.abc import Collection
from datetime import datetime, timedelta

from harvester.platforms.coiote.remembered import Remembered

SAID_LASTS = timedelta(days=1)
SUSPECTED_LASTS = timedelta(hours=1)
TICKS = 3
"""So often in a row it fails for one device or feed, and tells of others: then it means that one,
though it does not say so."""


class Unmonitored:
    """What was said of it, or is to be concluded; `at` is the end of the newest window."""

    def __init__(self) -> None:
        self._known = Remembered()
        self._failed: dict[str, set[datetime]] = {}
        """By device or feed: the first ticks in which it failed since anything was told of it."""
        self._told_at: datetime | None = None

    def forget_others(self, devices: Collection[str]) -> None:
        """Of those that are no more, and of their feeds."""

        def is_gone(which: object) -> bool:
            return which not in devices and str(which).rpartition(" ")[0] not in devices

        self._known.forget(is_gone)
        self._failed = {which: it for which, it in self._failed.items() if not is_gone(which)}

    def holds(self, which: str, at: datetime) -> bool:
        return self._known.holds(which, at)

    def said(self, device: str, at: datetime) -> None:
        self._known.keep(device, at, SAID_LASTS)

    def told(self, device: str, feed: str, at: datetime) -> None:
        """Its history was told."""
        self._failed.pop(device, None)
        self._failed.pop(feed, None)
        self._told_at = at

    def failed(self, which: str, at: datetime) -> bool:
        """Whether that it failed means the device, or the feed."""
        ticks = self._failed.setdefault(which, set())
        if len(ticks) < TICKS:  # a server may be out of order for weeks
            ticks.add(at)
        others_are_told = self._told_at is not None and self._told_at > min(ticks)
        if len(ticks) < TICKS or not others_are_told:
            return False
        self._known.keep(which, at, SUSPECTED_LASTS)
        return True
