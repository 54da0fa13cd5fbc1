"""One feed of a tick: its windows, one after another, from the platform into the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog

from harvester import channels, metrics, task_reports, windows
from harvester.clock import Clock
from harvester.errors import (
    Fenced,
    Forbidden,
    Malformed,
    NotPermitted,
    PlatformError,
    RequestRefused,
    StoreError,
    StoreUnavailable,
    TokenError,
    TooLarge,
    TransientError,
    Truncated,
)
from harvester.harvest.axis import Axis
from harvester.harvest.outlets import Outlet
from harvester.harvest.work import Seat, Work
from harvester.logs import Failures
from harvester.model import BEGINNING, Normalized, Rejection, Said, Sample, TaskReport, Window
from harvester.storable import shown
from harvester.store.feeds import DueFeed
from harvester.store.writer import Batch, Covers

BATCH = 20_000
"""Samples of a window held in memory; what comes beyond is committed before it is finished."""

_THIS_WINDOW = (Malformed, TooLarge, Truncated, RequestRefused)
"""What costs a window, while the feed's other windows may still be had."""

IN_COMMON = (TransientError, TokenError, NotPermitted)
"""What the platform or an account suffers from, and with it many feeds."""

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Tick:
    """What all feeds of a tick have in common. `now` is the instant it was planned at, by our
    clock; windows go by the `axis`."""

    work: Work
    outlet: Outlet
    clock: Clock
    now: datetime
    deadline: datetime
    stopping: asyncio.Event
    failures: Failures
    axis: Axis
    in_common: set[str] = field(default_factory=set)
    """Why feeds failed where it is no feed's own: told once, not for each of a thousand."""

    @property
    def all_feeds(self) -> str:
        return f"{self.work.tenant} {self.work.stream} feeds"

    @property
    def is_over(self) -> bool:
        """Whether no more windows are begun: the time is up, or the tenant is being stopped."""
        return self.stopping.is_set() or self.clock.now() >= self.deadline

    def covered(self) -> None:
        """Count a window that was."""
        self.count("covered")
        last = metrics.LAST_SUCCESS.labels(self.work.tenant, self.work.stream)
        last.set(self.clock.now().timestamp())

    def count(self, outcome: str) -> None:
        """Count a window."""
        metrics.WINDOWS.labels(self.work.tenant, self.work.stream, outcome).inc()


@dataclass(frozen=True, slots=True)
class _Ask:
    """A window to be pulled, and what its last answer covers; as the store has them."""

    window: Window
    covers: Covers
    fresh: bool = False
    look: bool = False


class Pulling:
    """Pulls one feed, through whichever account sees it."""

    def __init__(self, tick: Tick, due: DueFeed) -> None:
        self._tick = tick
        self._due = due
        self.error: Exception | None = None
        """Why it brought less than all."""

    async def run(self) -> bool:
        """Whether all that is due was covered. Why not is kept with the feed.

        Raises Fenced and StoreUnavailable.
        """
        if not self._due.accounts:
            return True  # nobody sees it: nothing of it is due
        done = await self._through_any_account()
        if done:
            self._tick.failures.well(self.name)
        elif self.error is not None:
            await self.tell(self.error)
        return done

    @property
    def feed_id(self) -> int:
        return self._due.feed_id

    @property
    def gone_before(self) -> datetime | None:
        """Until when what is missing is gone once all was asked for: the feed was moved."""
        since = self._due.kept_since
        if since is None or not self._due.accounts:
            return None
        return since if any(span.since < since for span in self._due.missing) else None

    @property
    def name(self) -> str:
        work = self._tick.work
        return f"{work.tenant} {work.stream} feed {self._due.feed.key}"

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
                self.error = error
            except PlatformError as error:
                self.error = error
                return False
        return False

    async def _through(self, seat: Seat) -> bool:
        due, rules, now = self._due, self._rules, self._now()
        # Ages are told by the axis, so that no drift of a clock leaves a span out.
        looked_at = due.looked_at and self._tick.axis.passed(due.looked_at)
        plan = windows.plan(due.missing, due.provisional, looked_at, now, rules)
        before = windows.settled_before(now, rules)
        looked = True
        for window in plan.looks:
            covers = Covers(before, looked and window == plan.looks[-1])
            looked = await self._try_window(seat, _Ask(window, covers, look=True)) and looked
        done = looked and plan.whole
        for window in plan.missing:
            ask = _Ask(window, Covers(before, looked), fresh=self._is_fresh)
            done = await self._try_window(seat, ask) and done
        return done

    @property
    def _rules(self) -> windows.Rules:
        rules = self._tick.work.rules
        if self._due.feed.every:
            return replace(rules, looks=(), oldest_first=False)
        return rules

    def _now(self) -> datetime:
        """The instant of the plan by the axis; until when a pull that begins now can tell of all,
        where a platform tells all that it has."""
        tick, work = self._tick, self._tick.work
        if not work.rules.whole:
            return tick.axis.passed(tick.now)
        return tick.axis.passed(tick.clock.now()) - work.platform.under_way

    @property
    def _is_fresh(self) -> bool:
        """Whether nothing of a missing window can be in the database yet."""
        work = self._tick.work
        # A report is there before its window is; what was covered before a move is asked for again.
        if work.stream != "readings" or self._due.kept_since:
            return False
        return self._due.exclusive and work.platform.axis_is_instant and not work.rules.whole

    async def _try_window(self, seat: Seat, ask: _Ask) -> bool:
        """Whether the window was covered. What costs no more than this window is not raised."""
        if self._tick.is_over:
            return False
        try:
            await self._window(seat, ask)
        except (Fenced, StoreUnavailable):
            raise
        except (*_THIS_WINDOW, StoreError) as error:
            await self._lose(ask.window, error)
        except PlatformError:
            self._tick.count("failed")
            raise
        except Exception as error:
            # An adapter's mistake over an answer that nobody foresaw must not stop the tenant.
            _log.exception("unexpected", feed=self.name)
            await self._lose(ask.window, error)
        else:
            self._tick.covered()
            return True
        return False

    async def _window(self, seat: Seat, ask: _Ask) -> None:
        try:
            await self._pull(seat, ask)
        except TooLarge:
            parts = windows.halves(ask.window)
            if parts is None or self._tick.work.rules.whole:
                raise
            await self._halves(seat, ask, parts)

    async def _halves(self, seat: Seat, ask: _Ask, parts: tuple[Window, Window]) -> None:
        """What cannot be had of the first half does not cost the second one."""
        not_all = replace(ask, covers=replace(ask.covers, looked=False))
        try:
            await self._window(seat, replace(not_all, window=parts[0]))
        except TooLarge:
            await self._window(seat, replace(not_all, window=parts[1]))
            raise
        await self._window(seat, replace(ask, window=parts[1]))

    async def _pull(self, seat: Seat, ask: _Ask) -> None:
        said: list[Said] = []
        try:
            async for answer in self._answers(seat, ask.window):
                said += answer
                if len(said) >= BATCH:
                    await self._write(ask, said, None)
                    said = []
        except PlatformError:
            if said and not ask.fresh:
                # What was told before is true, and by the next time it may be forgotten.
                await self._write(ask, said, None)
            raise
        window = self._answered(ask)
        last = replace(ask, window=window) if window else ask
        await self._write(last, said, ask.covers if window else None)

    def _answered(self, ask: _Ask) -> Window | None:
        """What of the window an answer that came just now tells of."""
        if ask.look:  # it was pulled in time
            return ask.window
        answered_by = self._tick.axis.reached(self._tick.clock.now())
        kept_since = self._due.kept_since or BEGINNING
        return windows.still_kept(ask.window, answered_by, self._tick.work.rules, kept_since)

    def _answers(self, seat: Seat, window: Window) -> AsyncIterator[Sequence[Said]]:
        platform, feed = self._tick.work.platform, self._due.feed
        if feed.stream == "readings":
            return platform.readings(seat.api, feed, window)
        return platform.task_reports(seat.api, feed, window)

    async def _write(self, ask: _Ask, said: Sequence[Said], covers: Covers | None) -> None:
        normal, now = normalized(said, self._tick.now), self._tick.now
        await self._tick.outlet.write(
            Batch(self._due.feed_id, ask.window, ask.fresh, normal, now, covers)
        )

    async def _lose(self, window: Window, error: Exception) -> None:
        """Note a window's failure; of an answer that makes no sense, keep the beginning."""
        self.error = error
        self._tick.count("failed")
        if isinstance(error, Malformed):
            said = Normalized(rejections=[Rejection("", "", error.reason, "", error.excerpt)])
            await self._tick.outlet.write(
                Batch(self._due.feed_id, window, False, said, self._tick.now, covers=None)
            )

    async def tell(self, error: Exception) -> None:
        """Say why nothing came of it, and keep that with the feed."""
        reason = error.reason if isinstance(error, PlatformError) else "unexpected"
        what = self.name
        if isinstance(error, IN_COMMON):
            what = self._tick.all_feeds
            self._tick.in_common.add(reason)
        self._tick.failures.failing(what, reason, error=str(error))
        failure = shown(f"{reason}: {error}")
        await self._tick.outlet.failed(self._due.feed_id, failure, self._tick.now)


def normalized(said: Sequence[Said], now: datetime) -> Normalized:
    """What a platform said, as what can be stored and what cannot."""
    normal = channels.normalize([each for each in said if isinstance(each, Sample)], now)
    reports = [each for each in said if isinstance(each, TaskReport)]
    normal.reports, rejections = task_reports.normalize(reports, now)
    normal.rejections += rejections
    return normal
