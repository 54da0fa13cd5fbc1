"""What is covered of feeds and devices, what is not, and why."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fix_store import LONG, T0, Site, at, batch, finding, window

from harvester.model import Feed, Window
from harvester.store import catalog, feeds
from harvester.store.spans import from_multirange
from harvester.store.writer import Covers

COVERS = Covers(T0, looked=True)


async def rows(site: Site, query: str) -> list[dict[str, Any]]:
    return [dict(row) for row in await site.pool.fetch(query)]


async def test_coverage_tells_what_is_pulled_settled_provisional_missing_and_lost(
    site: Site,
) -> None:
    feed = await site.feed("one")
    await site.write(
        batch(feed, span=window(10, 30), covers=Covers(at(20), looked=True), pulled_at=at(31))
    )
    await lose(site, feed, window(0, 5))
    (row,) = await rows(site, "select * from harvester.coverage")
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
        for row in await rows(site, "select * from harvester.gaps")
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
    by_name = {row["device"]: row for row in await rows(site, "select * from harvester.devices")}
    row = by_name["one"]
    assert from_multirange(row["pulled"]) == (window(20, 60),)
    assert from_multirange(row["settled"]) == (window(20, 30),)
    assert from_multirange(row["lost"]) == (window(0, 5),)
    assert [span.since for span in from_multirange(row["missing"])] == [at(5), at(60)]
    assert (row["feeds"], row["last_reading_at"]) == (["a", "b"], at(4))
    assert from_multirange(by_name["two"]["pulled"]) == (window(0, 60),)
    assert (by_name["three"]["feeds"], by_name["three"]["pulled"]) == ([], None)


async def test_time_that_is_not_wanted_of_a_feed_is_not_what_a_device_lacks(site: Site) -> None:
    """Such as changes, which are wanted from now on beside all that was ever created."""
    changes = Feed("readings", "changes", ("one",), from_now=True)
    await site.save(
        finding("one", feeds=[Feed("readings", "created", ("one",)), changes]),
        wanted_since=at(-9999),
    )
    for key, since, until in (("created", -9999, 60), ("changes", -1440, 50)):
        await site.write(batch(await site.feed_id(key), span=window(since, until), covers=COVERS))
    (row,) = await rows(site, "select * from harvester.devices")
    assert from_multirange(row["pulled"]) == (window(-9999, 50),)
    assert from_multirange(row["settled"]) == (window(-9999, 0),)
    assert [span.since for span in from_multirange(row["missing"])] == [at(50)]


async def test_what_is_gone_over_now_and_then_counts_but_does_not_lag(site: Site) -> None:
    ann = (await catalog.accounts(site.pool, site.lease, ["ann"]))["ann"]
    every = timedelta(hours=6)
    told = Feed("readings", "told", ("one",)), Feed("readings", "graph", every=every)
    await site.save(finding("one", feeds=told, account_id=ann))
    await feeds.want(site.pool, site.lease, "readings", at(60))
    for key, until in (("told", 50), ("graph", 40)):
        await site.write(batch(await site.feed_id(key), span=window(0, until), covers=COVERS))
    (stream,) = await rows(site, "select * from harvester.streams")
    assert stream["pulled_until"] == at(50)
    assert stream["feeds"] == 2
    coverage = {row["feed"]: row for row in await rows(site, "select * from harvester.coverage")}
    assert from_multirange(coverage["graph"]["missing"]) == (window(40, 60),)
    shown = {key: (row["every"], row["lag"] is None) for key, row in coverage.items()}
    assert shown == {"told": (None, False), "graph": (every, True)}


async def test_where_all_is_only_gone_over_nothing_lags(site: Site) -> None:
    ann = (await catalog.accounts(site.pool, site.lease, ["ann"]))["ann"]
    graph = Feed("readings", "graph", every=timedelta(hours=6))
    await site.save(finding("one", feeds=[graph], account_id=ann))
    (row,) = await rows(site, "select * from harvester.streams")
    assert (row["feeds"], row["pulled_until"], row["lag"]) == (1, None, None)
