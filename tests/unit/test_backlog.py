"""What waits in memory for the database: each thing once, in order, and no more than fits."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY

from harvester.errors import Fenced, StoreError, StoreUnavailable
from harvester.harvest.outlets import Backlog
from harvester.model import Normalized, Reading, TaskReport, Window
from harvester.store.leases import Lease
from harvester.store.writer import Batch, Covers

T0 = datetime(2026, 3, 4, 10, tzinfo=UTC)
LEASE = Lease(1, 1)


def at(second: int) -> datetime:
    return T0 + timedelta(seconds=second)


def batch(feed_id: int, since: int, until: int, *values: float, **reports: str) -> Batch:
    said = Normalized([Reading("one", "temp", at(n), value) for n, value in enumerate(values)])
    said.reports = [
        TaskReport(identity=name, task=name, kind="reboot", state="unknown", stated_state=state)
        for name, state in reports.items()
    ]
    window = Window(at(since), at(until))
    return Batch(feed_id, window, False, said, at(until), Covers(at(until), looked=True))


class Database:
    """Takes batches, or refuses them; stands where the writer does, which has tests of its own."""

    def __init__(self) -> None:
        self.taken: list[Batch] = []
        self.refuses: list[StoreError] = []
        self.failures: dict[int, str] = {}

    async def write(self, _lease: Lease, batch: Batch) -> None:
        if self.refuses:
            raise self.refuses.pop(0)
        self.taken.append(batch)

    async def failed(
        self, _pool: object, _lease: Lease, feed_id: int, failure: str, _now: datetime
    ) -> None:
        self.failures[feed_id] = failure


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def backlog(database: Database, monkeypatch: pytest.MonkeyPatch) -> Backlog:
    nothing: Any = None
    writer: Any = database
    monkeypatch.setattr("harvester.store.feeds.failed", database.failed)
    return Backlog("acme", "readings", nothing, writer)


def waiting() -> float:
    labels = {"tenant": "acme", "stream": "readings"}
    return REGISTRY.get_sample_value("harvester_backlog", labels) or 0


async def test_what_is_pulled_again_and_again_waits_once_and_covers_all(
    backlog: Backlog, database: Database
) -> None:
    for n in range(50):
        await backlog.write(batch(1, 40 * n, 40 * n + 120, 21.5, 21.7, job="running"))
    assert waiting() == 2 + 1 + 1
    await backlog.drain(LEASE)
    [one] = database.taken
    assert (one.window, one.covers) == (Window(T0, at(2080)), Covers(at(2080), looked=True))
    assert [each.value for each in one.said.readings] == [21.5, 21.7]
    assert (one.said.repeated, waiting()) == (2 * 49, 0)


async def test_what_changed_meanwhile_is_written_in_its_order(
    backlog: Backlog, database: Database
) -> None:
    for n, (value, state) in enumerate([(1.0, "new"), (2.0, "done"), (1.0, "new")]):
        await backlog.write(batch(1, n, n + 9, value, job=state))
    await backlog.drain(LEASE)
    assert [each.said.readings[0].value for each in database.taken] == [1.0, 2.0, 1.0]
    assert [each.said.reports[0].stated_state for each in database.taken] == ["new", "done", "new"]


async def test_time_between_two_pulls_is_not_covered(backlog: Backlog, database: Database) -> None:
    for since in (0, 500):
        await backlog.write(batch(1, since, since + 120))
    await backlog.drain(LEASE)
    windows = [each.window for each in database.taken]
    assert windows == [Window(at(0), at(120)), Window(at(500), at(620))]


async def test_what_the_database_did_not_take_still_waits(
    backlog: Backlog, database: Database
) -> None:
    database.refuses = [StoreUnavailable("away")]
    await backlog.write(batch(1, 0, 120, 21.5))
    with pytest.raises(StoreUnavailable):
        await backlog.drain(LEASE)
    assert waiting() == 2
    await backlog.write(batch(1, 40, 160, 21.5))
    await backlog.drain(LEASE)
    assert [each.window for each in database.taken] == [Window(at(0), at(160))]


async def test_who_was_fenced_holds_nothing_back(backlog: Backlog, database: Database) -> None:
    database.refuses = [Fenced("another instance works it")]
    await backlog.write(batch(1, 0, 120, 21.5))
    with pytest.raises(Fenced):
        await backlog.drain(LEASE)
    assert waiting() == 0
    await backlog.drain(LEASE)
    assert database.taken == []


async def test_beyond_what_fits_the_feed_that_waits_longest_makes_room(
    backlog: Backlog, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harvester.harvest.outlets.MOST_HELD", 6)
    for feed_id in (1, 2, 3):
        await backlog.write(batch(feed_id, 0, 120, 21.5, 21.7))
    assert waiting() == 6
    await backlog.drain(LEASE)
    assert [each.feed_id for each in database.taken] == [2, 3]


async def test_a_feed_that_makes_room_while_it_is_brought_holds_up_nobody(
    backlog: Backlog, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harvester.harvest.outlets.MOST_HELD", 10)
    await backlog.write(batch(1, 0, 120, 1.0, 2.0, 3.0))
    draining = asyncio.create_task(backlog.drain(LEASE))
    writing = asyncio.create_task(backlog.write(batch(2, 0, 120, *map(float, range(9)))))
    await asyncio.gather(draining, writing)
    assert [each.feed_id for each in database.taken] == [2]
    assert waiting() == 0


async def test_what_waits_behind_a_refused_batch_covers_nothing(
    backlog: Backlog, database: Database
) -> None:
    for n, values in enumerate([(666.0,), (666.0, 21.0), (666.0, 21.0)]):
        await backlog.write(batch(1, 40 * n, 40 * n + 120, *values))
    database.refuses = [StoreError("refused")]
    await backlog.drain(LEASE)
    [behind] = database.taken
    assert [each.value for each in behind.said.readings] == [21.0]
    assert behind.covers is None
    assert database.failures == {1: "store: refused"}


@pytest.mark.parametrize("error", [StoreError("refused"), Fenced("another instance works it")])
async def test_after_something_was_let_go_the_next_batch_covers_nothing(
    error: StoreError, backlog: Backlog, database: Database
) -> None:
    database.refuses = [error]
    await backlog.write(batch(1, 0, 40, 1.0))
    with suppress(Fenced):
        await backlog.drain(LEASE)
    for since in (40, 80):
        await backlog.write(batch(1, since, since + 40, 2.0))
        await backlog.drain(LEASE)
    assert [each.covers for each in database.taken] == [None, Covers(at(120), looked=True)]


async def test_after_a_feed_made_room_its_next_batch_covers_nothing(
    backlog: Backlog, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harvester.harvest.outlets.MOST_HELD", 5)
    for feed_id in (1, 2):
        await backlog.write(batch(feed_id, 0, 40, 1.0, 2.0, 3.0))
    for since in (40, 80):
        await backlog.write(batch(1, since, since + 40, 4.0))
        await backlog.drain(LEASE)
    ones = [each.covers for each in database.taken if each.feed_id == 1]
    assert ones == [None, Covers(at(120), looked=True)]
