"""What a discovery found: devices, feeds, who sees them, and what their channels mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from harvester.model import Channel, Device, Discovered, Feed, Meaning
from harvester.store import places
from harvester.store.catalog import Ids
from harvester.store.columns import columns
from harvester.store.leases import Lease, writing

if TYPE_CHECKING:
    from harvester.store.pool import Connection, Pool

BEFORE = timedelta(days=1)
"""What is wanted from now on is wanted from so long before: it may be under way at the platform,
whose clock may be another. To ask for it once more costs a window or two."""

_DEVICES_SEEN = """
update harvester_data.device d
set name = coalesce(seen.name, d.name), kind = coalesce(seen.kind, d.kind), last_seen_at = $4
from unnest($1::int[], $2::text[], $3::text[]) as seen(device_id, name, kind)
where d.device_id = seen.device_id
"""

_FEEDS_MADE = """
with made as (
    insert into harvester_data.feed (tenant_id, stream, key, every)
    select $1, wanted.stream, wanted.key, wanted.every
    from unnest($2::text[], $3::text[], $4::interval[]) as wanted(stream, key, every)
    where not exists (select from harvester_data.feed f
                      where f.tenant_id = $1 and f.stream = wanted.stream and f.key = wanted.key)
    order by wanted.stream, wanted.key
    returning feed_id, stream, key
)
insert into harvester_data.coverage (feed_id, wanted)
select made.feed_id, tstzmultirange(tstzrange(wanted.since, null))
from made
join unnest($2::text[], $3::text[], $5::timestamptz[]) as wanted(stream, key, since)
  on wanted.stream = made.stream and wanted.key = made.key
"""

# Time to come is wanted again of a feed that was wanted by pieces, as of any other.
_EVERY_CHANGED = """
with changed as (
    update harvester_data.feed f set every = stated.every
    from unnest($2::text[], $3::text[], $4::interval[]) as stated(stream, key, every)
    where f.tenant_id = $1 and f.stream = stated.stream and f.key = stated.key
      and f.every is distinct from stated.every
    returning f.feed_id, f.every
)
update harvester_data.coverage c
set wanted = c.wanted + tstzmultirange(tstzrange(upper(c.wanted), null))
from changed
where c.feed_id = changed.feed_id and changed.every is null and upper(c.wanted) is not null
"""

_FEEDS = """
select stream, key, feed_id from harvester_data.feed where tenant_id = $1
  and (stream, key) in (select * from unnest($2::text[], $3::text[]))
"""

_FEED_DEVICES_MADE = """
insert into harvester_data.feed_device (feed_id, device_id)
select distinct named.feed_id, named.device_id
from unnest($1::int[], $2::int[]) as named(feed_id, device_id)
where not exists (select from harvester_data.feed_device f
                  where f.feed_id = named.feed_id and f.device_id = named.device_id and f.listed)
order by 1, 2
on conflict (feed_id, device_id) do update set listed = true
"""

_SIGHT_GAINED = """
insert into harvester_data.sight (feed_id, account_id)
select distinct * from unnest($1::int[], $2::int[])
on conflict do nothing
"""

_SIGHT_LOST = """
delete from harvester_data.sight where account_id = $1 and feed_id <> all ($2::int[])
"""

# The platform says another type or unit than before: the old belief ends now, the next begins.
_INTERPRETATIONS_CLOSED = """
update harvester_data.interpretation i
set valid = tstzrange(lower(i.valid), $5)
from unnest($1::int[], $2::int[], $3::text[], $4::text[])
     as stated(device_id, series_id, stated_type, stated_unit)
where i.device_id = stated.device_id and i.series_id = stated.series_id
  and upper_inf(i.valid) and (lower_inf(i.valid) or lower(i.valid) < $5)
  and (i.stated_type <> stated.stated_type or i.stated_unit <> stated.stated_unit)
"""

# We believe something else of the same words now, or of words said at last: all of its time is
# seen anew. Where we believe nothing, what a person believed stays.
_INTERPRETATIONS_MENDED = """
update harvester_data.interpretation i
set quantity = stated.quantity, unit = stated.unit, scale = stated.scale,
    "offset" = stated."offset", enumeration = coalesce(stated.enumeration, i.enumeration),
    believed_from = $10
from unnest($1::int[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::float8[],
            $8::float8[], $9::jsonb[])
     as stated(device_id, series_id, stated_type, stated_unit, quantity, unit, scale, "offset",
               enumeration)
where i.device_id = stated.device_id and i.series_id = stated.series_id and upper_inf(i.valid)
  and (stated.quantity is not null
       or i.stated_type <> stated.stated_type or i.stated_unit <> stated.stated_unit)
  and (i.quantity, i.unit, i.scale, i."offset", i.enumeration)
      is distinct from (stated.quantity, stated.unit, stated.scale, stated."offset",
                        coalesce(stated.enumeration, i.enumeration))
"""

_WORDS_KEPT = """
update harvester_data.interpretation i
set label = coalesce(stated.label, i.label),
    stated_type = coalesce(stated.stated_type, i.stated_type),
    stated_unit = coalesce(stated.stated_unit, i.stated_unit)
from unnest($1::int[], $2::int[], $3::text[], $4::text[], $5::text[])
     as stated(device_id, series_id, label, stated_type, stated_unit)
where i.device_id = stated.device_id and i.series_id = stated.series_id and upper_inf(i.valid)
  and (i.label, i.stated_type, i.stated_unit)
      is distinct from (coalesce(stated.label, i.label),
                        coalesce(stated.stated_type, i.stated_type),
                        coalesce(stated.stated_unit, i.stated_unit))
"""

_INTERPRETATIONS_OPENED = """
insert into harvester_data.interpretation
    (device_id, series_id, valid, label, stated_type, stated_unit, quantity, unit, scale, "offset",
     enumeration, believed_from)
select stated.device_id, stated.series_id,
       tstzrange((select max(upper(i.valid)) from harvester_data.interpretation i
                  where i.device_id = stated.device_id and i.series_id = stated.series_id), null),
       stated.label, stated.stated_type, stated.stated_unit, stated.quantity, stated.unit,
       stated.scale, stated."offset", stated.enumeration, $11
from unnest($1::int[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
            $8::float8[], $9::float8[], $10::jsonb[])
     as stated(device_id, series_id, label, stated_type, stated_unit, quantity, unit, scale,
               "offset", enumeration)
where not exists (select from harvester_data.interpretation i
                  where i.device_id = stated.device_id and i.series_id = stated.series_id
                    and upper_inf(i.valid))
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of a discovery, who sees its feeds, and what each of its channels means."""

    found: Discovered
    account_id: int | None
    meanings: Mapping[Channel, Meaning | None]


@dataclass(frozen=True, slots=True)
class Discovery:
    """All that one account found. `whole_sight_of`: what it did not find, that account lost.

    It was asked at `now`, and was answered in full at `answered_at`.
    """

    findings: Sequence[Finding]
    whole_sight_of: int
    wanted_since: datetime
    now: datetime
    answered_at: datetime

    @property
    def devices(self) -> Mapping[str, Device]:
        found = (finding.found.device for finding in self.findings)
        return {device.identifier: device for device in found if device}

    def wanted_from(self, feed: Feed) -> datetime:
        """From when on a feed is wanted that is new."""
        return max(self.wanted_since, self.now - BEFORE) if feed.from_now else self.wanted_since


async def save(pool: Pool, lease: Lease, ids: Ids, discovery: Discovery) -> None:
    """Keep a discovery in one transaction; beyond the caps of `catalog` a device is left out."""
    devices = await ids.devices(lease, discovery.devices, discovery.now)
    stated = await _stated(lease, ids, discovery)
    async with writing(pool, lease) as connection:
        await _save_devices(connection, devices, discovery)
        await _save_feeds(connection, lease, devices, discovery)
        await _save_interpretations(connection, stated, discovery.now)


async def _save_devices(
    connection: Connection, devices: Mapping[str, int], discovery: Discovery
) -> None:
    rows = sorted(
        (devices[name], device.name, device.kind)
        for name, device in discovery.devices.items()
        if name in devices
    )
    await connection.execute(_DEVICES_SEEN, *columns(rows, 3), discovery.now)


async def _save_feeds(
    connection: Connection, lease: Lease, devices: Mapping[str, int], discovery: Discovery
) -> None:
    named = [
        (feed, finding.account_id)
        for finding in discovery.findings
        for feed in finding.found.feeds
        if finding.found.device is None or finding.found.device.identifier in devices
    ]
    ids = await _feed_ids(connection, lease, (feed for feed, _ in named), discovery)
    served = [
        (ids[feed.stream, feed.key], devices[device])
        for feed, _ in named
        for device in feed.devices
        if device in devices
    ]
    await connection.execute(_FEED_DEVICES_MADE, *columns(served, 2))
    placed = {ids[feed.stream, feed.key]: feed.place for feed, _ in named if feed.place}
    await places.save(connection, placed, discovery.answered_at)
    seen = [(ids[feed.stream, feed.key], account) for feed, account in named if account is not None]
    await connection.execute(_SIGHT_GAINED, *columns(seen, 2))
    own = [feed_id for feed_id, account in seen if account == discovery.whole_sight_of]
    await connection.execute(_SIGHT_LOST, discovery.whole_sight_of, own)


async def _feed_ids(
    connection: Connection, lease: Lease, named: Iterable[Feed], discovery: Discovery
) -> dict[tuple[str, str], int]:
    """By stream and key; made where they are new, and as the platform has them now."""
    feeds = {(feed.stream, feed.key): feed for feed in named}
    rows = [(*key, feed.every, discovery.wanted_from(feed)) for key, feed in feeds.items()]
    streams, keys, everies, since = columns(rows, 4)
    of = lease.tenant_id, streams, keys
    await connection.execute(_FEEDS_MADE, *of, everies, since)
    await connection.execute(_EVERY_CHANGED, *of, everies)
    found = await connection.fetch(_FEEDS, *of)
    return {(row["stream"], row["key"]): row["feed_id"] for row in found}


_Stated = tuple[object, ...]
"""device_id, series_id, label, stated type and unit; quantity, unit, scale, offset, enumeration"""


async def _stated(lease: Lease, ids: Ids, discovery: Discovery) -> list[_Stated]:
    """What is said of each series and believed of it. Nothing said takes nothing back."""
    said = {
        (finding.found.device.identifier, channel.name): (channel, meaning)
        for finding in discovery.findings
        if finding.found.device
        for channel, meaning in finding.meanings.items()
        if channel.type or channel.unit or channel.label
    }
    series = await ids.series(lease, said, discovery.now)
    keys = sorted(series, key=series.__getitem__)
    return [(*series[key], *_words(said[key][0]), *_believed(said[key][1])) for key in keys]


def _words(channel: Channel) -> tuple[str | None, ...]:
    return (channel.label or None, channel.type or None, channel.unit or None)


def _believed(meaning: Meaning | None) -> tuple[object, ...]:
    if meaning is None:
        return (None, None, 1.0, 0.0, None)
    return (meaning.quantity, meaning.unit, meaning.scale, meaning.offset, meaning.enumeration)


async def _save_interpretations(
    connection: Connection, stated: list[_Stated], now: datetime
) -> None:
    device_ids, series_ids, labels, types, units, *believed = columns(stated, 10)
    series, words = (device_ids, series_ids), (types, units)
    await connection.execute(_INTERPRETATIONS_CLOSED, *series, *words, now)
    await connection.execute(_INTERPRETATIONS_MENDED, *series, *words, *believed, now)
    await connection.execute(_WORDS_KEPT, *series, labels, *words)
    await connection.execute(_INTERPRETATIONS_OPENED, *series, labels, *words, *believed, now)
