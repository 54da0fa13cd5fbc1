"""What there is to pull: each account is asked now and then for the devices and feeds it sees."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from harvester import channels
from harvester.auth.held import account_name
from harvester.errors import PlatformError
from harvester.harvest.work import Seat, Work
from harvester.logs import Failures
from harvester.model import Discovered
from harvester.store import discovery
from harvester.store.catalog import Ids
from harvester.store.leases import Lease

if TYPE_CHECKING:
    from harvester.store.pool import Pool

EVERY = timedelta(hours=1)


class Discovering:
    """The discoveries of one tenant, an account at a time."""

    def __init__(self, work: Work, pool: Pool, ids: Ids, failures: Failures) -> None:
        self._work = work
        self._pool = pool
        self._ids = ids
        self._failures = failures
        self._done_at: dict[int, datetime] = {}

    async def tick(self, lease: Lease, now: datetime) -> bool:
        """Ask the accounts that are due; whether all of them answered."""
        well = True
        for seat in self._work.seats.values():
            done_at = self._done_at.get(seat.account_id)
            if done_at is None or now - done_at >= EVERY:
                well = await self._ask(seat, lease, now) and well
        return well

    async def _ask(self, seat: Seat, lease: Lease, now: datetime) -> bool:
        what = f"{account_name(self._work.tenant, seat.credentials.user)} discovery"
        try:
            found = [f async for f in self._work.platform.discover(seat.api, seat.credentials)]
        except PlatformError as error:
            self._failures.failing(what, error.reason, error=str(error))
            return False
        self._failures.well(what)
        await discovery.save(self._pool, lease, self._ids, self._discovery(seat, found, now))
        self._done_at[seat.account_id] = now
        return True

    def _discovery(self, seat: Seat, found: list[Discovered], now: datetime) -> discovery.Discovery:
        storable = (channels.described(each) for each in found)
        return discovery.Discovery(
            findings=[self._finding(seat, each) for each in storable if each],
            # The tenant's own client speaks of other accounts' sight, and not of all of it.
            whole_sight_of=seat.account_id if seat.credentials.user else None,
            wanted_since=now - self._work.history,
            now=now,
        )

    def _finding(self, seat: Seat, found: Discovered) -> discovery.Finding:
        account_id: int | None = seat.account_id
        if found.seen_by is not None:
            account_id = self._work.account_of(found.seen_by)
        if account_id is None:  # nobody who is configured sees it: known, but not pulled
            found = replace(found, feeds=())
        meanings = {
            channel: channels.meaning(channel.type, channel.unit)
            for channel in found.device.channels
        }
        return discovery.Finding(found, account_id, meanings)
