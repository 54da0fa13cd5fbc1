"""Subscriptions: what a platform sends by itself, and what of the time of a feed that covers."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from harvester.auth.held import account_name
from harvester.errors import PlatformError, StoreUnavailable
from harvester.harvest.patience import in_time
from harvester.harvest.pulling import Tick, normalized
from harvester.harvest.work import Seat
from harvester.logs import Failures
from harvester.model import Normalized, Said, Sample, TaskReport, Window
from harvester.platforms.base import Listening
from harvester.store.feeds import DueFeed
from harvester.store.writer import Batch, Covers


@dataclass(frozen=True, slots=True)
class _Heard:
    """What one account was told, and the time of its axis in which it was told of everything."""

    said: Sequence[Said]
    window: Window | None


@dataclass(slots=True)
class _Subscription:
    """`feeds` are those that were known when it began: of others it may tell nothing. What was
    told before `since`, by the axis, has been handed on, and is covered with it or not at all."""

    listening: Listening
    feeds: frozenset[int]
    since: datetime


class Ears:
    """One subscription of each account, opened anew at the next tick after it ended."""

    def __init__(self, failures: Failures, patience: timedelta) -> None:
        self._failures = failures
        self._patience = patience
        self._open: dict[int, _Subscription] = {}

    async def close(self) -> None:
        """End them all."""
        await asyncio.gather(*(each.listening.close() for each in self._open.values()))
        self._open.clear()

    async def hear(self, tick: Tick, feeds: Iterable[DueFeed]) -> list[DueFeed]:
        """Write down what was told since the last tick; the feeds that must be polled all the
        same, as they miss time from before their subscription began."""
        by_account: dict[int, list[DueFeed]] = defaultdict(list)
        for due in feeds:
            by_account[_account_of(due, tick)].append(due)
        heard = [self._told(tick, account_id, own) for account_id, own in by_account.items()]
        return [due for left in await asyncio.gather(*heard) for due in left]

    async def _told(self, tick: Tick, account_id: int, own: list[DueFeed]) -> list[DueFeed]:
        seat = tick.work.seats.get(account_id)
        ids = frozenset(due.feed_id for due in own)
        heard = await self._heard(tick, seat, ids) if seat else None
        if heard is None or seat is None:
            return own
        known = self._open[account_id].feeds
        left = await _written(tick, [due for due in own if due.feed_id in known], heard)
        if new := [due for due in own if due.feed_id not in known]:
            await self._drop(seat)  # the next one will be told of these too
        return left + new

    async def _heard(self, tick: Tick, seat: Seat, feeds: frozenset[int]) -> _Heard | None:
        what = f"{account_name(tick.work.tenant, seat.credentials.user)} {tick.work.stream} told"
        try:
            heard = await in_time(tick.clock, self._patience, self._listen(tick, seat, feeds))
        except BaseException as error:
            await self._drop(seat)  # what it had told already is gone
            if not isinstance(error, PlatformError | StoreUnavailable):
                raise
            reason = error.reason if isinstance(error, PlatformError) else "database"
            self._failures.failing(what, reason, error=str(error))
            return None
        self._failures.well(what)
        return heard

    async def _listen(self, tick: Tick, seat: Seat, feeds: frozenset[int]) -> _Heard:
        if seat.account_id not in self._open:
            listening = await tick.work.platform.listen(seat.api, tick.work.stream)
            since = tick.axis.reached(listening.since)
            self._open[seat.account_id] = _Subscription(listening, feeds, since)
        subscription = self._open[seat.account_id]
        said, until = await subscription.listening.heard()
        since, end = subscription.since, tick.axis.passed(until)
        if since >= end:
            return _Heard(said, None)
        # Not from its beginning: of what was told before, some may be dropped or refused by now.
        subscription.since = end
        return _Heard(said, Window(since, end))

    async def _drop(self, seat: Seat) -> None:
        if subscription := self._open.pop(seat.account_id, None):
            await subscription.listening.close()


def _account_of(due: DueFeed, tick: Tick) -> int:
    """The account through which a feed is pulled: the first that we have."""
    return next((each for each in due.accounts if each in tick.work.seats), 0)


async def _written(tick: Tick, feeds: Sequence[DueFeed], heard: _Heard) -> list[DueFeed]:
    """Each feed gets what is of its device; those left that miss what was never told."""
    by_device = _by_device(heard.said)
    nobodys = by_device.pop("", [])
    for due in feeds:
        said = [each for device in due.feed.devices for each in by_device.get(device, ())]
        said, nobodys = said + nobodys, []  # what has no device is rejected, under any feed
        covers = Covers(heard.window.until, looked=True) if heard.window else None
        if said or covers:
            normal = _in_order(said, tick.now)
            batch = Batch(due.feed_id, heard.window, False, normal, tick.now, covers)
            await tick.outlet.write(batch)
        if covers:
            tick.covered()
    since = heard.window.since if heard.window else None
    return [due for due in feeds if since is None or _misses_before(due, since)]


def _in_order(said: Sequence[Said], now: datetime) -> Normalized:
    """Each state that a task was told to be in is kept, and not only the last of them."""
    normal = normalized([each for each in said if isinstance(each, Sample)], now)
    for each in said:
        if isinstance(each, TaskReport):
            told = normalized([each], now)
            normal.reports += told.reports
            normal.rejections += told.rejections
    return normal


def _misses_before(due: DueFeed, since: datetime) -> bool:
    return any(span.since < since for span in due.missing)


def _by_device(said: Sequence[Said]) -> dict[str, list[Said]]:
    found: dict[str, list[Said]] = defaultdict(list)
    for each in said:
        found[each.device or ""].append(each)
    return found
