"""What a commit leaves behind beside its rows: coverage, looks, failures that ended."""

from __future__ import annotations

import pytest
from fix_store import DAY, T0, Site, at, batch, window

from harvester.model import Spans
from harvester.store import feeds
from harvester.store.spans import from_multirange
from harvester.store.writer import Covers


@pytest.fixture
async def feed(site: Site) -> int:
    return await site.feed("one")


async def covered(site: Site, feed_id: int) -> tuple[Spans, Spans]:
    """What is pulled and what is settled."""
    row = await site.coverage(feed_id)
    return from_multirange(row["pulled"]), from_multirange(row["settled"])


async def test_coverage_grows_with_the_last_batch_of_a_window_only(site: Site, feed: int) -> None:
    await site.write(batch(feed, ("one", "temp", 0, 1.0)))
    assert await covered(site, feed) == ((), ())
    await site.write(batch(feed, ("one", "temp", 1, 2.0), covers=Covers(at(600), looked=True)))
    assert await covered(site, feed) == ((DAY,), (window(0, 600),))


@pytest.mark.parametrize(
    ("settled_before", "settled"),
    [(-1, ()), (0, ()), (60, (window(0, 60),)), (9999, (window(0, 120),))],
)
async def test_what_is_old_enough_of_a_window_is_settled(
    site: Site, feed: int, settled_before: int, settled: Spans
) -> None:
    covers = Covers(at(settled_before), looked=False)
    await site.write(batch(feed, span=window(0, 120), covers=covers))
    assert await covered(site, feed) == ((window(0, 120),), settled)


async def test_windows_of_one_group_join_and_gaps_stay(site: Site, feed: int) -> None:
    other = await site.feed("other")
    covers = Covers(T0, looked=False)
    spans = [(0, 10), (10, 20), (30, 40)]
    await site.write(
        *(batch(feed, span=window(*span), covers=covers) for span in spans),
        batch(other, span=window(5, 6), covers=covers),
    )
    assert (await covered(site, feed))[0] == (window(0, 20), window(30, 40))
    assert (await covered(site, other))[0] == (window(5, 6),)


async def test_a_covered_window_clears_the_feeds_failure(site: Site, feed: int) -> None:
    other = await site.feed("other")
    for each in (feed, other):
        await feeds.failed(site.pool, site.lease, each, "malformed: no", T0)
    await site.write(batch(feed, ("one", "temp", 0, 1.0)))
    assert set(await failures(site)) == {feed, other}
    await site.write(batch(feed, covers=Covers(T0, looked=False)))
    assert await failures(site) == [other]


async def failures(site: Site) -> list[int]:
    rows = await site.pool.fetch(
        "select feed_id from harvester_data.feed where failure is not null"
    )
    return [row["feed_id"] for row in rows]


async def test_looks_are_done_when_the_batch_says_so(site: Site, feed: int) -> None:
    for looked, pulled_at, looked_at in (
        (False, 10, 10),  # the first window begins the count
        (False, 20, 10),
        (True, 30, 30),
        (False, 40, 30),
        (False, 25, 25),  # the clock was set back: what came of age since is looked at again
        (True, 20, 20),
    ):
        covers = Covers(T0, looked)
        await site.write(batch(feed, span=window(0, 5), covers=covers, pulled_at=at(pulled_at)))
        assert (await site.coverage(feed))["looked_at"] == at(looked_at)
