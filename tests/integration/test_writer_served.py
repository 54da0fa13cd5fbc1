"""Devices that no discovery named: who tells of one serves it from then on."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from fix_postgres import Connection
from fix_store import Said, Site, at, batch, finding, lock_waits, window
from reported import report

from harvester.errors import Fenced
from harvester.model import Feed
from harvester.store import catalog, feeds
from harvester.store.catalog import Ids
from harvester.store.partitions import Partitions
from harvester.store.writer import Covers, Writer

TEMP: Said = ("one", "temp", 0, 1.0)


async def feed(site: Site, key: str, *devices: str, every: timedelta | None = None) -> int:
    """A feed of the tenant, such as a collection, and devices that are known to be in it."""
    await site.save(finding("hub", feeds=[Feed("readings", key, devices, every=every)]))
    return await site.feed_id(key)


async def served(site: Site) -> set[tuple[str, str]]:
    rows = await site.pool.fetch(
        "select key, identifier from harvester_data.feed_device"
        " join harvester_data.feed using (feed_id) join harvester_data.device using (device_id)"
    )
    return {tuple(row) for row in rows}


async def test_a_device_in_the_data_is_covered_as_its_feed_is(site: Site) -> None:
    all_of_it = await feed(site, "all")
    await site.write(batch(all_of_it, TEMP, span=window(0, 5), covers=Covers(at(0), looked=True)))
    (row,) = await site.pool.fetch("select * from harvester.devices where device = 'one'")
    assert row["feeds"] == ["all"]
    assert [(span.lower, span.upper) for span in row["pulled"]] == [(at(0), at(5))]


async def test_each_feed_of_a_group_serves_what_itself_told_of(site: Site) -> None:
    one, other, silent = [await feed(site, key) for key in ("one", "other", "silent")]
    await site.write(
        batch(one, TEMP, ("two", "temp", 0, 1.0)),
        batch(other, TEMP),
        batch(other, ("three", "door", 0, "open")),
        batch(silent, covers=Covers(at(0), looked=True)),
    )
    expected = {("one", "one"), ("one", "two"), ("other", "one"), ("other", "three")}
    assert await served(site) == expected


async def test_what_goes_over_what_others_tell_serves_no_device(site: Site) -> None:
    graph = await feed(site, "graph", every=timedelta(hours=6))
    await site.write(batch(graph, TEMP))
    assert await served(site) == set()
    assert len(await site.held()) == 1


async def test_the_device_of_a_report_is_not_one_that_the_feed_measures(site: Site) -> None:
    await site.write(batch(await feed(site, "tasks"), reports=[report()]))
    assert await served(site) == set()


async def test_a_device_beyond_the_cap_is_served_by_nobody(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_of_it = await feed(site, "all")
    monkeypatch.setattr(catalog, "MOST_DEVICES", 2)  # the hub is one
    await site.write(batch(all_of_it, TEMP, ("two", "temp", 0, 1.0)))
    assert await served(site) == {("all", "one")}


async def test_what_is_known_is_not_asked_of_the_database(
    site: Site, connection: Connection
) -> None:
    all_of_it = await feed(site, "all")
    await site.write(batch(all_of_it, TEMP))
    async with connection.transaction():
        await connection.execute("lock harvester_data.feed_device in access exclusive mode")
        async with asyncio.timeout(5):
            await site.write(batch(all_of_it, ("one", "door", 1, "open")))
    assert len(await site.held()) == 2


async def test_after_the_database_was_away_nothing_is_taken_for_known(site: Site) -> None:
    all_of_it = await feed(site, "all")
    await site.write(batch(all_of_it, TEMP))
    await site.pool.execute("delete from harvester_data.feed_device")  # a server that lagged
    site.ids.forget()
    await site.write(batch(all_of_it, TEMP))
    assert await served(site) == {("all", "one")}


async def test_what_was_not_committed_is_not_remembered(site: Site) -> None:
    all_of_it = await feed(site, "all")
    found = {all_of_it: set((await site.ids.devices(site.lease, ["one"], at(0))).values())}
    with pytest.raises(Fenced):
        await site.ids.serve(replace(site.lease, fence=99), found)
    assert await served(site) == set()
    await site.ids.serve(site.lease, found)
    assert await served(site) == {("all", "one")}


async def test_what_two_keep_at_once_is_kept_in_one_order(
    site: Site, connection: Connection
) -> None:
    first, second = [await feed(site, key) for key in ("first", "second")]
    device_ids = set((await site.ids.devices(site.lease, ["one"], at(0))).values())
    kept = "insert into harvester_data.feed_device values ($1, $2)"
    async with connection.transaction():
        await connection.execute(kept, first, *device_ids)
        serving = asyncio.create_task(
            site.ids.serve(site.lease, {second: device_ids, first: device_ids})
        )
        await lock_waits(connection)
        await connection.execute(
            kept, second, *device_ids
        )  # who came the other way would wait for us
    await serving
    assert await served(site) == {("first", "one"), ("second", "one")}


async def test_a_feed_is_asked_of_the_devices_that_were_named_and_no_others(site: Site) -> None:
    async def asked() -> tuple[str, ...]:
        (due,) = await feeds.due(site.pool, site.lease.tenant_id, "readings", at(9), after=0)
        return due.feed.devices

    all_of_it = await feed(site, "all", "hub")
    await site.write(batch(all_of_it, TEMP))
    assert await asked() == ("hub",)
    await site.save(finding("one", feeds=[Feed("readings", "all", ("one",))]))
    await site.write(batch(all_of_it, ("one", "temp", 1, 2.0)))
    assert await asked() == ("hub", "one")


@pytest.mark.parametrize("together", [True, False])
async def test_two_feeds_that_tell_of_one_device_are_not_exclusive(
    site: Site, together: bool
) -> None:
    """Nobody knew when they were asked: what is in the way of a copy is compared after all."""
    one, other = await feed(site, "one"), await feed(site, "other")
    told = batch(one, TEMP, fresh=True), batch(other, ("one", "temp", 0, "text"), fresh=True)
    for group in (told,) if together else ((each,) for each in told):
        await site.write(*group)
    assert list((await site.held()).values()) == ["text"]
    found = await feeds.due(site.pool, site.lease.tenant_id, "readings", at(9), after=0)
    assert [each.exclusive for each in found] == [False, False]


async def test_two_writers_and_a_discovery_keep_the_same_at_once(site: Site) -> None:
    ids = Ids(site.pool)
    other = Writer(site.pool, site.name, ids, Partitions(site.pool, "month"))
    names = [f"device {n}" for n in range(300)]
    all_of_it = await feed(site, "all")
    said: list[Said] = [(name, "temp", 0, 1.0) for name in names]
    named = Feed("readings", "all", tuple(names[::-1]))
    await asyncio.gather(
        site.write(batch(all_of_it, *said)),
        other.write(site.lease, batch(all_of_it, *said[::-1])),
        site.save(*(finding(name, feeds=[named]) for name in names)),
    )
    assert await served(site) == {("all", name) for name in names}
