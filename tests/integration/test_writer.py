"""Finished windows become rows: few transactions, each value once, and every sample counted."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from fix_store import DAY, T0, Said, Site, at, batch, window
from prometheus_client import REGISTRY

from harvester.model import Counts, Rejection
from harvester.store import catalog, rows
from harvester.store.writer import Covers

SECOND = timedelta(seconds=1)


@pytest.fixture
async def feed(site: Site) -> int:
    return await site.feed("one")


def said(*values: float | str, first: float = 0) -> list[Said]:
    """One series, a value a minute."""
    return [("one", "temp", first + minute, value) for minute, value in enumerate(values)]


def rejected(value: str, channel: str = "temp", reason: str = "null") -> Rejection:
    return Rejection("one", channel, reason, "2026-03-04T10:00:00+00:00", value)


async def test_many_windows_at_once_become_few_transactions(site: Site) -> None:
    ids = [await site.feed(f"feed {n}", f"device {n}") for n in range(40)]
    began = await transactions(site)
    batches = [
        batch(each, (f"device {n}", "temp", 0, float(n)), fresh=True, covers=Covers(T0, False))
        for n, each in enumerate(ids)
    ]
    await site.write(*batches)
    assert site.counts() == Counts(stored=40)
    assert len(await site.held()) == 40
    assert sum(site.groups().values()) == 2  # the first alone, all others while it commits
    assert await transactions(site) - began < 20


async def values(site: Site) -> list[float | str]:
    """In the order of their instants."""
    return [value for _, value in sorted((await site.held()).items())]


async def transactions(site: Site) -> int:
    """How many transactions have written anything since the server was made."""
    last: int = await site.pool.fetchval(
        "select pg_snapshot_xmax(pg_current_snapshot())::text::int"
    )
    return last


async def test_a_group_ends_at_its_size(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harvester.store.writer.GROUP", 4)
    ids = [await site.feed(f"feed {n}", f"device {n}") for n in range(7)]
    await site.write(
        *(
            batch(each, (f"device {n}", "temp", 0, 1.0), rejections=[rejected("null")])
            for n, each in enumerate(ids)
        )
    )
    assert site.groups() == {"staged": 4}  # 1, then 2 and 2 and 2
    assert site.counts() == Counts(stored=7, rejected=7)


async def test_new_numbers_of_a_fresh_window_go_straight(site: Site, feed: int) -> None:
    await site.write(batch(feed, *said(1.5, 2.5), fresh=True))
    assert site.groups() == {"straight": 1}
    assert site.counts() == Counts(stored=2)
    assert await site.held() == {("one", "temp", at(0)): 1.5, ("one", "temp", at(1)): 2.5}


async def test_each_group_is_timed(site: Site, feed: int) -> None:
    for value in (1.5, 2.5):
        await site.write(batch(feed, *said(value)))
    timed = REGISTRY.get_sample_value(
        "harvester_store_duration_seconds_count", {"tenant": site.name}
    )
    assert timed == sum(site.groups().values()) == 2


async def test_what_lies_outside_its_window_is_checked(site: Site, feed: int) -> None:
    await site.write(batch(feed, *said(1.0, 2.0)))
    narrow = window(1, 2)
    await site.write(batch(feed, *said(1.0, first=0), *said(3.0, first=2), fresh=True, span=narrow))
    assert site.groups() == {"staged": 2}
    assert site.counts() == Counts(stored=3, unchanged=1)


async def test_a_fresh_window_that_is_none_falls_back_to_checking(site: Site, feed: int) -> None:
    await site.write(batch(feed, *said(1.0, 2.0, 3.0)))
    await site.write(batch(feed, *said(1.0, 5.0, 3.0, 4.0), fresh=True))
    assert site.groups() == {"staged": 1, "fell_back": 1}
    assert site.counts() == Counts(stored=3 + 1, corrected=1, unchanged=2)
    assert await values(site) == [1.0, 5.0, 3.0, 4.0]


@pytest.mark.parametrize("fresh", [True, False])
async def test_a_number_corrected_to_text_and_back_is_one_row(
    site: Site, feed: int, fresh: bool
) -> None:
    for value in (1.5, "open", 2.5, "closed", "open"):
        await site.write(batch(feed, *said(value), fresh=fresh))
        assert await values(site) == [value]
    assert site.counts() == Counts(stored=1, corrected=4)


async def test_text_and_numbers_of_one_group_find_their_tables(site: Site, feed: int) -> None:
    mixed: list[float | str] = [1.0, "open", 2.0, "", "1.0"]
    await site.write(batch(feed, *said(*mixed), fresh=True))
    assert await values(site) == mixed
    assert site.counts() == Counts(stored=5)


@pytest.mark.parametrize("first_fresh", [True, False])
@pytest.mark.parametrize("then_fresh", [True, False])
async def test_of_one_key_twice_in_a_group_the_later_value_holds(
    site: Site, feed: int, first_fresh: bool, then_fresh: bool
) -> None:
    other = await site.feed("other", "one")
    await site.write(
        batch(feed),  # the two below make one group, while this one commits
        batch(feed, *said(1.0, 2.0, 3.0, "a", 5.0), fresh=first_fresh),
        batch(other, *said(1.0, 9.0, "b", 4.0, 5.0), fresh=then_fresh),
    )
    assert sum(site.groups().values()) == 2
    assert await values(site) == [1.0, 9.0, "b", 4.0, 5.0]
    assert site.counts() == Counts(stored=5, corrected=3, unchanged=2)


async def test_what_is_checked_in_a_group_comes_after_what_went_straight(
    site: Site, feed: int
) -> None:
    other = await site.feed("other", "one")
    straight, checked = batch(feed, *said(1.0, 2.0), fresh=True), batch(other, *said(1.0, 9.0))
    await site.write(batch(feed), straight, checked)
    assert site.groups() == {"staged": 1, "straight": 1}
    assert await values(site) == [1.0, 9.0]
    assert site.counts() == Counts(stored=2, corrected=1, unchanged=1)


async def test_an_unchanged_re_read_writes_nothing(site: Site, feed: int) -> None:
    again = batch(feed, *said(1.0, "open", 0.0, -0.0), rejections=[rejected("null")])
    await site.write(again)
    before = await versions(site)
    await site.write(again)
    assert await versions(site) == before
    assert site.counts() == Counts(stored=4, unchanged=4, rejected=2)


async def versions(site: Site) -> list[tuple[object, ...]]:
    """Where each row lies, who wrote it, and who so much as locked it since."""
    return [
        tuple(row)
        for table in ("reading", "reading_text", "rejected")
        for row in await site.pool.fetch(
            f"select tableoid::int, ctid::text, xmin::text, xmax::text from harvester_data.{table}"  # noqa: S608
            " order by 1, 2"
        )
    ]


async def test_all_that_was_pulled_is_accounted_for(site: Site, feed: int) -> None:
    await site.write(batch(feed, *said(1.0, 2.0, 3.0), fresh=True))
    mixed = batch(
        feed, *said(1.0, 7.0, "x", 4.0), rejections=[rejected("a"), rejected("b")], repeated=3
    )
    before = site.counts()
    await site.write(mixed)
    gained = Counts(stored=1, corrected=2, unchanged=1 + 3, rejected=2)
    assert site.counts() == before + gained
    assert gained.pulled == 4 + 2 + 3


async def test_a_rejection_is_kept_once_however_often_it_is_pulled(site: Site, feed: int) -> None:
    other = await site.feed("other")
    bad = [rejected("a"), rejected("b"), rejected("a"), rejected("a", channel="hum")]
    await site.write(batch(feed, rejections=bad), batch(other, rejections=bad))
    await site.write(batch(feed, rejections=bad, pulled_at=DAY.until + SECOND))
    kept = await site.pool.fetch("select * from harvester_data.rejected")
    assert Counter(row["feed_id"] for row in kept) == {feed: 3, other: 3}
    assert {row["rejected_at"] for row in kept} == {DAY.until}
    assert site.counts() == Counts(rejected=12)


async def test_rejections_of_a_feed_are_kept_up_to_a_cap_and_all_are_counted(
    site: Site, feed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "MOST_REJECTED", 5)
    for most in (4, 5, 6, 7):
        bad = [rejected(f"bad {n}") for n in range(most)]
        await site.write(batch(feed, *said(float(most), first=most), rejections=bad))
    kept = await site.pool.fetch(
        "select value from harvester_data.rejected where feed_id = $1", feed
    )
    assert {row["value"] for row in kept} == {f"bad {n}" for n in range(5)}
    assert site.counts() == Counts(stored=4, rejected=4 + 5 + 6 + 7)


async def test_twenty_thousand_rejections_do_not_take_long(site: Site, feed: int) -> None:
    for half in (0, 1):
        bad = [rejected(f"{n}") for n in range(half * 9_000, half * 9_000 + 20_000)]
        await asyncio.wait_for(site.write(batch(feed, rejections=bad)), 5)
    assert await site.pool.fetchval("select count(*) from harvester_data.rejected") == 10_000


async def test_series_beyond_the_cap_are_rejected_and_the_others_stored(
    site: Site, feed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "MOST_SERIES", 3)
    await site.write(batch(feed, *(("one", f"channel {n}", 0, 1.0) for n in range(2))))
    await site.write(batch(feed, *(("one", f"channel {n}", 1, 1.0) for n in range(6))))
    assert {channel for _, channel, _ in await site.held()} == {f"channel {n}" for n in range(3)}
    kept = await site.pool.fetch("select channel, reason, value from harvester_data.rejected")
    assert {tuple(row) for row in kept} == {
        (f"channel {n}", "too_many_series", "1.0") for n in (3, 4, 5)
    }
    assert site.counts() == Counts(stored=2 + 3, rejected=3)


async def test_devices_beyond_the_cap_are_rejected_and_the_others_stored(
    site: Site, feed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "MOST_DEVICES", 2)
    await site.write(batch(feed, *((name, "temp", 0, 1.0) for name in ("one", "two", "three"))))
    assert {device for device, _, _ in await site.held()} == {"one", "three"}  # in sorted order
    assert site.counts() == Counts(stored=2, rejected=1)


@pytest.mark.parametrize(
    "value",
    [5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, -1.7976931348623157e308, 0.1 + 0.2],
)
async def test_a_double_comes_back_as_it_was(site: Site, feed: int, value: float) -> None:
    await site.write(batch(feed, *said(value), fresh=True), batch(feed, *said(value, first=5)))
    assert await values(site) == [value, value]


async def test_a_microsecond_makes_a_reading_of_its_own(site: Site, feed: int) -> None:
    micro = 1 / 60e6  # of a minute
    await site.write(batch(feed, *(("one", "temp", n * micro, float(n)) for n in range(3))))
    held = await site.held()
    assert {key[2]: value for key, value in held.items()} == {
        T0 + n * timedelta(microseconds=1): float(n) for n in range(3)
    }
