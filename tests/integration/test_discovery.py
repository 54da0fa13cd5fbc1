"""What a discovery found is kept: devices, feeds, who sees them, what their channels mean."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from fix_postgres import Connection
from fix_store import Site, at, finding, lock_waits

from harvester import channels
from harvester.errors import ConfigError, Fenced
from harvester.model import FOREVER, Channel, Device, Discovered, Feed, Window
from harvester.store import catalog
from harvester.store.discovery import Finding
from harvester.store.spans import from_multirange

ONE, TWO = Feed("readings", "one", ("one",)), Feed("readings", "two", ("two",))
CELSIUS = Channel("temp", "Room", "temp", "c")
FAHRENHEIT = Channel("temp", "Room", "temp", "f")


@pytest.fixture
async def accounts(site: Site) -> dict[str | None, int]:
    return await catalog.accounts(site.pool, site.lease, ["ann", "bob", None])


async def sights(site: Site) -> set[tuple[str, str | None]]:
    rows = await site.pool.fetch(
        "select key, user_name from harvester_data.sight"
        " join harvester_data.feed using (feed_id) join harvester_data.account using (account_id)"
    )
    return {tuple(row) for row in rows}


async def test_a_tenant_keeps_its_id_and_its_platform(site: Site) -> None:
    assert await catalog.tenant(site.pool, site.name, "mydevices") == site.lease.tenant_id
    with pytest.raises(ConfigError, match="is on mydevices in this database, and on coiote"):
        await catalog.tenant(site.pool, site.name, "coiote")


async def test_two_instances_that_make_a_tenant_at_once_have_the_same(
    site: Site, connection: Connection
) -> None:
    async with connection.transaction():
        one = await connection.fetchval(
            "insert into harvester_data.tenant (name, platform) values ('new', 'mydevices')"
            " returning tenant_id"
        )
        other = asyncio.create_task(catalog.tenant(site.pool, "new", "mydevices"))
        await lock_waits(connection)
    assert await other == one


async def test_accounts_keep_their_ids_and_no_user_is_the_tenants_own_client(
    site: Site, accounts: dict[str | None, int]
) -> None:
    assert accounts.keys() == {"ann", "bob", None}
    fewer = await catalog.accounts(site.pool, site.lease, [None, "cid", "ann"])
    assert (fewer["ann"], fewer[None]) == (accounts["ann"], accounts[None])
    assert fewer.keys() == {"ann", "cid", None}
    assert (await catalog.accounts(site.pool, site.lease, ["bob"])) == {"bob": accounts["bob"]}


async def test_a_device_keeps_what_was_once_said_of_it(site: Site) -> None:
    await site.save(finding("one", name="Cellar", kind="sensor"), now=at(0))
    await site.save(finding("one", name="Attic"), now=at(60))
    (row,) = await site.pool.fetch("select * from harvester_data.device")
    assert (row["identifier"], row["name"], row["kind"]) == ("one", "Attic", "sensor")
    assert (row["first_seen_at"], row["last_seen_at"]) == (at(0), at(60))


async def test_a_new_feed_is_wanted_from_then_on_and_a_known_one_as_before(site: Site) -> None:
    await site.save(finding("one", feeds=[ONE]), wanted_since=at(-100))
    later = finding("one", feeds=[ONE]), finding("two", feeds=[TWO])
    await site.save(*later, wanted_since=at(-10))
    wanted = {
        key: from_multirange((await site.coverage(await site.feed_id(key)))["wanted"])
        for key in ("one", "two")
    }
    assert wanted == {"one": (Window(at(-100), FOREVER),), "two": (Window(at(-10), FOREVER),)}


@pytest.mark.parametrize(("history", "since"), [(-9999, -1440), (-60, -60)])
async def test_a_feed_from_now_on_is_wanted_from_a_day_before_and_within_the_history(
    site: Site, history: int, since: int
) -> None:
    changes = Feed("readings", "changes", from_now=True)
    found = finding("one", feeds=[ONE, changes])
    await site.save(found, wanted_since=at(history))
    await site.save(found, wanted_since=at(history + 600), now=at(600))
    rows = await site.pool.fetch(
        "select key, wanted from harvester_data.coverage join harvester_data.feed using (feed_id)"
    )
    wanted = {row["key"]: from_multirange(row["wanted"]) for row in rows}
    assert wanted == {
        "one": (Window(at(history), FOREVER),),
        "changes": (Window(at(since), FOREVER),),
    }


async def test_how_often_a_feed_goes_over_what_others_tell_is_kept_as_it_is_now(site: Site) -> None:
    for every in (timedelta(hours=6), timedelta(minutes=10), None):
        await site.save(finding("one", feeds=[replace(ONE, every=every)]))
        rows = await site.pool.fetch("select key, every from harvester_data.feed")
        assert [tuple(row) for row in rows] == [("one", every)]


async def test_a_feed_serves_its_devices_and_is_one_for_all_who_see_it(
    site: Site, accounts: dict[str | None, int]
) -> None:
    both = Feed("readings", "both", ("one", "two"))
    await site.save(
        *(finding(each, feeds=[both], account_id=accounts["ann"]) for each in ("one", "two")),
        finding("one", feeds=[both], account_id=accounts["bob"]),
    )
    served = await site.pool.fetch(
        "select key, identifier from harvester_data.feed_device"
        " join harvester_data.feed using (feed_id) join harvester_data.device using (device_id)"
    )
    assert sorted(map(tuple, served)) == [("both", "one"), ("both", "two")]
    assert await sights(site) == {("both", "ann"), ("both", "bob")}


async def test_what_an_account_does_not_find_it_lost_and_no_other(
    site: Site, accounts: dict[str | None, int]
) -> None:
    ann, bob = accounts["ann"], accounts["bob"]
    for account in (ann, bob):
        found = [finding(feed.key, feeds=[feed], account_id=account) for feed in (ONE, TWO)]
        await site.save(*found, whole_sight_of=account)
    await site.save(finding("one", feeds=[ONE], account_id=ann))
    assert await sights(site) == {(key, user) for key in ("one", "two") for user in ("ann", "bob")}
    await site.save(finding("one", feeds=[ONE], account_id=ann), whole_sight_of=ann)
    assert await sights(site) == {("one", "ann"), ("one", "bob"), ("two", "bob")}
    await site.save(whole_sight_of=bob)
    assert await sights(site) == {("one", "ann")}
    await site.save(finding("two", feeds=[TWO], account_id=bob), whole_sight_of=bob)
    assert await sights(site) == {("one", "ann"), ("two", "bob")}


async def test_an_account_that_is_no_longer_configured_sees_nothing(
    site: Site, accounts: dict[str | None, int]
) -> None:
    for user, account in accounts.items():
        await site.save(finding("one", feeds=[ONE], account_id=account))
        assert ("one", user) in await sights(site)
    await catalog.accounts(site.pool, site.lease, ["bob"])
    assert await sights(site) == {("one", "bob")}
    await catalog.accounts(site.pool, site.lease, [])
    assert await sights(site) == set()


async def test_a_device_that_nobody_configured_sees_is_known_without_a_feed(site: Site) -> None:
    await site.save(finding("one"))
    assert await site.pool.fetchval("select count(*) from harvester_data.device") == 1
    assert await site.pool.fetchval("select count(*) from harvester_data.feed") == 0


async def test_a_feed_of_no_device_is_wanted_and_seen_as_any_other(
    site: Site, accounts: dict[str | None, int]
) -> None:
    tasks = Discovered(None, (Feed("task_reports", "tasks of ann"),))
    ann = accounts["ann"]
    found = [finding("one", feeds=[ONE], account_id=ann), Finding(tasks, ann, {})]
    await site.save(*found, whole_sight_of=ann, wanted_since=at(-100))
    assert await sights(site) == {("one", "ann"), ("tasks of ann", "ann")}
    rows = await site.pool.fetch("select stream, feed from harvester.coverage order by feed")
    assert [tuple(row) for row in rows] == [("readings", "one"), ("task_reports", "tasks of ann")]
    assert await site.pool.fetchval("select count(*) from harvester_data.feed_device") == 1


async def test_beyond_the_cap_a_device_is_left_out_with_its_feeds(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "MOST_DEVICES", 1)
    await site.save(finding("one", CELSIUS, feeds=[ONE]), finding("two", CELSIUS, feeds=[TWO]))
    for table in ("device", "feed", "feed_device", "series", "interpretation"):
        count = await site.pool.fetchval(f"select count(*) from harvester_data.{table}")  # noqa: S608
        assert (table, count) == (table, 1)


async def test_a_stale_lease_keeps_nothing(site: Site) -> None:
    site.lease = replace(site.lease, fence=99)
    with pytest.raises(Fenced):
        await site.save(finding("one", CELSIUS, feeds=[ONE]))
    assert await site.pool.fetchval("select count(*) from harvester_data.device") == 0


async def test_odd_words_of_a_platform_are_stored_as_channels_describes_them(site: Site) -> None:
    odd = Channel("temp", "NUL \0 and \ud800", "temp", "c")
    said = Discovered(
        Device("one", "x" * 9999, None, (odd, Channel("\0"))), (ONE, Feed("readings", "\0"))
    )
    found = channels.described(said)
    assert found and found.device
    await site.save(Finding(found, None, {found.device.channels[0]: None}))
    label = await site.pool.fetchval("select label from harvester_data.interpretation")
    assert label == "NUL \\0 and \\ud800"


async def test_a_thousand_devices_are_saved_at_once(site: Site) -> None:
    found = [
        finding(f"device {n}", CELSIUS, feeds=[Feed("readings", f"{n}", (f"device {n}",))])
        for n in range(1000)
    ]
    await asyncio.wait_for(site.save(*found), 5)
    assert await site.pool.fetchval("select count(*) from harvester_data.interpretation") == 1000
