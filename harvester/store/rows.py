"""The rows of a group of batches, and the statements that write them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING

import asyncpg

from harvester.model import Counts, Reading, Rejection, Window
from harvester.store.catalog import SeriesKey
from harvester.store.columns import columns

if TYPE_CHECKING:
    from harvester.store.pool import Connection

MOST_REJECTED = 10_000
"""Rejections of a feed that are kept; what comes after is counted only."""

Key = tuple[int, int, datetime]
"""device_id, series_id, ts: the key of a reading"""

# Nested loops look each row up by its key. A hash join, which the planner likes while the tables
# are small, would read all of `reading` for every group.
_BY_KEY = "set local enable_hashjoin = off; set local enable_mergejoin = off"

_WITH_TEXT = """
select device_id from unnest($1::int[]) as wanted(device_id)
where exists (select from harvester_data.reading_text t where t.device_id = wanted.device_id)
"""

# What is there already is looked at first, so that an unchanged row is not even locked, and what
# is corrected can be told from what is new. A command tag would not do: Citus reports rows read.
# $5 are the devices that have text at all.
_NUMBERS = """
with stage as materialized (
    select s.device_id, s.series_id, s.ts, s.value, r.value as was
    from unnest($1::int[], $2::int[], $3::timestamptz[], $4::float8[])
         as s(device_id, series_id, ts, value)
    left join harvester_data.reading r
           on r.device_id = s.device_id and r.series_id = s.series_id and r.ts = s.ts
), was_text as (
    delete from harvester_data.reading_text t using stage s
    where s.device_id = any ($5::int[])
      and t.device_id = s.device_id and t.series_id = s.series_id and t.ts = s.ts
    returning 1
), written as (
    insert into harvester_data.reading as r (device_id, series_id, ts, value)
    select device_id, series_id, ts, value from stage where was is distinct from value
    order by device_id, series_id, ts
    on conflict (device_id, series_id, ts) do update set value = excluded.value
)
select count(*) filter (where was is distinct from value) as written,
       count(*) filter (where was <> value) + (select count(*) from was_text) as corrected
from stage
"""

_TEXTS = """
with stage as materialized (
    select s.device_id, s.series_id, s.ts, s.value, t.value as was
    from unnest($1::int[], $2::int[], $3::timestamptz[], $4::text[])
         as s(device_id, series_id, ts, value)
    left join harvester_data.reading_text t
           on t.device_id = s.device_id and t.series_id = s.series_id and t.ts = s.ts
), was_number as (
    delete from harvester_data.reading r using stage s
    where r.device_id = s.device_id and r.series_id = s.series_id and r.ts = s.ts
    returning 1
), written as (
    insert into harvester_data.reading_text as t (device_id, series_id, ts, value)
    select device_id, series_id, ts, value from stage where was is distinct from value
    order by device_id, series_id, ts
    on conflict (device_id, series_id, ts) do update set value = excluded.value
)
select count(*) filter (where was is distinct from value) as written,
       count(*) filter (where was <> value) + (select count(*) from was_number) as corrected
from stage
"""

_REJECTED = """
with said as (
    select distinct on (feed_id, digest) *
    from unnest($1::int[], $2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                $8::timestamptz[])
         as r(feed_id, digest, device, channel, reason, stated_instant, value, rejected_at)
    order by feed_id, digest, rejected_at
), unknown as (
    select s.*, row_number() over (partition by s.feed_id order by s.digest) as place
    from said s
    where not exists (select from harvester_data.rejected k
                      where k.feed_id = s.feed_id and k.digest = s.digest)
), kept as (
    select k.feed_id, count(*) as n from harvester_data.rejected k
    where k.feed_id = any ($1::int[]) group by k.feed_id
)
insert into harvester_data.rejected
    (feed_id, digest, device, channel, reason, stated_instant, value, rejected_at)
select u.feed_id, u.digest, u.device, u.channel, u.reason, u.stated_instant, u.value, u.rejected_at
from unknown u left join kept on kept.feed_id = u.feed_id
where u.place + coalesce(kept.n, 0) <= $9
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
                continue
            key = (*found, reading.instant)
            if _goes_straight(reading, straight_in) and key not in self.staged:
                self.straight.append((*key, float(reading.value)))
            else:
                self.stage(key, reading.value)

    def stage(self, key: Key, value: float | str) -> None:
        if key in self.staged:
            same = self.staged[key] == value
            self.unchanged += same
            self.corrected += not same
        self.staged[key] = value

    def stage_straight(self, device_ids: frozenset[int] | None = None) -> None:
        """Send rows of these devices (None: of all) the checked way after all."""
        moved = [row for row in self.straight if device_ids is None or row[0] in device_ids]
        if not moved:
            return
        gone = {row[0] for row in moved}
        self.straight = [row for row in self.straight if row[0] not in gone]
        # What is staged came later than what went straight under the same key.
        later, self.staged = self.staged, {}
        for device_id, series_id, ts, value in moved:
            self.stage((device_id, series_id, ts), value)
        for key, said in later.items():
            self.stage(key, said)

    def days(self) -> set[datetime]:
        """One instant of each day that has a number: partitions begin and end at midnight, UTC."""
        found = {row[2].date() for row in self.straight}
        found |= {key[2].date() for key, value in self.staged.items() if isinstance(value, float)}
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
    await connection.execute(_BY_KEY)
    with_text = await _with_text(connection, rows)
    rows.stage_straight(with_text)
    path, copied = await _copy(connection, rows)
    numbers = [(*key, value) for key, value in rows.staged.items() if isinstance(value, float)]
    texts = [(*key, value) for key, value in rows.staged.items() if isinstance(value, str)]
    counts = Counts(copied, rows.corrected, rows.unchanged, len(rows.rejected))
    counts += await _checked(connection, _NUMBERS, numbers, sorted(with_text))
    counts += await _checked(connection, _TEXTS, texts)
    await _reject(connection, rows.rejected)
    return counts, path


async def _with_text(connection: Connection, rows: Rows) -> frozenset[int]:
    """Those devices of the rows that have text, or get some now."""
    texts = {key[0] for key, value in rows.staged.items() if isinstance(value, str)}
    numbers = {row[0] for row in rows.straight} | {key[0] for key in rows.staged}
    unknown = sorted(numbers - texts)
    found = await connection.fetch(_WITH_TEXT, unknown) if unknown else []
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
    connection: Connection,
    statement: str,
    rows: Sequence[tuple[int, int, datetime, object]],
    *more: object,
) -> Counts:
    if not rows:
        return Counts()
    written, corrected = await connection.fetchrow(statement, *columns(rows, 4), *more) or (0, 0)
    return Counts(stored=written - corrected, corrected=corrected, unchanged=len(rows) - written)


async def _reject(
    connection: Connection, rejected: Sequence[tuple[int, Rejection, datetime]]
) -> None:
    if rejected:
        rows = [
            (feed_id, _digest(r), r.device, r.channel, r.reason, r.stated_instant, r.value, at)
            for feed_id, r, at in rejected
        ]
        await connection.execute(_REJECTED, *columns(rows, 8), MOST_REJECTED)


def _digest(rejection: Rejection) -> bytes:
    parts = (rejection.device, rejection.channel, rejection.reason)
    said = (rejection.stated_instant, rejection.value)
    return hashlib.sha256("\0".join(parts + said).encode()).digest()
