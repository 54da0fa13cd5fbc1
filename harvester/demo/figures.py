"""What there is to see of a harvest: read from the database, as anybody could."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from harvester.config import Settings
from harvester.store.pool import translated
from harvester.store.streams import Standing, standings

if TYPE_CHECKING:
    from harvester.store.pool import Pool

SPAN = timedelta(hours=1)
"""Progress is counted in spans: an hour of one feed."""

_STORED = """
select (select count(*) from harvester_data.reading)
     + (select count(*) from harvester_data.reading_text)
"""
_LAST_HOUR = """
select tenant, count(*) as readings from harvester.readings
where ts >= now() - interval '1 hour' group by tenant
"""
_NEWEST = """
select to_char(ts, 'HH24:MI:SS') as at, tenant, device_name as device,
       coalesce(quantity, channel) as measured,
       coalesce(round(value::numeric, 2)::text, text) as value, unit
from (select distinct on (tenant, device) *
      from harvester.latest_readings
      where value is not null or text is not null
      order by tenant, device, ts desc, coalesce(quantity, channel) !~* 'temperature',
               coalesce(quantity, channel) ~* '(rssi|snr)', channel) one_a_device
order by ts desc, tenant, device
limit 8
"""


@dataclass(frozen=True, slots=True)
class Backfill:
    """How far the first harvest is. `pulled` counts what is lost too: nobody waits for that.

    `wanted` is 0 until the devices are known.
    """

    pulled: int
    wanted: int
    stored: int
    done: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One tenant: how its readings stand, the number of its accounts, and of the last hour's."""

    standing: Standing
    accounts: int
    last_hour: int


@dataclass(frozen=True, slots=True)
class Picture:
    """All tenants, and one of the newest values of each device, by columns; newest first.

    A temperature where there is one, so that a thing is told of alike wherever it is.
    """

    lines: list[Line]
    newest: Sequence[Mapping[str, str | None]]


async def backfill(pool: Pool, settings: Settings) -> Backfill:
    """Raises StoreUnavailable."""
    names = [tenant.name for tenant in settings.tenants]
    found = await standings(pool, names)
    with translated():
        stored: int = await pool.fetchval(_STORED)
    ended = [each.succeeded_at for each in found]
    return Backfill(
        pulled=sum((each.pulled + each.lost) // SPAN for each in found),
        wanted=sum(each.wanted // SPAN for each in found),
        stored=stored,
        done={each.tenant for each in found} == set(names) and None not in ended,
    )


async def picture(pool: Pool, settings: Settings) -> Picture:
    """Raises StoreUnavailable."""
    accounts = {tenant.name: len(tenant.accounts) for tenant in settings.tenants}
    found = await standings(pool, list(accounts))
    with translated():
        last_hour = {each["tenant"]: each["readings"] for each in await pool.fetch(_LAST_HOUR)}
        newest = [dict(each) for each in await pool.fetch(_NEWEST)]
    lines = [
        Line(each, accounts[each.tenant], last_hour.get(each.tenant, 0))
        for each in found
        if each.stream == "readings"
    ]
    return Picture(lines, newest)
