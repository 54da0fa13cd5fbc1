"""The accounts of one tenant: their tokens, kept alive also while no job asks for any."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from contextlib import suppress
from datetime import datetime

from prometheus_client import Gauge

from harvester import metrics
from harvester.auth import AccountApi, Keeper, Shared
from harvester.client import Client
from harvester.config import Tenant
from harvester.errors import PlatformError
from harvester.harvest import Seat
from harvester.model import Credentials
from harvester.platforms.base import Access
from harvester.service.credentials import account_of, credentials_of
from harvester.service.house import House
from harvester.store import catalog
from harvester.store.leases import Lease

_MEASURED = (
    metrics.ACCESS_REMAINING,
    metrics.REFRESH_REMAINING,
    metrics.SESSION_REMAINING,
    metrics.LOGINS_LEFT,
)


class Accounts:
    """Seated once the tenant is held: then each has an id, and a keeper of its token."""

    def __init__(self, house: House, settings: Tenant, adapter: Access, client: Client) -> None:
        self._house = house
        self._settings = settings
        self._adapter = adapter
        self._client = client
        self._users, self._own = Shared(), Shared()
        self._turn = asyncio.Lock()
        self._keepers: list[Keeper] = []
        self.seats: dict[int, Seat] = {}

    async def seat(self, lease: Lease) -> None:
        """Make the accounts known to the database, once. Raises Fenced, StoreUnavailable."""
        async with self._turn:
            if self._keepers:
                return
            known = credentials_of(self._settings, self._adapter)
            ids = await catalog.accounts(self._house.pool, lease, [each.user for each in known])
            self.seats = {ids[each.user]: self._seat(ids[each.user], each) for each in known}

    async def keep(self) -> None:
        """Renew side by side what would die before a job asks for it.

        What a platform refuses is told by its keeper. Raises StoreUnavailable.
        """
        kept = [_kept(keeper.keep()) for keeper in self._keepers]
        for result in await asyncio.gather(*kept, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result

    async def settle(self) -> None:
        """Save what waits for the database: it may be in memory only. Raises StoreUnavailable."""
        for keeper in self._keepers:
            with suppress(PlatformError):
                await keeper.settle()

    def try_again(self) -> None:
        """A person wants all that was refused tried once more."""
        for keeper in self._keepers:
            keeper.try_again()

    def measure(self, now: datetime) -> None:
        """How long the tokens last, and how often the passwords may still be refused.

        What is not known has no series.
        """
        of = self._settings.name, self._settings.platform
        held = [keeper.held for keeper in self._keepers if keeper.held]
        access = [each.token.expires_at for each in held]
        refresh = [each.refresh_ends_at for each in held if each.token.refresh_token]
        sessions = [keeper.session_ends_at for keeper in self._keepers]
        _set(metrics.ACCESS_REMAINING, of, access, now)
        _set(metrics.REFRESH_REMAINING, of, refresh, now)
        _set(metrics.SESSION_REMAINING, of, sessions, now)
        left = [keeper.tries_left for keeper in self._keepers]
        if left:
            metrics.LOGINS_LEFT.labels(*of).set(min(left))

    def unmeasure(self) -> None:
        """Another instance renews the tokens: of those that are held here nothing more is true."""
        for gauge in _MEASURED:
            gauge.remove(self._settings.name, self._settings.platform)

    def leave(self) -> None:
        """Count them no more."""
        for keeper in self._keepers:
            keeper.leave()

    def _seat(self, account_id: int, credentials: Credentials) -> Seat:
        house, shared = self._house, self._own if credentials.user is None else self._users
        account = account_of(
            self._settings, credentials, account_id, deployment=house.deployment, owner=house.owner
        )
        ways = self._adapter, self._client, house.pool, house.keys, house.clock
        keeper = Keeper(account, *ways, shared, house.spills)
        self._keepers.append(keeper)
        return Seat(account_id, credentials, AccountApi(keeper, self._client))


async def _kept(asked: Awaitable[object]) -> None:
    with suppress(PlatformError):
        await asked


def _set(gauge: Gauge, of: tuple[str, str], ends: Iterable[datetime | None], now: datetime) -> None:
    known = [end for end in ends if end is not None]
    if known:
        gauge.labels(*of).set((min(known) - now).total_seconds())
    else:
        gauge.remove(*of)
