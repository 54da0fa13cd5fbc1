"""A report of a task is one row as it stands, and a row for each change that was seen of it."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest
from fix_postgres import Connection
from fix_store import LONG, T0, Site, at, batch, lock_waits
from reported import history, outcomes, report, reports

from harvester.errors import Fenced, StoreError
from harvester.model import FINAL, Counts, TaskReport
from harvester.store import catalog, leases, task_reports
from harvester.store.partitions import Partitions
from harvester.store.writer import Batch, Covers, Writer

ALL: dict[str, Any] = {
    "task": "8",
    "kind": "update",
    "state": "succeeded",
    "stated_state": "Ok",
    "device": "two",
    "created_at": at(1),
    "started_at": at(2),
    "finished_at": at(3),
    "result": [{"value": 1.5}, None, "text"],
    "details": {"by": 42},
}


@pytest.fixture
async def feed(site: Site) -> int:
    return await site.feed("one")


def said(feed: int, *reports: TaskReport, minute: float = 0) -> Batch:
    return batch(feed, reports=reports, pulled_at=at(minute))


async def versions(site: Site) -> list[tuple[Any, ...]]:
    """Where each row lies, who wrote it, and who so much as locked it since."""
    rows = await site.pool.fetch(
        "select identity, ctid::text, xmin::text, xmax::text from harvester_data.task_report"
        " union all select identity, ctid::text, xmin::text, null"
        " from harvester_data.task_report_history order by 1, 2"
    )
    return [tuple(row) for row in rows]


async def test_a_report_is_stored_as_it_was_said(site: Site, feed: int) -> None:
    await site.write(said(feed, report(**ALL, updated=4), minute=5))
    [row] = await reports(site)
    assert row == ALL | {
        "tenant": site.name,
        "platform": "mydevices",
        "identity": "one/7",
        "device_name": None,
        "updated_at": at(4),
        "changed_at": at(4),
        "first_seen_at": at(5),
        "vanished_at": None,
        "revision": 1,
    }
    assert await history(site, "state", "device", "result", "vanished", "seen_at") == [
        ("succeeded", "two", ALL["result"], False, at(5))
    ]
    assert outcomes(site) == {"new": 1}


async def test_a_report_without_a_device_fits_too(site: Site, feed: int) -> None:
    await site.write(said(feed, report(device=None)))
    [row] = await reports(site)
    assert (row["device"], row["changed_at"]) == (None, T0)


async def test_what_was_not_said_is_null_to_a_query(site: Site, feed: int) -> None:
    await site.write(said(feed, report(result=None, details=[None])))
    query = "select result is null, details = '[null]' from harvester.task_reports"
    assert tuple(await site.pool.fetchrow(query) or ()) == (True, True)


@pytest.mark.parametrize("name", [*ALL, "updated_at"])
async def test_whatever_changes_is_a_revision(site: Site, feed: int, name: str) -> None:
    now = (ALL | {"updated_at": at(4)})[name]
    before = {"device": None, "task": "7", "kind": "reboot", "state": "pending"}.get(name)
    for minute, value in enumerate((before, now, now, before, before)):
        await site.write(said(feed, report(**{name: value}), minute=minute))
    assert await history(site, name, "seen_at") == [(before, T0), (now, at(1)), (before, at(3))]
    [row] = await reports(site)
    assert (row[name], row["revision"], row["first_seen_at"]) == (before, 3, T0)
    assert outcomes(site) == {"new": 1, "changed": 2, "unchanged": 2}


async def test_a_life_from_pending_to_a_re_run_is_in_the_history(site: Site, feed: int) -> None:
    life = ["pending", "running", "failed", "running", "succeeded"]
    for minute, state in enumerate(life):
        await site.write(said(feed, report(state=state, updated=minute), minute=minute))
    assert await history(site, "state") == [(state,) for state in life]
    assert [row["state"] for row in await reports(site)] == ["succeeded"]


@pytest.mark.parametrize(
    ("stored", "incoming", "state"),
    [
        (5, 4, "pending"),
        (5, 5, "failed"),
        (5, 6, "failed"),
        (5, None, "failed"),
        (None, 5, "failed"),
    ],
)
async def test_an_older_report_changes_nothing(
    site: Site, feed: int, stored: float | None, incoming: float | None, state: str
) -> None:
    await site.write(said(feed, report(updated=stored)))
    await site.write(said(feed, report(updated=incoming, state="failed"), minute=1))
    assert [row["state"] for row in await reports(site)] == [state]
    assert len(await history(site)) == 1 + (state == "failed")


async def test_an_unchanged_report_writes_nothing(site: Site, feed: int) -> None:
    over = report("over", state="succeeded", result={"a": [1.0, 1e300, -0.0], "b": "ü"})
    again = said(feed, report(), over, report("older", updated=5, result=None))
    await site.write(again)
    before = await versions(site)
    older = report("older", updated=4, state="failed")
    await site.write(said(feed, report(), over, older, minute=0.99))
    await site.write(said(feed, over, minute=600))
    assert await versions(site) == before
    assert outcomes(site) == {"new": 3, "unchanged": 4}


async def test_twenty_thousand_tasks_are_looked_up_by_their_keys(site: Site, feed: int) -> None:
    """Also where Postgres made its plan when there were few."""
    for _ in range(9):
        await site.write(said(feed, report("0")))
    many = said(feed, *(report(f"{n}") for n in range(20_000)))
    await site.write(many)
    await asyncio.wait_for(site.write(many), 12)
    assert outcomes(site) == {"new": 20_000, "unchanged": 20_000 + 9}


async def test_all_states_of_a_group_are_kept_in_their_order(site: Site, feed: int) -> None:
    other = await site.feed("other", "one")
    states = ["pending", "running", "running", "succeeded"]
    await site.write(
        batch(feed),  # those below make one group, while this one commits
        *(
            said(each, report(state=s), report(s))
            for each, s in zip([feed, other] * 2, states, strict=True)
        ),
    )
    assert sum(site.groups().values()) == 2
    assert await history(site, "state") == [("pending",), ("running",), ("succeeded",)]
    assert outcomes(site) == {"new": 4, "changed": 2, "unchanged": 2}


async def test_readings_and_reports_of_a_window_are_committed_with_its_coverage(
    site: Site, feed: int
) -> None:
    bad = batch(
        feed, ("one", "temp", 0, 1.0), reports=[report(kind="NUL \0")], covers=Covers(T0, False)
    )
    with pytest.raises(StoreError):
        await site.writer.write(site.lease, bad)
    assert (await site.held(), (await site.coverage(feed))["pulled"]) == ({}, [])
    good = batch(feed, ("one", "temp", 0, 1.0), reports=[report()], covers=Covers(T0, False))
    await site.write(good)
    assert (len(await site.held()), len(await reports(site))) == (1, 1)
    assert (await site.coverage(feed))["pulled"] != []
    assert (site.counts(), outcomes(site)) == (Counts(stored=1), {"new": 1})


async def test_what_was_asked_of_no_window_covers_none(site: Site, feed: int) -> None:
    answer = said(feed, report())
    await site.write(Batch(feed, None, False, answer.said, T0, None))
    assert len(await reports(site)) == 1
    assert (await site.coverage(feed))["pulled"] == []


async def test_reports_count_towards_the_size_of_a_group(
    site: Site, feed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harvester.store.writer.GROUP", 2)
    await site.write(*(said(feed, report(f"{n}")) for n in range(5)))
    assert site.groups() == {"staged": 3}  # 1, then 2 and 2


async def test_a_report_of_a_device_beyond_the_cap_is_rejected(
    site: Site, feed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "MOST_DEVICES", 1)
    beyond = report("two/8", device="two", created_at=at(1))
    await site.write(said(feed, report(), beyond, report("none", device=None)))
    assert [row["identity"] for row in await reports(site)] == ["none", "one/7"]
    kept = await site.pool.fetch("select * from harvester_data.rejected")
    assert [(row["device"], row["reason"], row["value"]) for row in kept] == [
        ("two", "too_many_devices", "two/8")
    ]
    assert (site.counts(), outcomes(site)) == (Counts(rejected=1), {"new": 2})


async def test_nobody_writes_reports_without_the_lease(site: Site, feed: int) -> None:
    await site.write(said(feed, report()))
    assert await leases.take(site.pool, site.lease.tenant_id, "test", LONG)
    before = await versions(site)
    for writing in (
        site.writer.write(site.lease, said(feed, report(state="failed"))),
        task_reports.asked(site.pool, site.lease, ["one/7"], at(9)),
        task_reports.vanished(site.pool, site.lease, ["one/7"], at(9)),
    ):
        with pytest.raises(Fenced):
            await writing
    assert await versions(site) == before


async def test_a_state_that_we_do_not_know_is_refused(site: Site, feed: int) -> None:
    for state in [*FINAL, "pending", "running", "unknown"]:
        await site.write(said(feed, report(state=state)))
    with pytest.raises(StoreError, match="CheckViolation"):
        await site.writer.write(site.lease, said(feed, report(state="done")))
    with pytest.raises(asyncpg.CheckViolationError):
        await site.pool.execute("update harvester_data.task_report set state = 'done'")


async def test_two_who_write_the_same_reports_wait_for_each_other(
    site: Site, feed: int, connection: Connection
) -> None:
    """Both streams of a tenant may tell of one task, each with a writer of its own."""
    other = Writer(site.pool, site.name, site.ids, Partitions(site.pool, "month"))
    await site.write(said(feed, report("a"), report("b"), report("c")))
    forth = [report("a", state="failed"), report("new"), report("b", state="failed")]
    back = [report("b", state="running"), report("new"), report("a", state="running")]
    async with connection.transaction():
        await connection.execute("select from harvester_data.task_report for update")
        begun = [
            asyncio.create_task(writer.write(site.lease, said(feed, *each, minute=1)))
            for writer, each in ((site.writer, forth), (other, back))
        ]
        await lock_waits(connection, 2)
    await asyncio.gather(*begun)
    states = {tuple(await history(site, "state", identity=each)) for each in "ab"}
    [one] = states
    assert sorted(one) == [("failed",), ("pending",), ("running",)]
    assert outcomes(site) == {"new": 4, "changed": 4, "unchanged": 1}
