"""What there is to pull: each account is asked now and then for the devices and feeds it sees."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from harvester import channels
from harvester.auth.held import account_name
from harvester.clock import Clock
from harvester.errors import PlatformError
from harvester.harvest.patience import in_time
from harvester.harvest.work import Seat, Work
from harvester.logs import Failures
from harvester.model import Discovered
from harvester.platforms.base import SHARE
from harvester.store import discovery, places
from harvester.store.catalog import Ids
from harvester.store.leases import Lease

if TYPE_CHECKING:
    from harvester.store.pool import Pool

EVERY = timedelta(hours=1)
"""What was found is brought into the database so often at least, changed or not."""
PATIENCE_SHARE = 2 * SHARE
"""A platform that forgets is waited for so much of its retention."""


@dataclass(frozen=True, slots=True)
class Found:
    """What an account was found to see, not yet in the database."""

    seat: Seat
    findings: tuple[Discovered, ...]
    at: datetime
    answered_at: datetime


class Discovering:
    """The discoveries of one tenant, for all of its streams."""

    def __init__(self, work: Work, pool: Pool, ids: Ids, clock: Clock, failures: Failures) -> None:
        self._work = work
        self._pool = pool
        self._ids = ids
        self._clock = clock
        self._failures = failures
        self.turn = asyncio.Lock()
        """To be held from a question until its answer is saved: the streams share it."""
        self._asked_at: dict[int, datetime] = {}
        """When what was answered is in the database."""
        self._known: dict[int, tuple[int, datetime]] = {}
        """A digest of what is in the database, and since when."""
        self._unwell: set[int] = set()

    async def renew(self, lease: Lease, now: datetime, since: datetime) -> None:
        """Ask the accounts that are due, and save what they see.

        Raises Fenced and StoreUnavailable.
        """
        if self._due(now):
            await places.about_to_ask(self._pool, lease)
            await self.save(lease, await self.ask(now), since)

    async def ask(self, now: datetime) -> list[Found]:
        """What the accounts see that are due. Why one could not tell is told here."""
        due = self._due(now)
        # Side by side: an account that is not answered must not cost the others their devices.
        asked = await asyncio.gather(*(self._ask(seat, now) for seat in due))
        return [found for found in asked if found]

    async def save(self, lease: Lease, found: Iterable[Found], since: datetime) -> None:
        """Bring it into the database. New feeds are wanted from `since` on, by their axis.

        Raises Fenced and StoreUnavailable: the rest of it is then asked for again.
        """
        for each in found:
            account_id = each.seat.account_id
            if self._is_news(each):
                await discovery.save(self._pool, lease, self._ids, self._discovery(each, since))
                self._known[account_id] = hash(each.findings), each.at
            self._asked_at[account_id] = each.at

    def _is_news(self, found: Found) -> bool:
        known, saved_at = self._known.get(found.seat.account_id, (None, found.at))
        return known != hash(found.findings) or found.at - saved_at >= EVERY

    @property
    def is_well(self) -> bool:
        """Whether all accounts answered when they were last asked."""
        return not self._unwell

    def _due(self, now: datetime) -> list[Seat]:
        return [seat for seat in self._work.seats.values() if self._is_due(seat, now)]

    def _is_due(self, seat: Seat, now: datetime) -> bool:
        asked_at = self._asked_at.get(seat.account_id)
        return asked_at is None or now - asked_at >= self._every

    @property
    def _every(self) -> timedelta:
        """Where a platform forgets, what a new device says must not be gone when it is found."""
        retention = self._work.platform.retention
        return min(EVERY, retention / SHARE) if retention else EVERY

    async def _ask(self, seat: Seat, now: datetime) -> Found | None:
        what = f"{account_name(self._work.tenant, seat.credentials.user)} discovery"
        try:
            found = await self._told(seat)
        except PlatformError as error:
            self._failures.failing(what, error.reason, error=str(error))
            self._unwell.add(seat.account_id)
            return None
        self._failures.well(what)
        self._unwell.discard(seat.account_id)
        return Found(seat, found, now, self._clock.now())

    async def _told(self, seat: Seat) -> tuple[Discovered, ...]:
        """All that it sees, in time where the polls that wait for it must be in time."""
        telling = _all(self._work.platform.discover(seat.api, seat.credentials))
        if (retention := self._work.platform.retention) is None:
            return await telling
        return await in_time(self._clock, retention / PATIENCE_SHARE, telling)

    def _discovery(self, found: Found, since: datetime) -> discovery.Discovery:
        seat = found.seat
        storable = (channels.described(each) for each in found.findings)
        return discovery.Discovery(
            findings=[self._finding(seat, each) for each in storable if each],
            # Of other accounts' sight the tenant's own client speaks too, and not of all of it.
            whole_sight_of=seat.account_id,
            wanted_since=since,
            now=found.at,
            answered_at=found.answered_at,
        )

    def _finding(self, seat: Seat, found: Discovered) -> discovery.Finding:
        account_id: int | None = seat.account_id
        if found.seen_by is not None:
            account_id = self._work.account_of(found.seen_by)
        if account_id is None:  # nobody who is configured sees it: known, but not pulled
            found = replace(found, feeds=())
        said = found.device.channels if found.device else ()
        known = self._work.platform.meanings
        meanings = {each: channels.meaning(known, each.type, each.unit) for each in said}
        return discovery.Finding(found, account_id, meanings)


async def _all(found: AsyncIterator[Discovered]) -> tuple[Discovered, ...]:
    return tuple([each async for each in found])
