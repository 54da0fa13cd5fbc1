"""The order of a renewal, seen from outside: nothing is sent or handed out before it is durable."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from befallen import Gate
from fix_platforms import Stage, login, staged
from fix_postgres import Connection, Database
from fix_store import lock_waits
from persons import log_in

from harvester.errors import CredentialRefused
from harvester.model import Credentials
from harvester.simulator.faults import Fault, refuse
from harvester.store.pool import open_pool

TOKEN_CALL = "/oauth/token"
DAY = timedelta(days=1)


@pytest.fixture
async def stage(database: Database) -> AsyncIterator[Stage]:
    """On a database of its own, as all sessions there are looked at."""
    async with (
        open_pool(database.dsn, database.password) as pool,
        staged("mydevices", pool, quirk="rotating refresh tokens") as stage,
    ):
        yield stage


async def asked(observer: Connection) -> tuple[object, ...]:
    """State and last grant of the only account, as others see them."""
    row = await observer.fetchrow(
        "select state, asked_grant, doubt, tries, generation from vault.credential"
    )
    return tuple(row) if row else ()


async def open_transactions(observer: Connection) -> int:
    found: int = await observer.fetchval(
        "select count(*) from pg_stat_activity where datname = current_database()"
        " and pid <> pg_backend_pid() and state <> 'idle'"
    )
    return found


async def events(observer: Connection) -> list[tuple[object, ...]]:
    rows = await observer.fetch(
        'select "grant", outcome, reason, code, status, instance'
        " from harvester_data.auth_event order by event_id"
    )
    return [tuple(row) for row in rows]


async def test_the_intent_is_committed_before_the_call_and_nothing_is_open_during_it(
    stage: Stage, connection: Connection
) -> None:
    keeper = await stage.keeper()
    for intent in (
        ("renewing", "password", 0, 1, 0),
        ("renewing", "refresh_token", 1, 0, 1),
        ("renewing", "refresh_token", 1, 0, 2),
    ):
        gate = Gate()
        stage.fake.faults.add(Fault(TOKEN_CALL, gate))
        asking = asyncio.create_task(keeper.token())
        await gate.arrived.wait()
        assert await asked(connection) == intent
        assert await open_transactions(connection) == 0
        gate.open.set()
        await asking
        stage.clock.advance(DAY)


async def test_the_account_is_leased_during_the_call_and_free_after_it(
    stage: Stage, connection: Connection
) -> None:
    held = "select count(*) from harvester_data.account_lease where until > now() + '5 min'"
    keeper, gate = await stage.keeper(), Gate()
    stage.fake.faults.add(Fault(TOKEN_CALL, gate))
    asking = asyncio.create_task(keeper.token())
    await gate.arrived.wait()
    assert await connection.fetchval(held) == 1
    gate.open.set()
    await asking
    assert await connection.fetchval(held) == 0


async def test_the_token_is_in_the_database_before_anybody_has_it(
    stage: Stage, connection: Connection
) -> None:
    keeper, gate = await stage.keeper(), Gate()
    stage.fake.faults.add(Fault(TOKEN_CALL, gate))
    asking = [asyncio.create_task(keeper.token()) for _ in range(5)]
    await gate.arrived.wait()
    async with connection.transaction():
        await connection.execute("select from vault.credential for update")
        gate.open.set()
        await lock_waits(connection)  # the commit, and with it whoever asked
        assert list((stage.spills / "one").glob("*"))
        assert not any(each.done() for each in asking)
    assert len({id(await each) for each in asking}) == 1
    assert await asked(connection) == ("active", "password", 0, 0, 1)
    assert list((stage.spills / "one").glob("*")) == []


async def test_each_call_and_what_came_of_it_is_in_the_audit_trail(
    stage: Stage, connection: Connection
) -> None:
    await log_in(stage)
    keeper = await stage.keeper(login(stage.ana, "wrong"))
    stage.clock.advance(DAY)
    stage.fake.faults.add(Fault(TOKEN_CALL, refuse(503)))
    with pytest.raises(Exception, match="503"):
        await keeper.token()
    stage.clock.advance(3 * DAY)
    with pytest.raises(CredentialRefused):
        await keeper.token()
    with pytest.raises(CredentialRefused):
        await (await stage.keeper(Credentials("nobody"))).token()
    assert await events(connection) == [
        ("password", "ok", None, None, None, "person"),
        ("refresh_token", "transient", "server_failed", None, None, "one"),
        ("password", "definite", "bad_credentials", "invalid_grant", 401, "one"),
    ]


async def test_what_the_people_see_is_what_is_so(stage: Stage, connection: Connection) -> None:
    query = 'select state, reason, tries, keeps_password from harvester.accounts where "user" = $1'
    keeper = await stage.keeper()
    assert tuple(await connection.fetchrow(query, stage.ana.name) or ()) == (
        "unproven",
        None,
        None,
        False,
    )
    await keeper.token()
    assert tuple(await connection.fetchrow(query, stage.ana.name) or ()) == (
        "active",
        None,
        0,
        False,
    )
    await log_in(stage, keep=True)
    stage.clock.advance(3 * DAY)
    with pytest.raises(CredentialRefused):
        await (await stage.keeper(login(stage.ana, "wrong"))).token()
    assert tuple(await connection.fetchrow(query, stage.ana.name) or ()) == (
        "active",
        None,
        1,
        True,
    )
