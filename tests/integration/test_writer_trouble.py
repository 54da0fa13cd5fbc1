"""A batch that is refused, a writer that is cancelled, a database that goes away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from fix_postgres import Connection, Database, Postgres
from fix_store import LONG, T0, Site, batch, end_sessions, line_to, lock_waits, tenant

from harvester.errors import StoreError, StoreUnavailable
from harvester.model import Counts
from harvester.store import catalog, leases
from harvester.store.pool import open_pool
from harvester.store.writer import Batch, Covers

COVERS = Covers(T0, looked=False)


@pytest.fixture
async def batches(site: Site) -> list[Batch]:
    """One of each of four feeds; the first is written before the others, which make a group."""
    ids = [await site.feed(f"feed {n}", f"device {n}") for n in range(4)]
    return [
        batch(each, (f"device {n}", "temp", 0, float(n)), covers=COVERS)
        for n, each in enumerate(ids)
    ]


@asynccontextmanager
async def held_up(connection: Connection, feed_id: int) -> AsyncIterator[None]:
    """A commit of this feed's coverage waits until the end of the block."""
    async with connection.transaction():
        await connection.execute(
            "select from harvester_data.coverage where feed_id = $1 for update", feed_id
        )
        yield


@asynccontextmanager
async def waiting(
    site: Site, batches: list[Batch], connection: Connection, *, at: Batch
) -> AsyncIterator[list[asyncio.Task[None]]]:
    """All of them on their way, until the commit of one is held up; it goes on after the block."""
    async with held_up(connection, at.feed_id):
        tasks = begun(site, batches)
        await lock_waits(connection)
        yield tasks


def begun(site: Site, batches: list[Batch]) -> list[asyncio.Task[None]]:
    return [asyncio.create_task(site.writer.write(site.lease, each)) for each in batches]


async def outcomes(tasks: list[asyncio.Task[None]]) -> list[type | None]:
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    return [None if each is None else type(each) for each in ended]


async def stored(site: Site) -> set[float | str]:
    return set((await site.held()).values())


@pytest.mark.parametrize(
    "refused",
    [
        ("device 1", "temp", 0, "NUL \0"),
        ("device 1", "lone surrogate", 0, "\ud800"),
        ("device 1", "NUL \0", 0, 1.0),
        ("lone surrogate \ud800", "temp", 0, 1.0),
    ],
)
async def test_a_batch_that_the_database_refuses_does_not_take_the_others_with_it(
    site: Site, batches: list[Batch], refused: tuple[str, str, float, float | str]
) -> None:
    batches[1] = batch(batches[1].feed_id, refused, covers=COVERS)
    assert await outcomes(begun(site, batches)) == [None, StoreError, None, None]
    assert await stored(site) == {0.0, 2.0, 3.0}
    covered = [bool((await site.coverage(each.feed_id))["pulled"]) for each in batches]
    assert covered == [True, False, True, True]
    assert site.counts() == Counts(stored=3)


async def test_who_is_cancelled_before_its_turn_stores_nothing_and_stops_nobody(
    site: Site, batches: list[Batch], connection: Connection
) -> None:
    async with waiting(site, batches, connection, at=batches[0]) as tasks:
        tasks[2].cancel()
    assert await outcomes(tasks) == [None, None, asyncio.CancelledError, None]
    assert await stored(site) == {0.0, 1.0, 3.0}


async def test_who_is_cancelled_as_it_writes_for_others_does_not_take_them_with_it(
    site: Site, batches: list[Batch], connection: Connection
) -> None:
    async with waiting(site, batches, connection, at=batches[1]) as tasks:
        tasks[1].cancel()
        assert await outcomes(tasks) == [None, asyncio.CancelledError, None, None]
    assert await stored(site) == {0.0, 2.0, 3.0}
    assert site.counts() == Counts(stored=3)


async def test_who_is_cancelled_as_it_writes_them_one_by_one_does_not_either(
    site: Site, batches: list[Batch], connection: Connection
) -> None:
    batches[1] = batch(batches[1].feed_id, ("device 1", "temp", 0, "NUL \0"))
    async with waiting(site, batches, connection, at=batches[2]) as tasks:
        tasks[1].cancel()
        await asyncio.wait(tasks[1:2])
    assert await outcomes(tasks) == [None, asyncio.CancelledError, None, None]
    assert await stored(site) == {0.0, 2.0, 3.0}


async def test_equal_batches_are_not_mistaken_for_each_other(
    site: Site, batches: list[Batch], connection: Connection
) -> None:
    same = [batches[0], batches[1], batches[1]]
    async with waiting(site, same, connection, at=batches[0]) as tasks:
        tasks[2].cancel()
        await asyncio.wait(tasks[2:])
        tasks += begun(site, [batches[1]])
    assert await outcomes(tasks) == [None, None, asyncio.CancelledError, None]
    assert site.counts() == Counts(stored=2, unchanged=1)


async def test_sessions_that_are_ended_roll_all_back_and_the_next_write_succeeds(
    site: Site, batches: list[Batch], connection: Connection
) -> None:
    async with waiting(site, batches, connection, at=batches[1]) as tasks:
        await end_sessions(connection)
        assert await outcomes(tasks) == [None, *[StoreUnavailable] * 3]
    assert await stored(site) == {0.0}
    assert (await site.coverage(batches[1].feed_id))["pulled"] == []
    await site.write(*batches)
    assert await stored(site) == {0.0, 1.0, 2.0, 3.0}
    assert site.counts() == Counts(stored=4, unchanged=1)


async def test_a_database_that_is_away_is_told_and_found_again(database: Database) -> None:
    async with (
        line_to(database) as line,
        open_pool(line.dsn, database.password) as pool,
        tenant(pool) as far,
    ):
        one = batch(await far.feed("one"), ("one", "temp", 0, 1.0), covers=COVERS)
        line.cut()
        asked = [
            far.writer.write(far.lease, one),
            leases.extend(pool, far.lease, LONG),
            catalog.tenant(pool, "another", "mydevices"),
        ]
        for each in asked:
            with pytest.raises(StoreUnavailable):
                await each
        await line.mend()
        await far.write(one)
        assert await stored(far) == {1.0}


async def test_a_database_that_was_renamed_is_away(
    postgres: Postgres, site: Site, connection: Connection
) -> None:
    one = batch(await site.feed("one"), ("one", "temp", 0, 1.0))
    name = await connection.fetchval("select current_database()")
    # Else the pool has a new connection by now, and who is connected stops the renaming.
    await postgres.maker.execute(f"alter database {name} allow_connections false")
    await end_sessions(connection)
    await connection.close()
    await postgres.maker.execute(f"alter database {name} rename to {name}_away")
    try:
        assert asyncpg.InvalidCatalogNameError in await causes(site, one)
    finally:
        await postgres.maker.execute(f"alter database {name}_away rename to {name}")
        await postgres.maker.execute(f"alter database {name} allow_connections true")
    await site.write(one)


async def test_a_database_that_became_read_only_is_away(site: Site, connection: Connection) -> None:
    one = batch(await site.feed("one"), ("one", "temp", 0, 1.0))
    name = await connection.fetchval("select current_database()")
    await connection.execute(f"alter database {name} set default_transaction_read_only = on")
    await end_sessions(connection)
    assert asyncpg.ReadOnlySQLTransactionError in await causes(site, one)


async def causes(site: Site, one: Batch) -> list[type[BaseException | None]]:
    """Why the database is away, again and again: a session that was ended says so only once."""
    found = []
    for _ in range(3):
        with pytest.raises(StoreUnavailable) as told:
            await site.writer.write(site.lease, one)
        found.append(type(told.value.__cause__))
    return found
