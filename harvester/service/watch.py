"""What is measured now and then, for Prometheus: how the tenants stand, and the database."""

from __future__ import annotations

from datetime import datetime

from harvester import metrics
from harvester.errors import StoreUnavailable
from harvester.model import Stream
from harvester.service.house import House
from harvester.service.tenants import Tenants
from harvester.store.streams import Standing, standings


class Watch:
    """Measures. What was never measured has no series: a zero would be a lie."""

    def __init__(self, house: House, tenants: Tenants) -> None:
        self._house = house
        self._tenants = tenants
        self._pulled_until: dict[tuple[str, Stream], datetime] = {}

    async def look(self) -> None:
        """Measure all of it once. The lag grows, even while the database is away.

        Raises StoreUnavailable where the database answers, and not to this.
        """
        self._tenants.scheduler.wake()
        try:
            if await self._house.presence.look():
                await self._measure()
        except StoreUnavailable:
            if await self._house.presence.look():
                raise
        finally:
            self._lag()
            self._connections()
            for tenant in self._tenants:
                tenant.measure()

    async def _measure(self) -> None:
        found = await standings(self._house.pool, self._names())
        names = self._names()  # one that was removed meanwhile must not come back as a series
        self._pulled_until.clear()
        for standing in found:
            if standing.tenant in names:
                self._stands(standing)

    def _stands(self, standing: Standing) -> None:
        of = standing.tenant, standing.stream
        metrics.MISSING.labels(*of).set(standing.missing.total_seconds())
        metrics.LOST.labels(*of).set(standing.lost.total_seconds())
        metrics.DEVICES.labels(standing.tenant).set(standing.devices)
        well = standing.feeds - standing.failing - standing.unseen
        feeds = zip(metrics.FEED_STATES, (well, standing.failing, standing.unseen), strict=True)
        for state, count in feeds:
            metrics.FEEDS.labels(*of, state).set(count)
        if standing.pulled_until is not None:
            self._pulled_until[of] = standing.pulled_until
        else:
            metrics.LAG.remove(*of)  # nothing of it can be pulled, so nothing lags

    def _lag(self) -> None:
        now, names = self._house.clock.now(), self._names()
        for (tenant, stream), until in self._pulled_until.items():
            if tenant in names:
                lag = max(0.0, (now - until).total_seconds())
                metrics.LAG.labels(tenant, stream).set(lag)

    def _connections(self) -> None:
        size, idle = self._house.pool.get_size(), self._house.pool.get_idle_size()
        metrics.DATABASE_CONNECTIONS.labels("idle").set(idle)
        metrics.DATABASE_CONNECTIONS.labels("used").set(size - idle)

    def _names(self) -> list[str]:
        return [tenant.name for tenant in self._tenants]
