"""Queries over the views read what they need, and not the whole table."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from fix_postgres import Connection
from fix_store import Site, at, batch

DAYS = 1440  # minutes


@pytest.fixture
async def filled(site: Site, connection: Connection) -> Connection:
    """Three months of 60 devices with 3 channels each: 61,000 readings, known to the planner."""
    minutes = [n * 30 * DAYS for n in range(3)]
    feed = await site.feed("one")
    said = [
        (f"device {n}", f"channel {c}", m, 1.0)
        for n in range(60)
        for c in range(3)
        for m in minutes
    ]
    await site.write(batch(feed, *said))
    await connection.execute(
        "insert into harvester_data.reading"
        " select s.device_id, s.series_id, r.ts + n * interval '6 hours 1 second', n"
        " from harvester_data.series s join harvester_data.reading r using (device_id, series_id),"
        " generate_series(1, 110) n"
    )
    await connection.execute("analyze")
    return connection


async def plan(connection: Connection, query: str, *given: object) -> list[dict[str, Any]]:
    """Every node of the plan."""
    explained = await connection.fetchval(f"explain (format json) {query}", *given)
    nodes: list[dict[str, Any]] = []
    waiting = [json.loads(explained)[0]["Plan"]]
    while waiting:
        nodes.append(waiting.pop())
        waiting += nodes[-1].get("Plans", [])
    return nodes


async def test_a_span_of_time_reads_its_own_partitions_only(filled: Connection) -> None:
    query = "select * from harvester.readings where ts >= $1 and ts < $2"
    nodes = await plan(filled, query, at(31 * DAYS), at(32 * DAYS))
    read = {node["Relation Name"] for node in nodes if "Relation Name" in node}
    assert {name for name in read if name.startswith("reading_2")} == {"reading_20260401"}


async def test_one_device_is_found_by_the_key_and_not_by_reading_all(filled: Connection) -> None:
    query = "select * from harvester.readings where device = $1 and ts >= $2"
    nodes = await plan(filled, query, "device 7", at(31 * DAYS))
    scans = [node for node in nodes if node.get("Relation Name", "").startswith("reading_2")]
    assert {node["Relation Name"] for node in scans} == {"reading_20260401", "reading_20260501"}
    assert "Seq Scan" not in {node["Node Type"] for node in scans}
    conditions = [node.get("Index Cond", "") for node in nodes]
    assert sum("device_id = " in condition for condition in conditions) >= 2


async def test_the_latest_readings_stop_at_the_newest_partition(filled: Connection) -> None:
    query = "select * from harvester.latest_readings where device = 'device 7'"
    explained = await filled.fetch(f"explain (analyze, timing off, costs off) {query}")
    text = "\n".join(row[0] for row in explained)
    assert "reading_20260501" in text
    assert re.search(r"reading_20260301.*never executed", text)
    assert "Seq Scan on reading_2" not in text


async def test_a_group_is_compared_by_key_and_not_by_reading_all(
    site: Site, filled: Connection
) -> None:
    before = await rows_scanned(filled)
    values: dict[str, float | str] = {"channel 0": 1.0, "channel 1": 2.0, "channel 2": "text"}
    said = [
        (f"device {n}", channel, minute, value)
        for n in range(60)
        for channel, value in values.items()
        for minute in range(7, 10_007, 100)
    ]
    await site.pool.execute("select pg_stat_force_next_flush()")
    await site.write(batch(await site.feed("two"), *said))
    await site.pool.execute("select pg_stat_force_next_flush()")
    assert await rows_scanned(filled) == before


async def rows_scanned(connection: Connection) -> int:
    """Rows of `reading` that were read without an index so far."""
    found: int = await connection.fetchval(
        "select sum(seq_tup_read)::bigint from pg_stat_user_tables where relname ~ '^reading_2'"
    )
    return found
