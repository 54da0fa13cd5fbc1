"""The rows of a group of batches, and the statements that write them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING

import asyncpg

from harvester.model import Counts, Reading, Rejection, Window

if TYPE_CHECKING:
    from harvester.store.pool import Connection

MOST_REJECTED = 10_000
"""Rejections of a feed that are kept; what comes after is counted only."""

Key = tuple[int, int, datetime]
"""device_id, series_id, ts: the key of a reading"""
SeriesKey = tuple[int, int]
"""device_id, series_id"""

_WITH_TEXT = """
select device_id from unnest($1::int[]) as wanted(device_id)
where exists (select from harvester_data.reading_text t where t.device_id = wanted.device_id)
"""

# All parts of a statement see the table as it was before it, so `differing` counts what the
# upsert is about to change. A command tag would not do: Citus reports rows read there.
_NUMBERS = """
with stage as materialized (
    select * from unnest($1::int[], $2::int[], $3::timestamptz[], $4::float8[])
         as s(device_id, series_id, ts, value)
), was_text as (
    delete from harvester_data.reading_text t using stage s
    where t.device_id = s.device_id and t.series_id = s.series_id and t.ts = s.ts
    returning 1
), differing as (
    select count(*) as n
    from stage s join harvester_data.reading r using (device_id, series_id, ts)
    where r.value is distinct from s.value
), written as (
    insert into harvester_data.reading as r (device_id, series_id, ts, value)
    select * from stage order by device_id, series_id, ts
    on conflict (device_id, series_id, ts) do update set value = excluded.value
    where r.value is distinct from excluded.value
    returning 1
)
select (select count(*) from written) as written,
       (select n from differing) + (select count(*) from was_text) as corrected
"""

_TEXTS = """
with stage as materialized (
    select * from unnest($1::int[], $2::int[], $3::timestamptz[], $4::text[])
         as s(device_id, series_id, ts, value)
), was_number as (
    delete from harvester_data.reading r using stage s
    where r.device_id = s.device_id and r.series_id = s.series_id and r.ts = s.ts
    returning 1
), differing as (
    select count(*) as n
    from stage s join harvester_data.reading_text t using (device_id, series_id, ts)
    where t.value is distinct from s.value
), written as (
    insert into harvester_data.reading_text as t (device_id, series_id, ts, value)
    select * from stage order by device_id, series_id, ts
    on conflict (device_id, series_id, ts) do update set value = excluded.value
    where t.value is distinct from excluded.value
    returning 1
)
select (select count(*) from written) as written,
       (select n from differing) + (select count(*) from was_number) as corrected
"""

_REJECTED = """
insert into harvester_data.rejected
    (feed_id, digest, device, channel, reason, stated_instant, value, rejected_at)
select distinct on (r.feed_id, r.digest) r.*
from unnest($1::int[], $2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
            $8::timestamptz[])
     as r(feed_id, digest, device, channel, reason, stated_instant, value, rejected_at)
where (select count(*) from harvester_data.rejected k where k.feed_id = r.feed_id) < $9
order by r.feed_id, r.digest
on conflict (feed_id, digest) do nothing
"""


@dataclass(slots=True)
class Rows:
    """What one transaction writes. `staged` has one value a key; of two, the later one.

    `straight` are numbers of time that was never pulled, of series that no other feed serves.
    """

    straight: list[tuple[int, int, datetime, float]] = field(default_factory=list)
    staged: dict[Key, float | str] = field(default_factory=dict)
    rejected: list[tuple[int, Rejection, datetime]] = field(default_factory=list)
    corrected: int = 0
    unchanged: int = 0

    def add(
        self,
        readings: Iterable[Reading],
        ids: Mapping[tuple[str, str], SeriesKey],
        straight_in: Window | None,
    ) -> Iterator[Reading]:
        """Take readings in; what has no id, being beyond a cap, is handed back."""
        for reading in readings:
            found = ids.get((reading.device, reading.channel))
            if found is None:
                yield reading
            elif _goes_straight(reading, straight_in):
                self.straight.append((*found, reading.instant, float(reading.value)))
            else:
                self.stage((*found, reading.instant), reading.value)

    def stage(self, key: Key, value: float | str) -> None:
        if key in self.staged:
            same = self.staged[key] == value
            self.unchanged += same
            self.corrected += not same
        self.staged[key] = value

    def stage_straight(self, device_ids: frozenset[int] | None = None) -> None:
        """Send rows of these devices (None: of all) the checked way after all."""
        moved = [row for row in self.straight if device_ids is None or row[0] in device_ids]
        if moved:
            kept = (
                [] if device_ids is None else [r for r in self.straight if r[0] not in device_ids]
            )
            self.straight = kept
            for device_id, series_id, ts, value in moved:
                self.stage((device_id, series_id, ts), value)

    def days(self) -> set[datetime]:
        """One instant of each day that has a number: partitions begin and end at midnight, UTC."""
        found = {row[2].date() for row in self.straight} | {key[2].date() for key in self.staged}
        return {datetime.combine(day, time(), UTC) for day in found}


def _goes_straight(reading: Reading, straight_in: Window | None) -> bool:
    return (
        straight_in is not None
        and isinstance(reading.value, float)
        and straight_in.since <= reading.instant < straight_in.until
    )


async def write(connection: Connection, rows: Rows) -> tuple[Counts, str]:
    """Write all rows in the caller's transaction; what became of them, and the way they went.

    A number and a text must never stand at one instant of a series, so devices that have text
    go the checked way whole.
    """
    rows.stage_straight(await _with_text(connection, rows))
    path, copied = await _copy(connection, rows)
    numbers = [(*key, value) for key, value in rows.staged.items() if isinstance(value, float)]
    texts = [(*key, value) for key, value in rows.staged.items() if isinstance(value, str)]
    counts = Counts(copied, rows.corrected, rows.unchanged, len(rows.rejected))
    counts += await _checked(connection, _NUMBERS, numbers)
    counts += await _checked(connection, _TEXTS, texts)
    await _reject(connection, rows.rejected)
    return counts, path


async def _with_text(connection: Connection, rows: Rows) -> frozenset[int]:
    devices = sorted({row[0] for row in rows.straight})
    if not devices:
        return frozenset()
    texts = {key[0] for key, value in rows.staged.items() if isinstance(value, str)}
    found = await connection.fetch(_WITH_TEXT, devices)
    return frozenset(texts.union(row["device_id"] for row in found))


async def _copy(connection: Connection, rows: Rows) -> tuple[str, int]:
    """Copy what goes straight; where a row stands there already, all of it is checked instead."""
    if not rows.straight:
        return "staged", 0
    try:
        async with connection.transaction():
            await connection.copy_records_to_table(
                "reading",
                schema_name="harvester_data",
                columns=["device_id", "series_id", "ts", "value"],
                records=rows.straight,
            )
    except asyncpg.UniqueViolationError:
        rows.stage_straight()
        return "fell_back", 0
    return "straight", len(rows.straight)


async def _checked(
    connection: Connection, statement: str, rows: Sequence[tuple[int, int, datetime, object]]
) -> Counts:
    if not rows:
        return Counts()
    written, corrected = await connection.fetchrow(statement, *_columns(rows, 4)) or (0, 0)
    return Counts(stored=written - corrected, corrected=corrected, unchanged=len(rows) - written)


async def _reject(
    connection: Connection, rejected: Sequence[tuple[int, Rejection, datetime]]
) -> None:
    if rejected:
        rows = [
            (feed_id, _digest(r), r.device, r.channel, r.reason, r.stated_instant, r.value, at)
            for feed_id, r, at in rejected
        ]
        await connection.execute(_REJECTED, *_columns(rows, 8), MOST_REJECTED)


def _digest(rejection: Rejection) -> bytes:
    parts = (rejection.device, rejection.channel, rejection.reason)
    said = (rejection.stated_instant, rejection.value)
    return hashlib.sha256("\0".join(parts + said).encode()).digest()


def _columns(rows: Sequence[tuple[object, ...]], width: int) -> list[list[object]]:
    """Rows as columns, for `unnest`."""
    return [[row[i] for row in rows] for i in range(width)]
