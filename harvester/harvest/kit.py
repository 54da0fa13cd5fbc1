"""What a harvest works with: its stream, and the ways to the platform and into the database."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from harvester import metrics
from harvester.clock import Clock
from harvester.errors import PlatformError
from harvester.harvest.axis import Axis, measured
from harvester.harvest.discovering import Discovering
from harvester.harvest.outlets import Outlet, Straight
from harvester.harvest.pulling import Pulling, Tick
from harvester.harvest.work import Work
from harvester.logs import Failures
from harvester.store import feeds
from harvester.store.leases import Lease
from harvester.store.writer import Writer

if TYPE_CHECKING:
    from harvester.store.pool import Pool

_log = structlog.stdlib.get_logger(__name__)

WRONG = timedelta(minutes=1)
"""A clock that differs by more is worth telling."""


@dataclass(frozen=True, slots=True)
class Kit:
    """Of one stream of one tenant."""

    work: Work
    pool: Pool
    writer: Writer
    discovering: Discovering
    clock: Clock
    stopping: asyncio.Event
    failures: Failures

    def straight(self, lease: Lease) -> Straight:
        return Straight(self.pool, self.writer, lease)

    def tick(self, outlet: Outlet, now: datetime, longest: timedelta, axis: Axis) -> Tick:
        """A tick that ends when that has passed from here on."""
        return Tick(
            work=self.work,
            outlet=outlet,
            clock=self.clock,
            now=now,
            deadline=self.clock.now() + longest,
            stopping=self.stopping,
            failures=self.failures,
            axis=axis,
        )

    async def axis(self) -> Axis:
        """As the first account that can be told of it is told. Raises PlatformError."""
        refusals: list[PlatformError] = []
        for seat in self.work.seats.values():
            try:
                axis = await measured(self.work.platform, seat.api, self.clock)
            except PlatformError as error:
                refusals.append(error)
            else:
                if axis:
                    self._tell_skew(axis)
                return axis or Axis()
        if refusals:
            raise refusals[0]
        return Axis()

    async def lose(self, lease: Lease, axis: Axis) -> None:
        """Give up what the platform can no longer answer. Raises Fenced, StoreUnavailable."""
        if (retention := self.work.rules.retention) is None:
            return
        before = axis.reached(self.clock.now()) - retention
        lost = await feeds.lose(self.pool, lease, self.work.stream, before)
        what = f"{self.work.tenant} {self.work.stream} retention"
        if lost:
            longest = max(lost).total_seconds()
            self.failures.failing(what, "lost", feeds=len(lost), longest_seconds=longest)
        else:
            self.failures.well(what)

    async def give_up(self, lease: Lease, pulling: Pulling, before: datetime) -> None:
        """Give up what went when a feed was moved. Raises Fenced, StoreUnavailable."""
        lost = await feeds.gone(self.pool, lease, pulling.feed_id, before)
        _log.warning(
            "history lost in a move",
            what=pulling.name,
            reason="lost",
            before=before.isoformat(),
            seconds=lost.total_seconds(),
        )

    def tell_behind(self) -> None:
        """Of a platform that answers from an index, how far that is behind."""
        platform, what = self.work.platform, f"{self.work.tenant} index"
        if (behind := platform.behind) is None:
            return
        metrics.INDEX_LAG.labels(self.work.tenant).set(behind.total_seconds())
        if behind > platform.under_way:
            seconds = round(behind.total_seconds())
            self.failures.failing(what, "behind", seconds=seconds)
        else:
            self.failures.well(what)

    def _tell_skew(self, axis: Axis) -> None:
        what = f"{self.work.tenant} clock of the platform"
        metrics.CLOCK_SKEW.labels(self.work.tenant).set(axis.least.total_seconds())
        if abs(axis.least) > WRONG:
            ahead = round(axis.least.total_seconds())
            self.failures.failing(what, "differs from ours", ahead_seconds=ahead)
        else:
            self.failures.well(what)
