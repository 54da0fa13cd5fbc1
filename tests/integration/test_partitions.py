"""Partitions of `reading` are there before the rows that need them, and wait for nobody."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from fix_postgres import Connection
from fix_store import T0, Site, at, batch, tenant

from harvester.model import BEGINNING, Spans, Window
from harvester.store.partitions import Partitions, Width
from harvester.store.spans import from_multirange

DAY = 1440  # minutes


async def spans(connection: Connection) -> Spans:
    rows = await connection.fetch(
        "select span from harvester_data.reading_partitions() order by span"
    )
    return from_multirange(row["span"] for row in rows)


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        ("month", [("2024-02-01", "2024-03-01"), ("2024-12-01", "2025-01-01")]),
        ("week", [("2024-02-26", "2024-03-04"), ("2024-12-30", "2025-01-06")]),
        ("day", [("2024-02-29", "2024-03-01"), ("2024-12-31", "2025-01-01")]),
    ],
)
async def test_a_partition_is_as_wide_as_set_whatever_the_sessions_zone(
    site: Site, connection: Connection, width: Width, expected: list[tuple[str, str]]
) -> None:
    await connection.execute("set timezone = 'Pacific/Kiritimati'; set datestyle = 'German'")
    instants = [day("2024-02-29 23:59:59.999999"), day("2024-12-31")]
    for instant in instants:
        made = "select harvester_data.make_reading_partition($1, $2)"
        await connection.execute(made, instant, width)
    await Partitions(site.pool, width).ensure(instants)
    found = tuple(Window(day(one), day(other)) for one, other in expected)
    assert await spans(connection) == found


async def test_neighbours_of_another_width_keep_what_they_have(
    site: Site, connection: Connection
) -> None:
    """The setting went from day to month, to week, and back to day."""
    for width, dates in (
        ("day", ["2026-03-10", "2026-03-20"]),
        ("month", ["2026-03-15", "2026-03-02", "2026-03-31"]),
        ("week", ["2026-04-01", "2026-03-30"]),
        ("day", ["2026-04-06", "2026-04-30"]),
    ):
        await Partitions(site.pool, width).ensure(map(day, dates))  # type: ignore[arg-type]
    found = await spans(connection)
    assert all(one.until <= other.since for one, other in pairwise(found))
    assert [(each.since.day, each.until.day) for each in found[:5]] == [
        (1, 10), (10, 11), (11, 20), (20, 21), (21, 1),
    ]  # fmt: skip
    assert Window(day("2026-04-01"), day("2026-04-06")) in found


async def test_readings_find_their_partitions_across_the_years(
    site: Site, connection: Connection
) -> None:
    async with tenant(site.pool, width="week") as other:
        feed = await other.feed("one")
        minutes = [DAY * days for days in (-9000, -365, -1, 0, 1, 400)]
        await other.write(batch(feed, *(("one", "temp", minute, 1.0) for minute in minutes)))
        assert [key[2] for key in sorted(await other.held())] == [at(minute) for minute in minutes]
    assert len(await spans(connection)) == 4


async def test_text_needs_no_partition(site: Site, connection: Connection) -> None:
    feed = await site.feed("one")
    await site.write(batch(feed, ("one", "door", 0, "open"), ("one", "door", -9000 * DAY, "shut")))
    assert await spans(connection) == ()


async def test_of_many_who_need_the_same_partition_one_makes_it(
    site: Site, connection: Connection
) -> None:
    instants = [T0 + timedelta(days=days) for days in range(0, 60, 10)]
    await asyncio.gather(*(Partitions(site.pool, "month").ensure(instants) for _ in range(6)))
    assert len(await spans(connection)) == 2


async def test_a_partition_is_made_while_somebody_reads_for_long(
    site: Site, connection: Connection
) -> None:
    feed = await site.feed("one")
    await site.write(batch(feed, ("one", "temp", 0, 1.0)))
    async with connection.transaction():
        assert await connection.fetchval("select count(*) from harvester.readings") == 1
        later = batch(feed, ("one", "temp", 40 * DAY, 2.0))
        await asyncio.wait_for(site.write(later), 5)
    assert await connection.fetchval("select count(*) from harvester.readings") == 2


async def test_a_partition_made_by_hand_is_used_as_it_is(
    site: Site, connection: Connection
) -> None:
    await connection.execute(
        "create table harvester_data.archive partition of harvester_data.reading"
        " for values from (minvalue) to ('2026-01-01 00:00+00')"
    )
    feed = await site.feed("one")
    await site.write(batch(feed, ("one", "temp", -3000 * DAY, 1.0), ("one", "temp", 0, 1.0)))
    assert await connection.fetchval("select count(*) from harvester_data.archive") == 1
    assert (await spans(connection))[0] == Window(BEGINNING, day("2026-01-01"))


async def test_a_partition_that_was_dropped_is_made_again(
    site: Site, connection: Connection
) -> None:
    feed = await site.feed("one")
    for fresh in (True, False):
        await site.write(batch(feed, ("one", "temp", 0, 1.0), fresh=fresh))
        await connection.execute("drop table harvester_data.reading_20260301")
        await site.write(batch(feed, ("one", "temp", 1, 2.0), fresh=fresh))
        assert list((await site.held()).values()) == [2.0]
        await connection.execute("truncate harvester_data.reading")
