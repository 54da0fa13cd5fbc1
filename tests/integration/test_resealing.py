"""What lies sealed in the database is sealed anew, and nothing that others write is lost by it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from fix_postgres import Connection, Database
from fix_store import lock_waits
from keys import NEW, OLD
from sealed_rows import DEPLOYMENT, FIELDS, opened_rows, seal_rows

from harvester.auth import Account
from harvester.auth.held import Held
from harvester.auth.life import Life
from harvester.auth.sealed import Vault
from harvester.model import Credentials, Token
from harvester.service.resealing import Resealing
from harvester.simulator.clock import HandClock
from harvester.store import sealed
from harvester.store.credentials import Event
from harvester.store.pool import open_pool
from harvester.vault import Context, KeyRing, Keys

if TYPE_CHECKING:
    from harvester.store.pool import Pool

NOW = datetime(2026, 3, 4, 10, tzinfo=UTC)
BEFORE, AFTER = KeyRing({"old": OLD}), KeyRing({"new": NEW, "old": OLD})
USERS = ["ana", "ben", None]
RENEWED = Event(NOW, "refresh_token", "ok", None, None, None, "test")


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    async with open_pool(database.dsn, database.password) as pool:
        yield pool


def resealing(pool: Pool, ring: KeyRing = AFTER, deployment: str = DEPLOYMENT) -> Resealing:
    return Resealing(pool, ring, deployment)


async def test_every_value_is_under_the_first_key_in_the_end(pool: Pool) -> None:
    await seal_rows(pool, BEFORE, USERS)
    assert (await resealing(pool).look()).values == {"old": 12}
    assert await resealing(pool).reseal() == 12
    rows = await opened_rows(pool, KeyRing({"new": NEW}))
    assert rows == {(user or "", field): ("new", field) for user in USERS for field in FIELDS}
    found = await resealing(pool).look()
    assert (found.values, found.broken) == ({"new": 12}, [])
    assert await resealing(pool).reseal() == 0


async def test_there_may_be_more_rows_than_are_read_at_once(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed, "AT_ONCE", 2)
    await seal_rows(pool, BEFORE, [f"user {number}" for number in range(4)])
    assert await resealing(pool).reseal() == 16
    assert {key for key, _ in (await opened_rows(pool, AFTER)).values()} == {"new"}


@pytest.mark.parametrize(
    ("moved", "broken"),
    [
        (
            "update vault.credential set password = (select password from vault.credential"
            " where account_id = $2) where account_id = $1",
            ["password of acme/ana"],
        ),
        (
            "update vault.credential set password = judged where account_id in ($1, $2)",
            ["password of acme/ana", "password of acme/ben"],
        ),
        (
            "update harvester_data.account set user_name = 'eve'"
            " where account_id = least($1::int, $2::int)",
            ["access_token of acme/eve", "judged of acme/eve", "password of acme/eve"],
        ),
    ],
    ids=["row", "field", "user"],
)
async def test_a_value_that_was_moved_does_not_open_and_is_left(
    pool: Pool, moved: str, broken: list[str]
) -> None:
    ana, ben, _ = await seal_rows(pool, BEFORE, USERS)
    await pool.execute(moved, ana, ben)
    found = await resealing(pool).look()
    assert [told.partition(":")[0] for told in found.broken] == [f"the {each}" for each in broken]
    assert all("altered, or sealed for another owner" in told for told in found.broken)
    assert await resealing(pool).reseal() == found.values["old"]
    assert (await resealing(pool).look()).broken == found.broken


async def test_a_copy_of_the_database_opens_in_no_other_deployment(pool: Pool) -> None:
    await seal_rows(pool, BEFORE, USERS)
    found = await resealing(pool, deployment="south").look()
    assert (not found.values, len(found.broken)) == (True, 9)
    assert await resealing(pool, deployment="south").reseal() == 0
    assert len(await opened_rows(pool, BEFORE)) == 12


async def test_one_value_that_does_not_open_holds_up_no_other(pool: Pool) -> None:
    ana, ben, _ = await seal_rows(pool, BEFORE, USERS)
    await pool.execute("update vault.credential set key_id = 'gone' where account_id = $1", ana)
    await pool.execute("update vault.credential set judged = '' where account_id = $1", ben)
    assert await resealing(pool).reseal() == 9
    found = await resealing(pool).look()
    assert found.values == {"new": 9}
    assert [told.partition(":")[0] for told in found.broken] == [
        "the access_token of acme/ana",
        "the judged of acme/ben",
    ]


async def test_what_was_renewed_since_it_was_read_is_not_written_over(pool: Pool) -> None:
    [ana] = await seal_rows(pool, BEFORE, ["ana"])
    [row] = [each async for each in sealed.rows(pool)]
    await renew(pool, ana, BEFORE, 1)
    anew, _ = resealing(pool)._anew(row)
    assert not await sealed.replace(pool, row, anew)
    assert (await opened_rows(pool, AFTER))["ana", "access_token"] == ("old", "access 1")


async def test_a_renewal_that_commits_just_now_is_not_written_over(
    pool: Pool, connection: Connection
) -> None:
    await seal_rows(pool, BEFORE, ["ana"])
    again = BEFORE.seal("another", Context(DEPLOYMENT, "acme", "ana", "password"))
    async with connection.transaction():
        await connection.execute("update vault.credential set password = $1", again.data)
        turning = asyncio.create_task(resealing(pool).reseal())
        await lock_waits(connection)
    assert await turning == 4
    assert (await opened_rows(pool, AFTER))["ana", "password"] == ("new", "another")


async def test_no_generation_is_lost_while_all_accounts_are_renewed(pool: Pool) -> None:
    users = [f"user {number}" for number in range(5)]
    ids = await seal_rows(pool, BEFORE, users)
    rings = [BEFORE, AFTER, BEFORE, AFTER, BEFORE]
    values = 0
    for generations in (range(1, 21), range(21, 41)):
        renewing = [
            asyncio.create_task(renew(pool, each, ring, *generations, user=user))
            for each, ring, user in zip(ids, rings, users, strict=True)
        ]
        while not all(task.done() for task in renewing):
            values += await resealing(pool).reseal()
        await asyncio.gather(*renewing)
        values += await resealing(pool).reseal()
    assert values > 4 * len(users), "some were sealed anew again, as a daemon had the old keys"
    rows = await opened_rows(pool, KeyRing({"new": NEW}))
    assert {rows[user, "access_token"] for user in users} == {("new", "access 40")}
    assert {rows[user, "refresh_token"] for user in users} == {("new", "refresh 40")}
    assert {row[0] for row in await pool.fetch("select generation from vault.credential")} == {40}


async def renew(
    pool: Pool, account_id: int, ring: KeyRing, *generations: int, user: str = "ana"
) -> None:
    """As a daemon with these keys does it."""
    account = Account(account_id, "acme", "mydevices", Credentials(user), DEPLOYMENT, "test")
    vault = Vault(account, pool, Keys(lambda: ring, HandClock(NOW)))
    async with vault.alone() as fence:
        for number in generations:
            token = Token(f"access {number}", None, f"refresh {number}", None)
            await vault.save(fence, Life(), Held(token, NOW, number), RENEWED)
