"""A report that is not over is asked for again, ever more slowly, unless a listing shows it."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from fix_store import T0, Site, at, batch, finding
from hypothesis import HealthCheck, given, settings, strategies as st
from reported import history, outcomes, report, reports

from harvester.model import FINAL, Feed, OpenTask, TaskReport
from harvester.store import catalog, task_reports

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
WEEK = timedelta(days=7)
FEED = Feed("task_reports", "one", ("one", "two"))


@pytest.fixture
async def ann(site: Site) -> int:
    return (await catalog.accounts(site.pool, site.lease, ["ann"]))["ann"]


@pytest.fixture
async def feed(site: Site, ann: int) -> int:
    """A feed of task reports that an account sees."""
    found = [finding(device, feeds=[FEED], account_id=ann) for device in ("one", "two")]
    await site.save(*found)
    return await site.feed_id("one")


async def show(site: Site, feed: int, *said: TaskReport, now: datetime = T0) -> None:
    await site.write(batch(feed, reports=said, pulled_at=now))


async def due(site: Site, now: datetime, follow_up: timedelta = WEEK) -> list[str]:
    found = await task_reports.due(site.pool, site.lease.tenant_id, now, follow_up, 100)
    return [each.task.identity for each in found]


async def test_a_due_task_comes_with_all_that_it_takes_to_ask(
    site: Site, feed: int, ann: int
) -> None:
    await show(site, feed, report("a", task="8"), report("b", device=None))
    found = await task_reports.due(site.pool, site.lease.tenant_id, at(1), WEEK, 100)
    assert [(each.feed_id, each.feed, each.accounts) for each in found] == [
        (feed, FEED, (ann,))
    ] * 2
    assert [each.task for each in found] == [OpenTask("a", "8", "one"), OpenTask("b", "7", None)]


async def test_a_due_task_is_asked_of_the_devices_that_were_named_and_no_others(
    site: Site, feed: int
) -> None:
    measured = ("three", "temp", 0, 1.0)
    await site.write(batch(feed, measured, reports=[report()], pulled_at=T0))
    (found,) = await task_reports.due(site.pool, site.lease.tenant_id, at(1), WEEK, 100)
    assert found.feed.devices == ("one", "two")


async def test_only_what_is_not_over_is_due(site: Site, feed: int) -> None:
    states = [*FINAL, "pending", "running", "unknown"]
    await show(site, feed, *(report(state, state=state) for state in states))
    assert await due(site, at(1)) == ["pending", "running", "unknown"]


async def test_a_report_is_due_until_it_is_too_old(site: Site, feed: int) -> None:
    await show(site, feed, report())
    assert await due(site, T0 + HOUR - SECOND, follow_up=HOUR) == ["one/7"]
    assert await due(site, T0 + HOUR, follow_up=HOUR) == []


async def test_what_waited_longest_is_due_first_and_no_more_than_asked_for(
    site: Site, feed: int
) -> None:
    for minute, identity in enumerate(("b", "c", "a")):
        await show(site, feed, report(identity), now=at(minute))
    found = await task_reports.due(site.pool, site.lease.tenant_id, at(60), WEEK, 2)
    assert [each.task.identity for each in found] == ["b", "c"]


async def test_what_no_account_sees_is_not_due(site: Site, feed: int, ann: int) -> None:
    await show(site, feed, report())
    await site.save(whole_sight_of=ann)
    assert await due(site, at(60)) == []


async def test_what_another_feed_shows_is_asked_through_that_feed(site: Site, feed: int) -> None:
    other = await site.feed("other", "one")
    await show(site, other, report(), now=at(-60))
    assert await due(site, T0) == []
    await show(site, feed, report(), now=T0)
    found = await task_reports.due(site.pool, site.lease.tenant_id, at(60), WEEK, 100)
    assert [each.feed_id for each in found] == [feed]
    await show(site, other, report(state="running"), now=at(61))
    assert await due(site, at(600)) == []


def due_at(first_seen_at: datetime, asked_at: datetime) -> datetime:
    """When an open report is due again."""
    return asked_at + min(max((asked_at - first_seen_at) / 4, MINUTE), 6 * HOUR)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 40 * 24 * 3600) | st.integers(200, 300), st.integers(-2, 2))
async def test_it_is_due_a_quarter_of_its_age_later(site: Site, seconds: int, off: int) -> None:
    asked_at = T0 + timedelta(seconds=seconds)
    now = due_at(T0, asked_at) + off * timedelta(microseconds=1)
    is_due = await site.pool.fetchval(
        "select harvester_data.task_report_due_at($1, $2) <= $3", T0, asked_at, now
    )
    assert is_due == (off >= 0)


async def test_what_is_asked_for_in_vain_is_asked_ever_more_slowly(site: Site, feed: int) -> None:
    await show(site, feed, report())
    now, asked = T0, []
    while now - T0 < 12 * HOUR:
        if await due(site, now, follow_up=8 * HOUR):
            await task_reports.asked(site.pool, site.lease, ["one/7"], now)
            asked.append(now)
        now += MINUTE
    waits = [after - before for before, after in pairwise(asked)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1] > HOUR, len(asked) < 40) == (MINUTE, True, True)
    assert len(await history(site)) == 1


async def test_what_a_listing_shows_is_not_asked_for_by_itself(site: Site, feed: int) -> None:
    for minute in range(61):
        await show(site, feed, report(), now=at(minute))
        assert await due(site, at(minute)) == []
    assert await due(site, due_at(T0, at(60))) == ["one/7"]
    asked_at = await site.pool.fetchval("select asked_at from harvester_data.task_report")
    assert due_at(T0, asked_at) > at(60)


async def test_what_changed_was_seen(site: Site, feed: int) -> None:
    await show(site, feed, report())
    await show(site, feed, report(state="running"), now=at(8))
    assert await due(site, due_at(T0, at(8)) - SECOND) == []
    assert await due(site, due_at(T0, at(8))) == ["one/7"]


async def test_an_older_report_shows_that_it_is_there_too(site: Site, feed: int) -> None:
    await show(site, feed, report(updated=0))
    await show(site, feed, report(updated=-1, state="running"), now=at(1))
    assert await due(site, at(1)) == []
    assert await history(site, "state") == [("pending",)]


async def test_what_asks_early_or_late_takes_no_time_back(site: Site, feed: int) -> None:
    await show(site, feed, report())
    await task_reports.asked(site.pool, site.lease, ["one/7"], at(8))
    await task_reports.asked(site.pool, site.lease, ["one/7"], at(1))
    await show(site, feed, report(state="running"), now=at(2))
    assert await due(site, at(9)) == []
    assert await due(site, at(10)) == ["one/7"]


async def test_what_vanished_is_kept_and_marked_and_not_asked_for_again(
    site: Site, feed: int
) -> None:
    await show(site, feed, report(result={"a": 1}), report("over", state="failed"), report("c"))
    for minute in (5, 6):
        gone = ["one/7", "over", "unheard of"]
        await task_reports.vanished(site.pool, site.lease, gone, at(minute))
    assert await history(site, "vanished", "seen_at", "result") == [
        (False, T0, {"a": 1}),
        (True, at(5), {"a": 1}),
    ]
    marked = {row["identity"]: row["vanished_at"] for row in await reports(site)}
    assert marked == {"one/7": at(5), "over": None, "c": None}
    assert await due(site, at(60)) == ["c"]
    assert outcomes(site) == {"new": 3, "vanished": 1}


async def test_what_appears_again_is_followed_again(site: Site, feed: int) -> None:
    await show(site, feed, report())
    await task_reports.vanished(site.pool, site.lease, ["one/7"], at(5))
    await show(site, feed, report(), now=at(6))
    assert await history(site, "vanished") == [(False,), (True,), (False,)]
    assert [row["vanished_at"] for row in await reports(site)] == [None]
    assert await due(site, at(60)) == ["one/7"]
