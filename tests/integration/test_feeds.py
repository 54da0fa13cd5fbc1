"""What is due of a tenant's feeds, and what is remembered of their trouble."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fix_store import T0, Site, at, batch, finding, tenant, window

from harvester.errors import Fenced
from harvester.model import Feed
from harvester.store import catalog, feeds
from harvester.store.feeds import LAST, DueFeed
from harvester.store.writer import Covers


async def due(site: Site, minute: float = 60, after: int = 0, last: int = LAST) -> list[DueFeed]:
    return await feeds.due(site.pool, site.lease.tenant_id, "readings", at(minute), after, last)


async def test_all_that_is_wanted_up_to_now_is_missing_until_it_is_pulled(site: Site) -> None:
    feed = await site.feed("one")
    await site.write(
        batch(feed, span=window(10, 20), covers=Covers(at(15), looked=True), pulled_at=at(20))
    )
    (found,) = await due(site)
    assert found.missing == (window(0, 10), window(20, 60))
    assert found.provisional == (window(15, 20),)
    assert found.looked_at == at(20)


async def test_what_is_lost_or_not_yet_wanted_is_not_missing(site: Site) -> None:
    feed = await site.feed("one")
    await site.pool.execute(
        "update harvester_data.coverage set lost = tstzmultirange(tstzrange($2, $3))"
        " where feed_id = $1",
        feed,
        T0,
        at(30),
    )
    assert [each.missing for each in await due(site)] == [(window(30, 60),)]
    assert [each.missing for each in await due(site, minute=-1)] == [()]


async def test_a_feed_names_its_devices_and_the_accounts_that_see_it(site: Site) -> None:
    accounts = await catalog.accounts(site.pool, site.lease, ["ann", "bob"])
    feed = Feed("readings", "both", ("two", "one"))
    found = [
        finding(device, feeds=[feed], account_id=account)
        for device in feed.devices
        for account in accounts.values()
    ]
    await site.save(*found, finding("tasks", feeds=[Feed("task_reports", "both")]))
    (row,) = await due(site)
    assert row.feed == Feed("readings", "both", ("one", "two"))
    assert row.accounts == tuple(sorted(accounts.values()))


async def test_a_feed_is_exclusive_until_another_serves_one_of_its_devices(site: Site) -> None:
    await site.feed("first", "one", "two")
    await site.feed("second", "three")
    assert [each.exclusive for each in await due(site)] == [True, True]
    await site.feed("third", "two")
    exclusive = {each.feed.key: each.exclusive for each in await due(site)}
    assert exclusive == {"first": False, "second": True, "third": False}


async def test_a_feed_that_goes_over_what_others_tell_says_so_and_is_not_exclusive(
    site: Site,
) -> None:
    every = timedelta(hours=6)
    told = Feed("readings", "first", ("one",)), Feed("readings", "second", ("two",), every=every)
    await site.save(*(finding(feed.devices[0], feeds=[feed]) for feed in told))
    found = await due(site)
    assert tuple(each.feed for each in found) == told
    assert [each.exclusive for each in found] == [True, False]


async def test_feeds_come_in_pages_and_only_the_tenants_own(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "PAGE", 2)
    ids = [await site.feed(f"{n}") for n in range(5)]
    async with tenant(site.pool) as other:
        await other.feed("another's")
    pages = [[each.feed_id for each in await due(site, after=after)] for after in (0, *ids[1::2])]
    assert pages == [ids[0:2], ids[2:4], ids[4:]]
    assert [each.feed_id for each in await due(site, after=ids[0], last=ids[1])] == [ids[1]]


async def test_a_failure_is_kept_with_the_instant_it_began(site: Site) -> None:
    feed = await site.feed("one")
    for minute, why in ((0, "timeout"), (5, "timeout"), (9, "malformed")):
        await feeds.failed(site.pool, site.lease, feed, why, at(minute))
    (row,) = await site.pool.fetch("select * from harvester_data.feed")
    assert (row["failure"], row["failing_since"]) == ("malformed", T0)


async def test_the_last_success_of_a_stream_is_remembered(site: Site) -> None:
    async def last() -> object:
        return await feeds.last_success(site.pool, site.lease.tenant_id, "readings")

    assert await last() is None
    for minute in (0, 5):
        await feeds.succeeded(site.pool, site.lease, "readings", at(minute))
        assert await last() == at(minute)
    await feeds.succeeded(site.pool, site.lease, "task_reports", at(9))
    assert await last() == at(5)


async def test_a_stale_lease_remembers_nothing(site: Site) -> None:
    feed = await site.feed("one")
    stale = type(site.lease)(site.lease.tenant_id, 99)
    with pytest.raises(Fenced):
        await feeds.failed(site.pool, stale, feed, "timeout", T0)
    with pytest.raises(Fenced):
        await feeds.succeeded(site.pool, stale, "readings", T0)
    assert await site.pool.fetchval("select failure from harvester_data.feed") is None
