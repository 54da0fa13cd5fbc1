"""What people see: canonical values beside raw ones, what is covered, what is not, and why."""

from __future__ import annotations

import json
import re
from typing import Any

import asyncpg
import pytest
from fix_postgres import Connection
from fix_store import LONG, T0, Said, Site, at, batch, finding, window

from harvester.model import Channel, Feed, Meaning, Window
from harvester.store import catalog, feeds
from harvester.store.discovery import Finding
from harvester.store.spans import from_multirange
from harvester.store.writer import Covers

CELSIUS = Channel("temp", "Room", "temp", "c")
FAHRENHEIT = Channel("temp", "Room", "temp", "f")
DOOR = Channel("door", "Door", "digital_sensor", "d")
DAYS = 1440  # minutes


async def understood(site: Site, *said: Said) -> None:
    """Readings of a device `one` whose door and temperature we understand."""
    feed = await site.feed("one")
    door = Meaning("door", "1", enumeration={"0": "shut", "1": "open", "ajar": "open"})
    found = finding("one", CELSIUS, name="Cellar")
    await site.save(
        found, Finding(found.found, None, {DOOR: door, CELSIUS: found.meanings[CELSIUS]})
    )
    await site.write(batch(feed, *said))


async def rows(site: Site, view: str = "readings", **where: object) -> list[dict[str, Any]]:
    found = await site.pool.fetch(
        {
            "readings": "select * from harvester.readings order by channel, ts",
            "latest_readings": "select * from harvester.latest_readings order by device, channel",
            "devices": "select * from harvester.devices order by device",
            "coverage": "select * from harvester.coverage order by feed",
            "gaps": "select * from harvester.gaps order by feed, since",
        }[view]
    )
    return [dict(row) for row in found]


async def test_a_reading_shows_its_meaning_beside_what_was_said(site: Site) -> None:
    await understood(site, ("one", "temp", 0, 21.5))
    assert await rows(site) == [
        {
            "tenant": site.name,
            "platform": "mydevices",
            "device": "one",
            "device_name": "Cellar",
            "channel": "temp",
            "channel_name": "Room",
            "ts": T0,
            "quantity": "temperature",
            "value": 21.5,
            "unit": "Cel",
            "label": None,
            "text": None,
            "raw_value": 21.5,
            "raw_unit": "c",
        }
    ]


async def test_a_unit_that_changed_is_converted_from_then_on(site: Site) -> None:
    feed = await site.feed("one")
    await site.save(finding("one", CELSIUS), now=at(0))
    await site.save(finding("one", FAHRENHEIT), now=at(10))
    await site.write(batch(feed, *(("one", "temp", minute, 50.0) for minute in (9, 10, 11))))
    found = [(row["value"], row["raw_value"], row["raw_unit"]) for row in await rows(site)]
    assert found == [
        (50.0, 50.0, "c"),
        (pytest.approx(10), 50.0, "f"),
        (pytest.approx(10), 50.0, "f"),
    ]
    assert {row["unit"] for row in await rows(site)} == {"Cel"}


async def test_a_mended_belief_changes_all_of_history_at_once(site: Site) -> None:
    await understood(site, ("one", "temp", 0, 21.5), ("one", "temp", 9, 22.5))
    await site.pool.execute(
        "update harvester_data.interpretation set quantity = 'voltage', unit = 'V', scale = 0.1,"
        " \"offset\" = 1 where stated_type = 'temp'"
    )
    found = await rows(site)
    assert [row["value"] for row in found] == [pytest.approx(3.15), pytest.approx(3.25)]
    assert [row["raw_value"] for row in found] == [21.5, 22.5]


async def test_a_number_that_stands_for_no_measurement_has_no_value(site: Site) -> None:
    await understood(site, ("one", "temp", 0, -127.0), ("one", "temp", 1, 85.0))
    await site.pool.execute("update harvester_data.interpretation set sentinels = '{-127, 999}'")
    found = [(row["value"], row["raw_value"]) for row in await rows(site)]
    assert found == [(None, -127.0), (85.0, 85.0)]


async def test_enumerated_numbers_and_texts_have_labels(site: Site) -> None:
    said: list[Said] = [("one", "door", n, v) for n, v in enumerate((0.0, 1.0, 7.0, "ajar", "off"))]
    await understood(site, *said)
    found = [(row["value"], row["text"], row["label"]) for row in await rows(site)]
    assert found == [
        (0.0, None, "shut"),
        (1.0, None, "open"),
        (7.0, None, None),
        (None, "ajar", "open"),
        (None, "off", None),
    ]


async def test_what_nobody_understands_is_shown_raw(site: Site) -> None:
    feed = await site.feed("one")
    await site.write(batch(feed, ("one", "x", 0, 1.5), ("one", "y", 0, "text")))
    found = [
        (row["value"], row["text"], row["raw_value"], row["quantity"], row["unit"])
        for row in await rows(site)
    ]
    assert found == [(1.5, None, 1.5, None, None), (None, "text", None, None, None)]


@pytest.mark.parametrize(
    ("scale", "offset", "raw", "value"),
    [
        (100, 0, 1.7976931348623157e308, None),
        (1e30, -1e30, -1e280, None),
        (0.01, 0, 5e-324, None),
        (0.5, 0, 0.0, 0.0),
        (1, -1e30, -1.7976931348623157e308, -1.7976931348623157e308),
        (1, 0, 5e-324, 5e-324),
        (-2, 3, 1e200, -2e200),
    ],
)
async def test_an_absurd_number_does_not_spoil_a_query_over_the_others(
    site: Site, scale: float, offset: float, raw: float, value: float | None
) -> None:
    await understood(site, ("one", "temp", 0, raw))
    await site.pool.execute(
        'update harvester_data.interpretation set scale = $1, "offset" = $2', scale, offset
    )
    for view in ("readings", "latest_readings"):
        (found,) = await rows(site, view)
        assert (found["value"], found["raw_value"]) == (value, raw)


@pytest.mark.parametrize("scale", [0, 1e31, 1e-31, float("nan"), float("inf")])
async def test_a_scale_that_could_spoil_it_is_refused(site: Site, scale: float) -> None:
    await understood(site)
    for statement in (
        "update harvester_data.interpretation set scale = $1",
        'update harvester_data.interpretation set "offset" = 1e31 + $1',
    ):
        with pytest.raises(asyncpg.CheckViolationError):
            await site.pool.execute(statement, scale)


async def test_the_latest_reading_of_a_series_is_the_newest_number_or_text(site: Site) -> None:
    await understood(
        site,
        ("one", "temp", 0, 1.0),
        ("one", "temp", 40 * DAYS, 3.0),
        ("one", "temp", 9, 2.0),
        ("one", "door", 5, 1.0),
        ("one", "door", 6, "ajar"),
        ("one", "x", 7, "old"),
        ("one", "x", 8, 4.0),
    )
    latest = await rows(site, "latest_readings")
    assert [(row["channel"], row["ts"], row["value"], row["text"]) for row in latest] == [
        ("door", at(6), None, "ajar"),
        ("temp", at(40 * DAYS), 3.0, None),
        ("x", at(8), 4.0, None),
    ]
    every = {(row["channel"], row["ts"]): row for row in await rows(site)}
    assert [every[row["channel"], row["ts"]] for row in latest] == latest


async def test_coverage_tells_what_is_pulled_settled_provisional_missing_and_lost(
    site: Site,
) -> None:
    feed = await site.feed("one")
    await site.write(
        batch(feed, span=window(10, 30), covers=Covers(at(20), looked=True), pulled_at=at(31))
    )
    await lose(site, feed, window(0, 5))
    (row,) = await rows(site, "coverage")
    now = await site.pool.fetchval("select now()")
    until_now = row["missing"][-1].upper
    assert abs(now - until_now) < LONG
    spans = {
        name: from_multirange(row[name]) for name in ("pulled", "settled", "provisional", "lost")
    }
    assert spans == {
        "pulled": (window(10, 30),),
        "settled": (window(10, 20),),
        "provisional": (window(20, 30),),
        "lost": (window(0, 5),),
    }
    assert from_multirange(row["missing"]) == (window(5, 10), Window(at(30), until_now))
    assert from_multirange(row["wanted"]) == (Window(T0, until_now),)
    assert (row["stream"], row["feed"], row["looked_at"]) == ("readings", "one", at(31))
    assert abs(row["lag"] - (now - at(30))) < LONG


async def lose(site: Site, feed_id: int, span: Window) -> None:
    await site.pool.execute(
        "update harvester_data.coverage set lost = lost + tstzmultirange(tstzrange($2, $3))"
        " where feed_id = $1",
        feed_id,
        span.since,
        span.until,
    )


async def test_gaps_say_why(site: Site) -> None:
    ids = {key: await site.feed(key) for key in ("failed", "lost", "unseen", "waiting")}
    ann = (await catalog.accounts(site.pool, site.lease, ["ann"]))["ann"]
    for key in ids.keys() - {"unseen"}:
        await site.save(finding(key, feeds=[Feed("readings", key, (key,))], account_id=ann))
    await feeds.failed(site.pool, site.lease, ids["failed"], "malformed: HTML", T0)
    await lose(site, ids["lost"], window(0, 10))
    await site.write(
        *(batch(each, span=window(0, 5), covers=Covers(T0, True)) for each in (ids["waiting"],))
    )
    found = {
        (row["feed"], row["kind"]): (row["since"], row["reason"])
        for row in await rows(site, "gaps")
    }
    assert found == {
        ("failed", "missing"): (T0, "malformed: HTML"),
        ("lost", "lost"): (T0, "the platform no longer has it"),
        ("lost", "missing"): (at(10), "not pulled yet"),
        ("unseen", "missing"): (T0, "no account sees it"),
        ("waiting", "missing"): (at(5), "not pulled yet"),
    }


async def test_a_device_is_covered_where_all_of_its_feeds_are(site: Site) -> None:
    one, other = await site.feed("a", "one", "two"), await site.feed("b", "one")
    await site.save(finding("three"))
    for feed, since, until, settled in ((one, 0, 60, 30), (other, 20, 90, 50)):
        covers = Covers(at(settled), looked=True)
        await site.write(batch(feed, span=window(since, until), covers=covers))
    await lose(site, other, window(0, 5))
    await site.write(batch(one, ("one", "temp", 3, 1.0), ("one", "door", 4, "open")))
    by_name = {row["device"]: row for row in await rows(site, "devices")}
    row = by_name["one"]
    assert from_multirange(row["pulled"]) == (window(20, 60),)
    assert from_multirange(row["settled"]) == (window(20, 30),)
    assert from_multirange(row["lost"]) == (window(0, 5),)
    assert [span.since for span in from_multirange(row["missing"])] == [at(5), at(60)]
    assert (row["feeds"], row["last_reading_at"]) == (["a", "b"], at(4))
    assert from_multirange(by_name["two"]["pulled"]) == (window(0, 60),)
    assert (by_name["three"]["feeds"], by_name["three"]["pulled"]) == ([], None)


@pytest.fixture
async def filled(site: Site, connection: Connection) -> Connection:
    """Three months of 60 devices with 3 channels each: 65,000 readings, known to the planner."""
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
        " select device_id, series_id, $1::timestamptz + n * interval '6 hours 1 second', n"
        " from harvester_data.series, generate_series(1, 358) n; ".replace("$1", f"'{T0}'")
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
    query = (
        "select * from harvester.readings where tenant like 'acme%' and device = $1 and ts >= $2"
    )
    nodes = await plan(filled, query, "device 7", at(31 * DAYS))
    scans = [node for node in nodes if re.match("reading_2", node.get("Relation Name", ""))]
    assert len(scans) == 2
    for node in scans:
        assert "Index Name" in node or node["Node Type"] == "Bitmap Heap Scan"
    conditions = " ".join(node.get("Index Cond", "") for node in nodes)
    assert "device_id" in conditions
    assert "Seq Scan" not in {node["Node Type"] for node in scans}


async def test_the_latest_readings_stop_at_the_newest_partition(filled: Connection) -> None:
    query = "select * from harvester.latest_readings where device = 'device 7'"
    explained = await filled.fetch(f"explain (analyze, timing off, costs off) {query}")
    text = "\n".join(row[0] for row in explained)
    assert "reading_20260501" in text
    assert re.search(r"reading_20260301.*never executed", text)
    assert "Seq Scan on reading_2" not in text
