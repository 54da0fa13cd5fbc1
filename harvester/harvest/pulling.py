"""One feed of a tick: its windows, one after another, from the platform into the store."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

import structlog

from harvester import channels, metrics, windows
from harvester.clock import Clock
from harvester.errors import (
    Fenced,
    Forbidden,
    Malformed,
    PlatformError,
    RequestRefused,
    StoreError,
    StoreUnavailable,
    TokenError,
    TooLarge,
    TransientError,
    Truncated,
)
from harvester.harvest.work import STREAM, Seat, Work
from harvester.logs import Failures
from harvester.model import Normalized, Rejection, Sample, Window
from harvester.store import feeds
from harvester.store.feeds import DueFeed
from harvester.store.leases import Lease
from harvester.store.writer import Batch, Covers, Writer

if TYPE_CHECKING:
    from harvester.store.pool import Pool

BATCH = 20_000
"""Samples of a window held in memory; what comes beyond is committed before it is finished."""

_THIS_WINDOW = (Malformed, TooLarge, Truncated, RequestRefused)
"""What costs a window, while the feed's other windows may still be had."""

_IN_COMMON = (TransientError, TokenError)
"""What the platform or an account suffers from, and with it many feeds."""

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Tick:
    """What all feeds of a tick have in common. `now` is the instant it was planned at."""

    work: Work
    pool: Pool
    writer: Writer
    lease: Lease
    clock: Clock
    now: datetime
    deadline: datetime
    stopping: asyncio.Event
    failures: Failures
    in_common: set[str] = field(default_factory=set)
    """Why feeds failed where it is no feed's own: told once, not for each of a thousand."""

    @property
    def all_feeds(self) -> str:
        return f"{self.work.tenant} feeds"

    @property
    def is_over(self) -> bool:
        """Whether no more windows are begun: the time is up, or the tenant is being stopped."""
        return self.stopping.is_set() or self.clock.now() >= self.deadline


class Pulling:
    """Pulls one feed, through whichever account sees it."""

    def __init__(self, tick: Tick, due: DueFeed) -> None:
        self._tick = tick
        self._due = due
        self._error: Exception | None = None

    async def run(self) -> bool:
        """Whether all that is due was covered. Why not is kept with the feed.

        Raises Fenced and StoreUnavailable.
        """
        done = await self._through_any_account()
        if done:
            self._tick.failures.well(self._name)
        elif self._error is not None:
            await self._tell(self._error)
        return done

    @property
    def feed_id(self) -> int:
        return self._due.feed_id

    @property
    def _name(self) -> str:
        return f"{self._tick.work.tenant} feed {self._due.feed.key}"

    async def _through_any_account(self) -> bool:
        """An account that lost sight of the feed, or its token, makes room for the next.

        What it lost for good the next discovery will tell: a 404 may be a platform's bad minute.
        """
        for account_id in self._due.accounts:
            seat = self._tick.work.seats.get(account_id)
            if seat is None:  # found by another instance, which was told of more accounts
                continue
            try:
                return await self._through(seat)
            except (Forbidden, TokenError) as error:
                self._error = error
            except PlatformError as error:
                self._error = error
                return False
        return False

    async def _through(self, seat: Seat) -> bool:
        due, now = self._due, self._tick.now
        plan = windows.plan(due.missing, due.provisional, due.looked_at, now, self._tick.work.rules)
        looked = True
        for window in plan.looks:
            covers = self._covers(looked and window == plan.looks[-1])
            looked = await self._try_window(seat, window, False, covers) and looked
        done = looked and plan.whole
        for window in plan.missing:
            covers = self._covers(looked)
            done = await self._try_window(seat, window, due.exclusive, covers) and done
        return done

    def _covers(self, looked: bool) -> Covers:
        return Covers(windows.settled_before(self._tick.now, self._tick.work.rules), looked)

    async def _try_window(self, seat: Seat, window: Window, fresh: bool, covers: Covers) -> bool:
        """Whether the window was covered. What costs no more than this window is not raised."""
        if self._tick.is_over:
            return False
        try:
            await self._window(seat, window, fresh, covers)
        except (Fenced, StoreUnavailable):
            raise
        except (*_THIS_WINDOW, StoreError) as error:
            await self._lose(window, error)
        except PlatformError:
            self._count("failed")
            raise
        except Exception as error:
            # An adapter's mistake over an answer that nobody foresaw must not stop the tenant.
            _log.exception("unexpected", feed=self._name)
            await self._lose(window, error)
        else:
            self._count("covered")
            metrics.LAST_SUCCESS.labels(self._tick.work.tenant, STREAM).set(
                self._tick.clock.now().timestamp()
            )
            return True
        return False

    async def _window(self, seat: Seat, window: Window, fresh: bool, covers: Covers) -> None:
        try:
            await self._pull(seat, window, fresh, covers)
        except TooLarge:
            parts = windows.halves(window)
            if parts is None:
                raise
            await self._window(seat, parts[0], fresh, replace(covers, looked=False))
            await self._window(seat, parts[1], fresh, covers)

    async def _pull(self, seat: Seat, window: Window, fresh: bool, covers: Covers) -> None:
        samples: list[Sample] = []
        async for answer in self._tick.work.platform.readings(seat.api, self._due.feed, window):
            samples += [each for each in answer if isinstance(each, Sample)]
            if len(samples) >= BATCH:
                await self._write(window, fresh, samples, None)
                samples = []
        await self._write(window, fresh, samples, covers)

    async def _write(
        self, window: Window, fresh: bool, samples: list[Sample], covers: Covers | None
    ) -> None:
        said = channels.normalize(samples, self._tick.now)
        await self._commit(Batch(self._due.feed_id, window, fresh, said, self._tick.now, covers))

    async def _commit(self, batch: Batch) -> None:
        await self._tick.writer.write(self._tick.lease, batch)

    async def _lose(self, window: Window, error: Exception) -> None:
        """Note a window's failure; of an answer that makes no sense, keep the beginning."""
        self._error = error
        self._count("failed")
        if isinstance(error, Malformed):
            said = Normalized(rejections=[Rejection("", "", error.reason, "", error.excerpt)])
            await self._commit(
                Batch(self._due.feed_id, window, False, said, self._tick.now, covers=None)
            )

    def _count(self, outcome: str) -> None:
        metrics.WINDOWS.labels(self._tick.work.tenant, STREAM, outcome).inc()

    async def _tell(self, error: Exception) -> None:
        reason = error.reason if isinstance(error, PlatformError) else "unexpected"
        what = self._name
        if isinstance(error, _IN_COMMON):
            what = self._tick.all_feeds
            self._tick.in_common.add(reason)
        self._tick.failures.failing(what, reason, error=str(error))
        await feeds.failed(
            self._tick.pool,
            self._tick.lease,
            self._due.feed_id,
            channels.shown(f"{reason}: {error}"),
            self._tick.now,
        )
