"""Whether all feeds of a platform that forgets can be polled in time, as measured."""

from __future__ import annotations

from datetime import timedelta

from harvester import metrics
from harvester.harvest.work import Work
from harvester.logs import Failures
from harvester.platforms.base import SHARE

ENOUGH = 16
"""Answers after which a guess is worth telling."""
_WEIGHT = 0.1
"""Of the newest answer, in the mean."""


class Pace:
    """The mean time of an answer, and what follows from it for so many feeds."""

    def __init__(self, work: Work, retention: timedelta, at_once: int, failures: Failures) -> None:
        self._of = work.tenant, work.stream
        self._retention = retention
        self._at_once = at_once
        self._failures = failures
        self._mean = 0.0
        self._answers = 0
        metrics.RETENTION.labels(*self._of).set(retention.total_seconds())

    def answered(self, seconds: float) -> None:
        self._answers += 1
        weight = max(_WEIGHT, 1 / self._answers)
        self._mean += weight * (seconds - self._mean)

    def look(self, feeds: int) -> None:
        """Say whether so many feeds can be polled in time."""
        if self._answers < min(ENOUGH, feeds):
            return
        needed = feeds * self._mean / self._at_once
        metrics.SWEEP.labels(*self._of).set(needed)
        what, limit = f"{' '.join(self._of)} sweep", self._retention.total_seconds() / SHARE
        if needed <= limit:
            self._failures.well(what)
            return
        self._failures.failing(
            what,
            "too slow",
            feeds=feeds,
            needs_seconds=round(needed, 1),
            limit_seconds=round(limit, 1),
            help="what cannot be polled in time is lost: let the platform keep it longer and set "
            'retention, or set ingest = "websocket", or share the devices out among tenants',
        )
