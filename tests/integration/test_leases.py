"""One writer a tenant and one renewer an account: whoever comes too late writes nothing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from fix_postgres import Connection
from fix_store import LONG, T0, Site, batch, lock_waits

from harvester.errors import Fenced, StoreUnavailable
from harvester.store import catalog, credentials
from harvester.store.credentials import Event, SealedLife, SealedToken
from harvester.store.leases import Lease, extend, release, take, take_account, writing

NO_TIME = timedelta(0)
ACTIVE = SealedLife("active", None, T0, "password", T0, 0, None, 0, None, None, None)
TOKEN = SealedToken(1, "key", b"access", T0, b"refresh", None, T0, T0, None)
EVENT = Event(T0, "password", "ok", None, None, None, "one")


@pytest.fixture
async def account(site: Site) -> int:
    return (await catalog.accounts(site.pool, site.lease, ["ann"]))["ann"]


async def save(site: Site, account: int, fence: int, token: SealedToken) -> None:
    await credentials.save(site.pool, account, fence, ACTIVE, token, EVENT)


async def kept(site: Site, account: int) -> SealedToken | None:
    row = await credentials.load(site.pool, account)
    return row.token if row else None


async def ended(site: Site) -> None:
    """Let the lease run out, which nobody extends."""
    await extend(site.pool, site.lease, NO_TIME)


async def test_a_tenant_is_held_by_one_until_it_ends(site: Site) -> None:
    tenant_id = site.lease.tenant_id
    assert await take(site.pool, tenant_id, "other", LONG) is None
    await ended(site)
    assert await take(site.pool, tenant_id, "other", LONG) == Lease(tenant_id, 2)


async def test_of_two_who_want_a_free_tenant_at_once_one_gets_it(
    site: Site, connection: Connection
) -> None:
    await ended(site)
    async with connection.transaction():
        await connection.execute("select from harvester_data.tenant_lease for update")
        asked = [
            asyncio.create_task(take(site.pool, site.lease.tenant_id, name, LONG))
            for name in ("one", "other")
        ]
        await lock_waits(connection, 2)
    got = await asyncio.gather(*asked)
    assert [lease for lease in got if lease] == [Lease(site.lease.tenant_id, 2)]


async def test_the_same_owner_takes_its_own_lease_over_at_once(site: Site) -> None:
    taken = await take(site.pool, site.lease.tenant_id, "test", LONG)
    assert taken == Lease(site.lease.tenant_id, site.lease.fence + 1)
    with pytest.raises(Fenced):
        await extend(site.pool, site.lease, LONG)


async def test_a_released_tenant_is_free_at_once_and_only_its_holder_releases(site: Site) -> None:
    await release(site.pool, replace(site.lease, fence=99))
    assert await take(site.pool, site.lease.tenant_id, "other", LONG) is None
    await release(site.pool, site.lease)
    assert await take(site.pool, site.lease.tenant_id, "other", LONG)


async def test_an_ended_lease_that_nobody_took_still_writes_and_can_be_kept(site: Site) -> None:
    await ended(site)
    async with writing(site.pool, site.lease):
        await extend(site.pool, site.lease, LONG)
    assert await take(site.pool, site.lease.tenant_id, "other", LONG) is None


async def test_a_stale_writer_stores_nothing(site: Site) -> None:
    feed = await site.feed("one")
    stale, site.lease = site.lease, replace(site.lease, fence=2)
    assert await take(site.pool, stale.tenant_id, "test", LONG) == site.lease
    with pytest.raises(Fenced):
        await site.writer.write(stale, batch(feed, ("one", "temp", 0, 1.5)))
    with pytest.raises(Fenced):
        await catalog.Ids(site.pool).series(stale, [("new", "temp")], T0)
    assert await site.held() == {}
    await site.write(batch(feed, ("one", "temp", 0, 2.5)))
    assert list((await site.held()).values()) == [2.5]


async def test_a_takeover_waits_for_the_writer_that_holds_the_tenant(
    site: Site, connection: Connection
) -> None:
    feed = await site.feed("one")
    async with writing(site.pool, site.lease) as writer:
        await writer.execute("update harvester_data.feed set key = 'was there' ")
        await ended(site)
        taking = asyncio.create_task(take(site.pool, site.lease.tenant_id, "other", LONG))
        await lock_waits(connection)
        assert not taking.done()
    newer = await taking
    assert newer == Lease(site.lease.tenant_id, 2)
    assert await site.feed_id("was there") == feed
    with pytest.raises(Fenced):
        async with writing(site.pool, site.lease):
            pytest.fail("a stale lease opens no transaction")


async def test_of_two_writers_with_different_fences_the_stale_one_cannot_commit(
    site: Site, connection: Connection
) -> None:
    """The stale one begins while the takeover is under way: it waits, and finds itself fenced."""
    feed = await site.feed("one")
    raised = connection.transaction()
    await raised.start()
    await connection.execute("update harvester_data.tenant_lease set fence = fence + 1")
    stale = asyncio.create_task(site.writer.write(site.lease, batch(feed, ("one", "temp", 0, 1.5))))
    newer = replace(site.lease, fence=2)
    async with site.pool.acquire() as observer:
        await lock_waits(observer)
    await raised.commit()
    with pytest.raises(Fenced):
        await stale
    await site.writer.write(newer, batch(feed, ("one", "temp", 0, 2.5)))
    assert list((await site.held()).values()) == [2.5]


async def test_a_heartbeat_does_not_wait_for_a_writer_nor_for_who_waits(
    site: Site, connection: Connection
) -> None:
    async with writing(site.pool, site.lease):
        await asyncio.wait_for(extend(site.pool, site.lease, LONG), 2)
        own = asyncio.create_task(take(site.pool, site.lease.tenant_id, "test", LONG))
        await lock_waits(connection)
        await asyncio.wait_for(extend(site.pool, site.lease, LONG), 2)
    assert await own == Lease(site.lease.tenant_id, 2)


async def test_who_asks_for_a_held_tenant_is_told_so_without_waiting_for_its_writer(
    site: Site,
) -> None:
    async with writing(site.pool, site.lease):
        asked = take(site.pool, site.lease.tenant_id, "other", LONG)
        assert await asyncio.wait_for(asked, 2) is None


async def test_a_takeover_does_not_wait_long_for_a_writer_that_stalls(site: Site) -> None:
    with pytest.raises(StoreUnavailable):
        async with writing(site.pool, site.lease) as stalled:
            assert await stalled.fetchval("show idle_in_transaction_session_timeout") == "30s"
            await stalled.execute("set idle_in_transaction_session_timeout = '50ms'")
            assert await take(site.pool, site.lease.tenant_id, "test", LONG)
            await stalled.execute("select 1")


async def test_an_account_is_renewed_by_one_at_a_time(site: Site, account: int) -> None:
    assert await take_account(site.pool, account, "one", LONG) == 1
    assert await take_account(site.pool, account, "other", LONG) is None
    assert await take_account(site.pool, account, "one", NO_TIME) == 2
    assert await take_account(site.pool, account, "other", LONG) == 3


async def test_a_token_is_kept_and_a_newer_one_replaces_it(site: Site, account: int) -> None:
    assert await kept(site, account) is None
    fence = await take_account(site.pool, account, "one", LONG)
    assert fence
    await save(site, account, fence, TOKEN)
    assert await kept(site, account) == TOKEN
    newer = replace(TOKEN, generation=2, access_token=b"newer", refresh_token=None)
    await save(site, account, fence, newer)
    assert await kept(site, account) == newer


@pytest.mark.parametrize("generation", [4, 5])
async def test_a_generation_is_never_overwritten_by_an_older_or_an_equal_one(
    site: Site, account: int, generation: int
) -> None:
    fence = await take_account(site.pool, account, "one", LONG)
    assert fence
    newest = replace(TOKEN, generation=5)
    await save(site, account, fence, newest)
    with pytest.raises(Fenced):
        late = replace(TOKEN, generation=generation, access_token=b"late")
        await save(site, account, fence, late)
    assert await kept(site, account) == newest


async def test_a_token_under_a_stale_fence_is_refused(site: Site, account: int) -> None:
    stale = await take_account(site.pool, account, "one", NO_TIME)
    newer = await take_account(site.pool, account, "other", LONG)
    assert (stale, newer) == (1, 2)
    with pytest.raises(Fenced):
        await save(site, account, 1, TOKEN)
    assert await kept(site, account) is None


async def test_a_token_saved_while_another_takes_the_account_is_refused(
    site: Site, account: int, connection: Connection
) -> None:
    assert await take_account(site.pool, account, "one", LONG) == 1
    raised = connection.transaction()
    await raised.start()
    await connection.execute("update harvester_data.account_lease set fence = fence + 1")
    saving = asyncio.create_task(save(site, account, 1, TOKEN))
    async with site.pool.acquire() as observer:
        await lock_waits(observer)
    await raised.commit()
    with pytest.raises(Fenced):
        await saving
    assert await kept(site, account) is None


async def test_the_fences_are_keys_and_the_ends_are_not(connection: Connection) -> None:
    """What the waiting above rests on: who changes a key waits for whoever has it FOR KEY SHARE."""
    indexed = await connection.fetch(
        "select distinct attname from pg_index join pg_attribute on attrelid = indrelid"
        " and attnum = any (indkey) where indisunique and indrelid = any ($1::regclass[])",
        ["harvester_data.tenant_lease", "harvester_data.account_lease"],
    )
    assert {row[0] for row in indexed} == {"tenant_id", "account_id", "fence"}


async def test_where_an_account_stands_is_not_written_under_a_stale_fence(
    site: Site, account: int
) -> None:
    assert await take_account(site.pool, account, "one", NO_TIME) == 1
    assert await take_account(site.pool, account, "other", LONG) == 2
    with pytest.raises(Fenced):
        await credentials.stand(site.pool, account, 1, ACTIVE, EVENT)
    assert await credentials.load(site.pool, account) is None
    assert not await site.pool.fetch("select from harvester_data.auth_event")


async def test_a_change_of_state_leaves_what_is_sealed_as_it_is(site: Site, account: int) -> None:
    """Keys may be rotated between the look at a row and the change of its state."""
    fence = await take_account(site.pool, account, "one", LONG)
    assert fence
    await save(site, account, fence, TOKEN)
    lost = replace(ACTIVE, state="answer_lost", doubt=1)
    await credentials.stand(site.pool, account, fence, lost)
    row = await credentials.load(site.pool, account)
    assert row and (row.life, row.token) == (lost, TOKEN)
