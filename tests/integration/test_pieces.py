"""What goes over what others tell is wanted a piece at a time, and in the end of all time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from fix_store import T0, Site, at, batch, finding, tenant, window
from hypothesis import HealthCheck, given, settings, strategies as st

from harvester.errors import Fenced
from harvester.model import FOREVER, Feed, Spans, Window
from harvester.store import feeds
from harvester.store.spans import from_multirange
from harvester.store.writer import Covers

HOUR = timedelta(hours=1)
MONTHS = 100 * 1440  # minutes


async def found(site: Site, every: timedelta | None = HOUR) -> None:
    await site.save(finding("one", feeds=[Feed("readings", "one", every=every)]))


async def missing(site: Site, minute: float) -> Spans:
    """What a tick finds that begins in that minute of the axis."""
    await feeds.want(site.pool, site.lease, "readings", at(minute))
    (due,) = await feeds.due(site.pool, site.lease.tenant_id, "readings", at(minute), after=0)
    return due.missing


async def pulled(site: Site, minute: float) -> Spans:
    """What such a tick pulls."""
    feed, spans = await site.feed_id("one"), await missing(site, minute)
    for span in spans:
        await site.write(batch(feed, span=span, covers=Covers(span.until, looked=True)))
    return spans


async def wanted(site: Site) -> Spans:
    return from_multirange((await site.coverage(await site.feed_id("one")))["wanted"])


async def test_it_is_wanted_at_once_and_then_when_it_is_long_enough(site: Site) -> None:
    await found(site)
    assert await pulled(site, 30) == (window(0, 30),)
    assert [await pulled(site, minute) for minute in (30, 60, 89.9)] == [(), (), ()]
    assert await pulled(site, 90) == (window(30, 90),)
    assert await wanted(site) == (window(0, 90),)


async def test_between_two_pieces_nothing_is_missing(site: Site) -> None:
    await found(site)
    await pulled(site, 30)
    rows = await site.pool.fetch("select feed from harvester.gaps")
    rows += await site.pool.fetch("select 1 from harvester.streams where missing > '0'")
    assert rows == []


async def test_a_piece_that_was_not_pulled_stays_wanted_and_does_not_grow(site: Site) -> None:
    await found(site)
    assert await missing(site, 30) == await missing(site, 60) == (window(0, 30),)
    assert await missing(site, 90) == (window(0, 90),)


async def test_what_is_found_again_after_months_is_wanted_from_its_last_piece_on(
    site: Site,
) -> None:
    await found(site)
    await pulled(site, 30)
    await found(site)
    assert await pulled(site, MONTHS) == (window(30, MONTHS),)


@pytest.mark.parametrize("back_to", [20, 0, -9999])
async def test_a_clock_that_was_set_back_makes_nothing_be_pulled_twice_or_at_each_tick(
    site: Site, back_to: int
) -> None:
    await found(site)
    await pulled(site, 30)
    ticks = [await pulled(site, minute) for minute in (back_to, 31, 45, 59)]
    assert ticks == [()] * 4
    assert await pulled(site, 110) == (window(30, 110),)


async def test_a_piece_that_a_wrong_clock_made_ends_now(site: Site) -> None:
    await found(site)
    assert await missing(site, MONTHS) == (window(0, MONTHS),)
    assert [await pulled(site, minute) for minute in (30, 31)] == [(window(0, 30),), ()]
    assert await wanted(site) == (window(0, 30),)


async def test_another_length_counts_from_the_last_piece_on(site: Site) -> None:
    await found(site)
    await pulled(site, 30)
    await found(site, every=HOUR / 6)
    assert await pulled(site, 39) == ()
    assert await pulled(site, 40) == (window(30, 40),)


async def test_a_feed_of_another_kind_becomes_one_that_is_wanted_by_pieces(site: Site) -> None:
    await found(site, every=None)
    await pulled(site, 30)
    await found(site)
    assert await pulled(site, 40) == (window(30, 40),)
    assert await pulled(site, 60) == ()
    assert await wanted(site) == (window(0, 40),)


async def test_a_feed_that_was_wanted_by_pieces_becomes_one_of_the_others(site: Site) -> None:
    await found(site)
    await pulled(site, 30)
    await found(site, every=None)
    assert await pulled(site, 40) == (window(30, 40),)
    assert await wanted(site) == (Window(T0, FOREVER),)


async def test_what_a_person_no_longer_wants_is_not_wanted_again(site: Site) -> None:
    for every in (HOUR, None):
        await found(site, every)
        await site.pool.execute("update harvester_data.coverage set wanted = '{}'")
        await found(site, None)
        assert await missing(site, MONTHS) == ()


async def test_only_feeds_of_the_tenants_stream_that_are_of_the_kind_get_a_piece(
    site: Site,
) -> None:
    tasks = Feed("task_reports", "tasks", every=HOUR)
    await site.save(finding("one", feeds=[tasks, Feed("readings", "two")]))
    async with tenant(site.pool) as other:
        await found(other)
    await feeds.want(site.pool, site.lease, "readings", at(30))
    rows = await site.pool.fetch("select wanted from harvester_data.coverage")
    assert [from_multirange(row["wanted"]) for row in rows] == [(Window(T0, FOREVER),)] * 3


async def test_a_stale_lease_wants_nothing(site: Site) -> None:
    await found(site)
    stale = type(site.lease)(site.lease.tenant_id, 99)
    with pytest.raises(Fenced):
        await feeds.want(site.pool, stale, "readings", at(30))


EVERIES = st.sampled_from([timedelta(minutes=10), HOUR, timedelta(hours=30)])
PASSED = st.floats(0, 90) | st.sampled_from([0.0, 10.0, 60.0, 1800.0, MONTHS])
STEPS = st.lists(
    st.tuples(PASSED, st.sampled_from(["tick", "tick", "tick", "find", "fail", "set back"])),
    max_size=12,
)
"""Minutes that pass, and what happens then."""


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data(), steps=STEPS)
async def test_pieces_never_overlap_and_leave_no_hole(
    site: Site, data: st.DataObject, steps: list[tuple[float, str]]
) -> None:
    every, minute, covered = data.draw(EVERIES), 0.0, T0
    async with tenant(site.pool) as fresh:
        await found(fresh, every)
        for passed, what in [*steps, (0.0, "tick")]:
            minute += passed * (-1 if what == "set back" else 1)
            if what == "find":
                every = data.draw(EVERIES)
                await found(fresh, every)
            spans = await (missing if what == "fail" else pulled)(fresh, minute)
            assert len(spans) <= 1
            for span in spans:
                assert covered == span.since < span.until <= at(minute)
                covered = span.until if what != "fail" else covered
            assert what == "fail" or at(minute) - covered < every
