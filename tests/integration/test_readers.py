"""Who reads sees the views and nothing else, finds them explained, and finds queries that run."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from fix_postgres import Connection, Database, Postgres
from fix_store import LONG, T0, Site, batch, finding, tenant, window
from reported import report

from harvester.errors import DatabaseError
from harvester.migrate import pending
from harvester.model import Channel, Feed
from harvester.store import catalog, task_reports
from harvester.store.writer import Covers

ROOT = Path(__file__).parents[2]
QUERIES = sorted(ROOT.glob("sql/queries/*.sql"))
SCHEMA = (ROOT / "docs/schema.md").read_text("utf-8")
VIEWS = [
    *("accounts", "auth_events", "coverage", "devices"),
    *("gaps", "latest_readings", "readings", "streams", "task_report_history", "task_reports"),
]
DAYS = 1440  # minutes
PLAIN = {"tenant", "platform"}
"""Columns that need no comment."""


@asynccontextmanager
async def dashboard(postgres: Postgres, database: Database) -> AsyncIterator[Connection]:
    """A login made and taken away with the words of docs/schema.md."""
    made, dropped = re.findall(r"```sql\n(.*?)```", SCHEMA, re.S)
    password = made.split("'")[1]
    await postgres.maker.execute(made)
    try:
        connection = await asyncpg.connect(
            database.dsn, user="dashboard", password=password, ssl=database.ssl
        )
        try:
            yield connection
        finally:
            await connection.close()
    finally:
        await postgres.maker.execute(dropped)


async def test_a_reader_sees_the_views_and_nothing_else(
    postgres: Postgres, database: Database, connection: Connection
) -> None:
    await connection.execute("create view harvester.added_later as select 1 as x")
    async with dashboard(postgres, database) as reader:
        for view in [*VIEWS, "added_later"]:
            await reader.fetch(f"select * from harvester.{view}")  # noqa: S608
        readable = await reader.fetch(
            "select c.oid::regclass::text"
            " from pg_class c join pg_namespace n on n.oid = relnamespace"
            " where nspname not in ('pg_catalog', 'information_schema')"
            " and has_schema_privilege(n.oid, 'usage') and relkind in ('r', 'p', 'v', 'm', 'f')"
            " and has_table_privilege(c.oid, 'select, insert, update, delete, truncate')"
        )
        names = {row[0] for row in readable}
    assert names == {f"harvester.{view}" for view in [*VIEWS, "added_later"]}


@pytest.mark.parametrize(
    "statement",
    [
        "select * from harvester_data.reading",
        "select * from harvester_data.migration",
        "select * from harvester_data.account",
        "select * from vault.credential",
        "select harvester_data.reading_partitions()",
        "select harvester_data.make_reading_partition(now(), 'day')",
        "update harvester.readings set raw_value = 0",
        "insert into harvester.devices (device) values ('x')",
        "delete from harvester.coverage",
        "truncate harvester.readings",
        "drop view harvester.readings",
        "create table harvester.mine (x int)",
        "create table public.mine (x int)",
        "create schema mine",
        "alter role harvester_reader createrole",
    ],
)
async def test_a_reader_cannot(postgres: Postgres, database: Database, statement: str) -> None:
    async with dashboard(postgres, database) as reader:
        with pytest.raises(
            (
                asyncpg.InsufficientPrivilegeError,
                asyncpg.ObjectNotInPrerequisiteStateError,  # no view of ours can be written to
                asyncpg.WrongObjectTypeError,
            )
        ):
            await reader.execute(statement)


async def test_every_view_and_every_column_that_needs_it_is_explained(
    connection: Connection,
) -> None:
    rows = await connection.fetch(
        "select c.relname, a.attname, col_description(c.oid, a.attnum) as explained,"
        " obj_description(c.oid) as view"
        " from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0"
        " where c.relnamespace = 'harvester'::regnamespace"
    )
    assert sorted({row["relname"] for row in rows}) == VIEWS
    assert [row["relname"] for row in rows if not row["view"]] == []
    silent = {
        (row["relname"], row["attname"])
        for row in rows
        if not row["explained"] and row["attname"] not in PLAIN
    }
    assert silent == set()


async def test_the_document_names_every_view_column_and_query(connection: Connection) -> None:
    columns = await connection.fetch(
        "select column_name from information_schema.columns where table_schema = 'harvester'"
    )
    words = set(re.findall(r"`([\w.]+)`", SCHEMA))
    assert {row[0] for row in columns} - words == set()
    assert {*VIEWS, *(path.name for path in QUERIES)} - words == set()
    assert {word for word in words if word.endswith(".sql")} == {path.name for path in QUERIES}
    assert len(SCHEMA.splitlines()) < 150


@pytest.fixture
async def lived_in(site: Site) -> Site:
    """A day of two devices, of which one sent something, and a third that nobody sees."""
    now = (datetime.now(UTC) - T0) / timedelta(minutes=1)
    ann = (await catalog.accounts(site.pool, site.lease, ["ann"]))["ann"]
    channel = Channel("temp", "Room", "temp", "c")
    for device, name in (("heard", "Attic"), ("silent", None)):
        feed = Feed("readings", device, (device,))
        await site.save(finding(device, channel, feeds=[feed], account_id=ann, name=name))
    await site.save(finding("unseen"))
    day = window(now - DAYS, now)
    covers = Covers(day.since, looked=True)
    said = [("heard", "temp", now - age, 20.0 + age) for age in (1, 61, 121)]
    await site.write(
        batch(await site.feed_id("heard"), *said, span=day, covers=covers),
        batch(await site.feed_id("silent"), span=day, covers=covers),
    )
    return site


async def answer(site: Site, name: str) -> list[dict[str, Any]]:
    text = (ROOT / "sql/queries" / name).read_text("utf-8")
    assert text.startswith("-- ")
    return [dict(row) for row in await site.pool.fetch(text)]


async def test_the_newest_temperature_of_each_device(lived_in: Site) -> None:
    (row,) = await answer(lived_in, "latest_temperature.sql")
    assert (row["device"], row["value"], row["unit"]) == ("Attic", 21.0, "Cel")


async def test_one_quantity_hour_by_hour(lived_in: Site) -> None:
    rows = await answer(lived_in, "hourly_mean.sql")
    assert [(row["mean"], row["least"], row["readings"]) for row in rows] == [
        (141.0, 141.0, 1),
        (81.0, 81.0, 1),
        (21.0, 21.0, 1),
    ]


async def test_what_of_the_last_day_is_not_there(lived_in: Site) -> None:
    rows = await answer(lived_in, "gaps_of_the_last_day.sql")
    assert [(row["feed"], row["kind"], row["reason"]) for row in rows] == [
        ("heard", "missing", "not pulled yet"),
        ("silent", "missing", "not pulled yet"),
    ]
    assert all(timedelta(0) < row["lasts"] < LONG for row in rows)


async def test_devices_that_sent_nothing_and_devices_that_were_not_asked(lived_in: Site) -> None:
    rows = await answer(lived_in, "silent_devices.sql")
    assert [(row["device"], row["because"].partition(":")[0]) for row in rows] == [
        ("silent", "silent"),
        ("unseen", "known, but not pulled"),
    ]


async def test_tenants_beside_each_other(lived_in: Site) -> None:
    async with (
        tenant(lived_in.pool, "other") as other,
        tenant(lived_in.pool, "without devices") as empty,
    ):
        await other.feed("never pulled")
        one, another, last = await answer(lived_in, "compare_tenants.sql")
    assert timedelta(0) < one.pop("greatest_lag") < LONG
    assert list(one.values()) == [lived_in.name, "mydevices", 3, 1, 3, 1, 0]
    assert list(another.values()) == [other.name, "mydevices", 1, 0, 0, 0, None, 0]
    assert list(last.values()) == [empty.name, "mydevices", 0, 0, 0, 0, None, 0]


async def test_who_needs_a_person_and_what_token_calls_came_to(lived_in: Site) -> None:
    ids = await catalog.accounts(lived_in.pool, lived_in.lease, ["ana", "bob", None])
    stand = (
        "insert into vault.credential (account_id, state, reason, since) values ($1, $2, $3, now())"
    )
    await lived_in.pool.execute(stand, ids["ana"], "quarantined", "bad_credentials")
    await lived_in.pool.execute(stand, ids["bob"], "active", None)
    event = (
        'insert into harvester_data.auth_event (at, account_id, "grant", outcome, reason, instance)'
        " values (now() - $3::interval, $1, 'password', 'definite', $2, 'test')"
    )
    for user, age in (("ana", 0), ("ana", 1), ("bob", 1), ("bob", 25)):
        await lived_in.pool.execute(event, ids[user], "bad_credentials", timedelta(hours=age))
    [who] = await answer(lived_in, "accounts_that_need_a_person.sql")
    assert (who["user"], who["state"], who["reason"]) == ("ana", "quarantined", "bad_credentials")
    [calls] = await answer(lived_in, "token_calls_of_the_last_day.sql")
    assert (calls["grant"], calls["outcome"], calls["calls"], calls["users"]) == (
        *("password", "definite"),
        *(3, 2),
    )


@pytest.fixture
async def ran(lived_in: Site) -> Site:
    """Two tasks: one failed and vanished in its re-run, the other failed long ago."""
    now = datetime.now(UTC)
    feed = await lived_in.feed_id("heard")
    for age, state in ((3, "pending"), (2, "failed"), (1, "running")):
        then = now - timedelta(hours=age)
        said = report(state=state, updated_at=then, result={"age": age})
        await lived_in.write(batch(feed, reports=[said], pulled_at=then))
    for identity, days in (("yesterday", 0.9), ("before", 1.1)):
        then = now - timedelta(days=days)
        said = report(identity, device=None, state="expired", stated_state="late", updated_at=then)
        await lived_in.write(batch(feed, reports=[said], pulled_at=now))
    await task_reports.vanished(lived_in.pool, lived_in.lease, ["one/7"], now)
    return lived_in


async def test_tasks_that_failed_within_a_day(ran: Site) -> None:
    [row] = await answer(ran, "failed_tasks_of_the_last_day.sql")
    assert (row["device"], row["state"], row["stated_state"]) == (None, "expired", "late")
    assert timedelta(hours=21) < datetime.now(UTC) - row["changed_at"] < timedelta(hours=22)


async def test_what_tasks_went_through_and_for_how_long(ran: Site) -> None:
    rows = await answer(ran, "task_history.sql")
    hour = timedelta(hours=1)
    assert [(row["device"], row["state"], row["lasted"]) for row in rows] == [
        ("one", "pending", hour),
        ("one", "failed", hour),
        ("one", "running", hour),
        ("one", "vanished", None),
        (None, "expired", None),
    ]


@pytest.mark.usefixtures("ran")
async def test_a_reader_sees_what_tasks_came_to(postgres: Postgres, database: Database) -> None:
    async with dashboard(postgres, database) as reader:
        found = await reader.fetch(
            "select t.state, h.state as before, h.result ->> 'age' as age"
            " from harvester.task_reports t"
            " join harvester.task_report_history h using (tenant, identity)"
            " where t.device = 'one' order by h.revision"
        )
    assert [tuple(row) for row in found] == [
        ("running", "pending", "3"),
        ("running", "failed", "2"),
        ("running", "running", "1"),
        ("running", "running", "1"),
    ]


async def test_each_query_of_the_cookbook_is_run_by_a_reader(
    postgres: Postgres, database: Database
) -> None:
    assert len(QUERIES) == 10
    async with dashboard(postgres, database) as reader:
        for path in QUERIES:
            assert await reader.fetch(path.read_text("utf-8")) == []


async def test_a_reader_who_runs_a_command_is_sent_to_psql(
    postgres: Postgres, database: Database
) -> None:
    async with dashboard(postgres, database) as reader:
        with pytest.raises(DatabaseError, match="members of harvester_reader use psql") as refused:
            await pending(reader)
    assert "CREATEROLE" not in str(refused.value)
