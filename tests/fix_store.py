"""A tenant in a fresh database, its lease held, and the parts of the store that write for it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import asyncpg
import pytest
from fix_postgres import Database
from prometheus_client import REGISTRY

from harvester import channels
from harvester.metrics import expect, forget
from harvester.model import (
    Channel,
    Counts,
    Device,
    Discovered,
    Feed,
    Normalized,
    Reading,
    Rejection,
    TaskReport,
    Window,
)
from harvester.platforms.mydevices.meanings import MEANINGS
from harvester.store import catalog, discovery, leases
from harvester.store.catalog import Ids
from harvester.store.discovery import Discovery, Finding
from harvester.store.leases import Lease
from harvester.store.partitions import Partitions, Width
from harvester.store.pool import open_pool
from harvester.store.writer import Batch, Covers, Writer

if TYPE_CHECKING:
    from harvester.store.pool import Connection as Observer, Pool

T0 = datetime(2026, 3, 4, 10, tzinfo=UTC)
NOBODY = 0
"""No account has this id."""
LONG = timedelta(minutes=5)
_numbers = itertools.count(1)

Said = tuple[str, str, float, float | str]
"""device, channel, minute, value"""


def at(minute: float) -> datetime:
    return T0 + timedelta(minutes=minute)


def window(since: float, until: float) -> Window:
    return Window(at(since), at(until))


DAY = window(0, 1440)


def batch(
    feed_id: int,
    *said: Said,
    fresh: bool = False,
    span: Window = DAY,
    rejections: Sequence[Rejection] = (),
    repeated: int = 0,
    reports: Sequence[TaskReport] = (),
    covers: Covers | None = None,
    pulled_at: datetime = DAY.until,
) -> Batch:
    readings = [
        Reading(device, channel, at(minute), value) for device, channel, minute, value in said
    ]
    normalized = Normalized(readings, list(rejections), repeated, list(reports))
    return Batch(feed_id, span, fresh, normalized, pulled_at, covers)


@dataclass(slots=True)
class Site:
    """A tenant and what writes for it."""

    name: str
    pool: Pool
    lease: Lease
    ids: Ids
    writer: Writer

    async def save(
        self,
        *findings: Finding,
        whole_sight_of: int = NOBODY,
        now: datetime = T0,
        wanted_since: datetime = T0,
    ) -> None:
        found = Discovery(findings, whole_sight_of, wanted_since, now, answered_at=now)
        await discovery.save(self.pool, self.lease, self.ids, found)

    async def feed(self, key: str, *devices: str) -> int:
        """The id of a feed that serves these devices, wanted from T0 on."""
        feed = Feed("readings", key, devices)
        await self.save(*(finding(device, feeds=[feed]) for device in devices or (key,)))
        return await self.feed_id(key)

    async def feed_id(self, key: str) -> int:
        found: int = await self.pool.fetchval(
            "select feed_id from harvester_data.feed where tenant_id = $1 and key = $2",
            self.lease.tenant_id,
            key,
        )
        return found

    async def write(self, *batches: Batch) -> None:
        """All at once, in this order."""
        async with asyncio.TaskGroup() as group:
            for each in batches:
                group.create_task(self.writer.write(self.lease, each))

    async def held(self) -> dict[tuple[str, str, datetime], float | str]:
        """What the tables hold. Fails where an instant of a series stands in both."""
        rows = await self.pool.fetch(
            """
            select d.identifier, s.channel, r.ts, r.value, null as text
            from harvester_data.reading r
            join harvester_data.series s using (device_id, series_id)
            join harvester_data.device d using (device_id) where d.tenant_id = $1
            union all
            select d.identifier, s.channel, r.ts, null, r.value
            from harvester_data.reading_text r
            join harvester_data.series s using (device_id, series_id)
            join harvester_data.device d using (device_id) where d.tenant_id = $1
            """,
            self.lease.tenant_id,
        )
        held = {(r[0], r[1], r[2]): r[3] if r[4] is None else r[4] for r in rows}
        assert len(held) == len(rows)
        return held

    async def coverage(self, feed_id: int) -> asyncpg.Record:
        row = await self.pool.fetchrow(
            "select * from harvester_data.coverage where feed_id = $1", feed_id
        )
        assert row
        return row

    def counts(self) -> Counts:
        """What was counted so far. Fails where it does not add up to what was pulled."""
        labels = {"tenant": self.name}
        pulled, *rest = (
            int(REGISTRY.get_sample_value(f"harvester_readings_{each}_total", labels) or 0)
            for each in ("pulled", "stored", "corrected", "unchanged", "rejected")
        )
        assert pulled == sum(rest)
        return Counts(*rest)

    def groups(self) -> dict[str, int]:
        """How many groups were committed, by the way they went."""
        return {
            path: int(count)
            for path in ("straight", "staged", "fell_back")
            if (
                count := REGISTRY.get_sample_value(
                    "harvester_store_groups_total", {"tenant": self.name, "path": path}
                )
            )
        }


def finding(
    device: str,
    *said: Channel,
    feeds: Iterable[Feed] = (),
    account_id: int | None = None,
    name: str | None = None,
    kind: str | None = None,
) -> Finding:
    """A device as a discovery found it, its channels understood as the daemon does."""
    found = Discovered(Device(device, name, kind, said), tuple(feeds))
    meanings = {each: channels.meaning(MEANINGS, each.type, each.unit) for each in said}
    return Finding(found, account_id, meanings)


async def lock_waits(observer: Observer, count: int = 1) -> None:
    """Until so many sessions of the observer's database wait for a lock."""
    waiting = (
        "select count(*) from pg_stat_activity"
        " where datname = current_database() and wait_event_type = 'Lock'"
    )
    while await observer.fetchval(waiting) < count:
        await asyncio.sleep(0.005)
        await observer.execute("select pg_stat_clear_snapshot()")  # else a transaction sees one


async def end_sessions(observer: Observer) -> None:
    """End the sessions of everybody else, as a crash of the server does."""
    await observer.fetch(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
        " and backend_type = 'client backend'"  # autovacuum's may not be ended by everybody
    )


class Line:
    """A way to the database that can be cut and mended, or frozen: open, and nothing comes."""

    def __init__(self, database: Database) -> None:
        self._parts = urlsplit(database.dsn)
        self._port = 0
        self._writers: list[asyncio.StreamWriter] = []
        self._flows = asyncio.Event()
        self._flows.set()

    @property
    def dsn(self) -> str:
        user = self._parts.username
        return self._parts._replace(netloc=f"{user}@127.0.0.1:{self._port}").geturl()

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        self._flows.set()
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def freeze(self) -> None:
        self._flows.clear()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        there = await asyncio.open_connection(self._parts.hostname, self._parts.port)
        self._writers.append(there[1])
        if writer.transport.is_closing() or not self._server.is_serving():
            writer.transport.abort()  # cut before this one was through: nothing may pass it
            there[1].transport.abort()
            return
        await asyncio.gather(self._pump(reader, there[1]), self._pump(there[0], writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(2**16):
                await self._flows.wait()
                writer.write(data)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def line_to(database: Database) -> AsyncIterator[Line]:
    line = Line(database)
    await line.mend()
    try:
        yield line
    finally:
        line.cut()


@asynccontextmanager
async def tenant(pool: Pool, name: str = "acme", width: Width = "month") -> AsyncIterator[Site]:
    """A tenant of a name like this, which nobody counted for before."""
    name = f"{name}-{next(_numbers)}"
    tenant_id = await catalog.tenant(pool, name, "mydevices")
    lease = await leases.take(pool, tenant_id, "test", LONG)
    assert lease
    ids = Ids(pool)
    expect(name, "mydevices")
    yield Site(name, pool, lease, ids, Writer(pool, name, ids, Partitions(pool, width)))
    forget(name)


@pytest.fixture
async def site(database: Database) -> AsyncIterator[Site]:
    """A tenant of `database`, written for over the daemon's own kind of connections."""
    async with open_pool(database.dsn, database.password) as pool, tenant(pool) as site:
        yield site
