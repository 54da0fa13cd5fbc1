"""The rows that name things: tenants and their accounts, devices and their series.

Ids are looked up first and made in a transaction of their own, in sorted order, so that two
writers cannot deadlock, no id is burnt on what exists, and none is known that was rolled back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from harvester.errors import ConfigError
from harvester.store.columns import columns
from harvester.store.leases import Lease, writing
from harvester.store.pool import translated

if TYPE_CHECKING:
    from harvester.store.pool import Pool

MOST_DEVICES = 200_000
"""Of a tenant: a platform cannot make us create devices without end."""
MOST_SERIES = 1_000
"""Of a device."""

_TENANT_MADE = """
insert into harvester_data.tenant (name, platform)
select $1, $2 where not exists (select from harvester_data.tenant where name = $1)
on conflict (name) do nothing
"""

# A statement of its own: the one before does not see what another instance made meanwhile.
_TENANT = "select tenant_id, platform from harvester_data.tenant where name = $1"

_ACCOUNTS_MADE = """
insert into harvester_data.account (tenant_id, user_name)
select $1, wanted.user_name from unnest($2::text[]) as wanted(user_name)
where not exists (select from harvester_data.account a
                  where a.tenant_id = $1 and a.user_name is not distinct from wanted.user_name)
on conflict (tenant_id, user_name) do nothing
"""

# What an account that is no longer configured saw, another must take over.
_SIGHT_DROPPED = """
delete from harvester_data.sight s using harvester_data.account a
where a.account_id = s.account_id and a.tenant_id = $1
  and not exists (select from unnest($2::text[]) as kept(user_name)
                  where kept.user_name is not distinct from a.user_name)
"""

_ACCOUNTS = """
select account_id, user_name from harvester_data.account where tenant_id = $1
"""

_DEVICES = """
select d.identifier, d.device_id
from unnest($2::text[]) as wanted(identifier)
join harvester_data.device d on d.tenant_id = $1 and d.identifier = wanted.identifier
"""

_DEVICES_MADE = """
insert into harvester_data.device (tenant_id, identifier, first_seen_at, last_seen_at)
select $1, wanted.identifier, $3, $3
from (select identifier, row_number() over (order by identifier) as place
      from unnest($2::text[]) as u(identifier)
      where not exists (select from harvester_data.device d
                        where d.tenant_id = $1 and d.identifier = u.identifier)) wanted
where wanted.place + (select count(*) from harvester_data.device where tenant_id = $1) <= $4
order by wanted.identifier
on conflict (tenant_id, identifier) do nothing
"""

_SERIES = """
select s.device_id, s.channel, s.series_id
from unnest($1::int[], $2::text[]) as wanted(device_id, channel)
join harvester_data.series s on s.device_id = wanted.device_id and s.channel = wanted.channel
"""

_SERIES_MADE = """
insert into harvester_data.series (device_id, channel)
select wanted.device_id, wanted.channel
from (select device_id, channel,
             row_number() over (partition by device_id order by channel) as place
      from unnest($1::int[], $2::text[]) as u(device_id, channel)
      where not exists (select from harvester_data.series s
                        where s.device_id = u.device_id and s.channel = u.channel)) wanted
where wanted.place
      + (select count(*) from harvester_data.series s where s.device_id = wanted.device_id) <= $3
order by wanted.device_id, wanted.channel
on conflict (device_id, channel) do nothing
"""

# A feed that goes over what others tell serves no device: they do.
_SERVED = """
insert into harvester_data.feed_device (feed_id, device_id, listed)
select found.feed_id, found.device_id, false
from unnest($1::int[], $2::int[]) as found(feed_id, device_id)
join harvester_data.feed f on f.feed_id = found.feed_id and f.every is null
order by found.feed_id, found.device_id
on conflict do nothing
"""


async def tenant(pool: Pool, name: str, platform: str) -> int:
    """The id of a tenant, made where it is new. Raises ConfigError where its platform changed."""
    with translated():
        await pool.execute(_TENANT_MADE, name, platform)
        [(tenant_id, known)] = await pool.fetch(_TENANT, name)
    if known != platform:
        raise ConfigError(
            f"Tenant {name} is on {known} in this database, and on {platform} in the configuration."
            " A tenant cannot move to another platform: give the new one a new name."
        )
    return int(tenant_id)


async def accounts(pool: Pool, lease: Lease, users: Sequence[str | None]) -> dict[str | None, int]:
    """The ids of the configured accounts; None is the tenant's own client."""
    async with writing(pool, lease) as connection:
        await connection.execute(_ACCOUNTS_MADE, lease.tenant_id, users)
        await connection.execute(_SIGHT_DROPPED, lease.tenant_id, users)
        rows = await connection.fetch(_ACCOUNTS, lease.tenant_id)
    return {row["user_name"]: row["account_id"] for row in rows if row["user_name"] in users}


async def account(pool: Pool, tenant_id: int, user: str) -> int:
    """The id of one account, made where it is new, whoever works the tenant."""
    with translated():
        await pool.execute(_ACCOUNTS_MADE, tenant_id, [user])
        rows = await pool.fetch(_ACCOUNTS, tenant_id)
    return next(int(row["account_id"]) for row in rows if row["user_name"] == user)


SeriesKey = tuple[int, int]
"""(device_id, series_id)"""


class Ids:
    """The ids of one tenant's devices and series, and which feeds serve which devices, remembered:
    some hundred bytes a series, and fewer a device of a feed."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._devices: dict[str, int] = {}
        self._series: dict[tuple[int, str], int] = {}
        self._served: defaultdict[int, set[int]] = defaultdict(set)
        """Device ids by feed: what was once seen to, and is in the database if it belongs there."""

    def forget(self) -> None:
        """After the database was away: what answers now may be a server that lags behind."""
        self._devices.clear()
        self._series.clear()
        self._served.clear()

    async def devices(
        self, lease: Lease, identifiers: Iterable[str], now: datetime
    ) -> dict[str, int]:
        """The ids of these devices, made where they are new; beyond the cap a device has none."""
        wanted = set(identifiers)
        unknown = sorted(wanted - self._devices.keys())
        if unknown:
            await self._find_devices(lease, unknown)
        missing = [identifier for identifier in unknown if identifier not in self._devices]
        if missing:
            async with writing(self._pool, lease) as connection:
                await connection.execute(_DEVICES_MADE, lease.tenant_id, missing, now, MOST_DEVICES)
            await self._find_devices(lease, missing)
        return {name: self._devices[name] for name in wanted if name in self._devices}

    async def series(
        self, lease: Lease, channels: Iterable[tuple[str, str]], now: datetime
    ) -> dict[tuple[str, str], SeriesKey]:
        """(device_id, series_id) of these (device, channel); beyond a cap there is none."""
        wanted = set(channels)
        devices = await self.devices(lease, {device for device, _ in wanted}, now)
        keys = {
            (device, channel): (devices[device], channel)
            for device, channel in wanted
            if device in devices
        }
        await self._ensure_series(lease, sorted(set(keys.values()) - self._series.keys()))
        return {
            named: (key[0], self._series[key]) for named, key in keys.items() if key in self._series
        }

    async def serve(self, lease: Lease, found: Mapping[int, set[int]]) -> None:
        """Keep that these feeds tell of these devices, whether a discovery had named them or not.

        Raises Fenced, StoreUnavailable.
        """
        new = [
            (feed_id, device_id)
            for feed_id, device_ids in found.items()
            for device_id in device_ids - self._served[feed_id]
        ]
        if not new:
            return
        async with writing(self._pool, lease) as connection:
            await connection.execute(_SERVED, *map(list, zip(*new, strict=True)))
        for feed_id, device_id in new:
            self._served[feed_id].add(device_id)

    async def _ensure_series(self, lease: Lease, unknown: list[tuple[int, str]]) -> None:
        if unknown:
            await self._find_series(unknown)
        missing = [key for key in unknown if key not in self._series]
        if missing:
            async with writing(self._pool, lease) as connection:
                await connection.execute(_SERIES_MADE, *columns(missing, 2), MOST_SERIES)
            await self._find_series(missing)

    async def _find_devices(self, lease: Lease, identifiers: list[str]) -> None:
        with translated():
            rows = await self._pool.fetch(_DEVICES, lease.tenant_id, identifiers)
        self._devices.update((row["identifier"], row["device_id"]) for row in rows)

    async def _find_series(self, keys: list[tuple[int, str]]) -> None:
        with translated():
            rows = await self._pool.fetch(_SERIES, *columns(keys, 2))
        self._series.update(((row["device_id"], row["channel"]), row["series_id"]) for row in rows)
