"""A database is brought to our schema once, or a sentence says why it is not."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from urllib.parse import urlsplit

import asyncpg
import pytest
from fix_postgres import Connection, Database, Postgres
from fix_store import lock_waits

from harvester import migrate as room
from harvester.errors import DatabaseError
from harvester.migrate import Migration, migrate, migrations, pending

FILES = migrations()
PASSWORD = "made up"
_numbers = itertools.count(1)


@pytest.fixture
async def empty(postgres: Postgres) -> AsyncIterator[Database]:
    async with postgres.made("template1") as database:
        yield database


@pytest.fixture
async def reader(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """The readers' role under a name that this server has not met."""
    name = f"harvester_test_reader_{next(_numbers)}"
    files = [replace(m, text=m.text.replace("harvester_reader", name)) for m in FILES]
    monkeypatch.setattr(room, "migrations", lambda: files)
    yield name
    await postgres.maker.execute(f"drop role if exists {name}")


@asynccontextmanager
async def owned(postgres: Postgres, powers: str) -> AsyncIterator[Connection]:
    """To an empty database, as its owner, who has these powers in the cluster."""
    if postgres.maker.get_settings().is_superuser != "on":
        pytest.skip("takes a superuser, who gives databases away")
    name = f"harvester_test_owner_{next(_numbers)}"
    await postgres.maker.execute(f"create role {name} login password '{PASSWORD}' {powers}")
    async with postgres.made("template1") as database:
        given = urlsplit(database.dsn).path.lstrip("/")
        await postgres.maker.execute(f"alter database {given} owner to {name}")
        connection = await asyncpg.connect(database.dsn, user=name, password=PASSWORD, ssl=False)
        try:
            yield connection
        finally:
            await connection.close()
    await postgres.maker.execute(f"drop role {name}")


async def ledger(connection: Connection) -> dict[str, str]:
    rows = await connection.fetch("select name, checksum from harvester_data.migration")
    return {row["name"]: row["checksum"] for row in rows}


async def test_an_empty_database_gets_every_file_in_order(empty: Database) -> None:
    async with empty.connected() as connection:
        applied = await migrate(connection)
        assert applied == [migration.name for migration in FILES]
        assert [name[:4] for name in applied] == [f"{n:04}" for n in range(1, len(applied) + 1)]
        assert await ledger(connection) == {m.name: m.checksum for m in FILES}
        assert await connection.fetchval("select count(*) from harvester.readings") == 0


async def test_a_second_time_there_is_nothing_to_do(connection: Connection) -> None:
    before = await ledger(connection)
    assert await migrate(connection) == []
    assert await ledger(connection) == before


async def test_what_is_missing_is_named_without_doing_it(empty: Database) -> None:
    async with empty.connected() as connection:
        assert await pending(connection) == [migration.name for migration in FILES]
        assert await connection.fetchval("select to_regnamespace('harvester_data')") is None
        await migrate(connection)
        assert await pending(connection) == []


async def test_of_two_at_once_one_works_and_the_other_waits(empty: Database) -> None:
    async with empty.connected() as one, empty.connected() as other:
        applied = await asyncio.gather(migrate(one), migrate(other))
        assert sorted(map(len, applied)) == [0, len(FILES)]


async def test_only_what_is_missing_is_applied(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = Migration(9998, "9998_more.sql", "create table harvester_data.more (x int)")
    monkeypatch.setattr(room, "migrations", lambda: [*FILES, added])
    assert await migrate(connection) == ["9998_more.sql"]
    assert await migrate(connection) == []


@pytest.mark.parametrize(
    "fault", ["select 1/0", "alter table harvester_data.migration rename to not_to_be_found"]
)
async def test_a_file_that_fails_leaves_nothing_behind_not_even_the_lock(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    broken = Migration(9998, "9998_half.sql", f"create table harvester_data.half (); {fault}")
    monkeypatch.setattr(room, "migrations", lambda: [*FILES, broken])
    with pytest.raises(DatabaseError, match="could not be migrated"):
        await migrate(connection)
    assert await connection.fetchval("select to_regclass('harvester_data.half')") is None
    held = "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"
    assert await connection.fetchval(held) == 0


async def test_a_file_that_was_changed_is_refused(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = [replace(FILES[0], text=FILES[0].text + "-- changed"), *FILES[1:]]
    monkeypatch.setattr(room, "migrations", lambda: changed)
    with pytest.raises(DatabaseError, match=r"made with another 0001_tables\.sql than this"):
        await migrate(connection)


async def test_a_newer_database_is_refused(connection: Connection) -> None:
    await connection.execute(
        "insert into harvester_data.migration values (9999, '9999_later.sql', 'x')"
    )
    with pytest.raises(DatabaseError, match=r"it has 9999_later\.sql.*Install the newer harvester"):
        await migrate(connection)


async def test_too_old_a_server_is_refused_before_anything_is_made(
    empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "OLDEST_POSTGRES", 99)
    async with empty.connected() as connection:
        with pytest.raises(DatabaseError, match="harvester needs 99 or newer"):
            await migrate(connection)
        found = "select count(*) from pg_namespace where nspname ~ 'harvester'"
        assert await connection.fetchval(found) == 0


async def test_without_createrole_the_readers_role_is_made_beforehand(
    postgres: Postgres, reader: str
) -> None:
    async with owned(postgres, "nocreaterole") as connection:
        with pytest.raises(DatabaseError, match="CREATE ROLE harvester_reader NOLOGIN"):
            await migrate(connection)
        await postgres.maker.execute(f"create role {reader} nologin")
        assert (await migrate(connection))[-1] == FILES[-1].name
        may_read = "select has_table_privilege($1, 'harvester.readings', 'select')"
        assert await connection.fetchval(may_read, reader)


async def test_with_createrole_nobody_has_to_make_it(postgres: Postgres, reader: str) -> None:
    async with owned(postgres, "createrole") as connection:
        await migrate(connection)
        may_log_in = "select rolcanlogin from pg_roles where rolname = $1"
        assert await connection.fetchval(may_log_in, reader) is False


async def test_who_does_not_own_the_database_is_told_so(
    postgres: Postgres, empty: Database
) -> None:
    async with owned(postgres, "") as elsewhere:
        user = await elsewhere.fetchval("select current_user")
        stranger = await asyncpg.connect(empty.dsn, user=user, password=PASSWORD, ssl=False)
        try:
            with pytest.raises(DatabaseError, match="must own the database"):
                await migrate(stranger)
        finally:
            await stranger.close()


async def test_two_databases_of_one_server_may_make_the_role_at_the_same_moment(
    postgres: Postgres, reader: str, empty: Database
) -> None:
    async with (
        empty.connected() as connection,
        empty.connected() as observer,
        postgres.login.connected() as elsewhere,
    ):
        async with elsewhere.transaction():
            await elsewhere.execute(f"create role {reader} nologin")
            migrating = asyncio.create_task(migrate(connection))
            await lock_waits(observer)
        assert len(await migrating) == len(FILES)


async def test_a_server_that_dies_meanwhile_is_told_in_a_sentence(
    database: Database, connection: Connection
) -> None:
    async with database.connected() as other:
        await other.execute("select pg_terminate_backend($1)", connection.get_server_pid())
    with pytest.raises(DatabaseError, match="could not be migrated"):
        await migrate(connection)
