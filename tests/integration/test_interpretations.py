"""What a channel means, and in which time: closed when its source changes, mended when we learn."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import NamedTuple

import pytest
from fix_store import Site, at, batch, finding
from hypothesis import HealthCheck, given, settings, strategies as st

from harvester.model import Channel, Meaning
from harvester.store.discovery import Finding

CELSIUS = Channel("temp", "Room", "temp", "c")
FAHRENHEIT = Channel("temp", "Room", "temp", "f")


class Belief(NamedTuple):
    since: datetime | None
    until: datetime | None
    label: str | None
    stated: tuple[str | None, str | None]
    quantity: str | None
    unit: str | None
    scale: float
    enumeration: dict[str, str] | None


async def beliefs(site: Site, channel: str = "temp") -> list[Belief]:
    rows = await site.pool.fetch(
        "select i.* from harvester_data.interpretation i"
        " join harvester_data.series s using (device_id, series_id)"
        " where s.channel = $1 order by i.valid",
        channel,
    )
    return [
        Belief(
            row["valid"].lower,
            row["valid"].upper,
            row["label"],
            (row["stated_type"], row["stated_unit"]),
            row["quantity"],
            row["unit"],
            row["scale"],
            row["enumeration"],
        )
        for row in rows
    ]


async def test_the_first_word_of_a_series_counts_for_all_of_its_time(site: Site) -> None:
    feed = await site.feed("one")
    await site.write(batch(feed, ("one", "temp", -1000, 20.0)))
    await site.save(finding("one", CELSIUS))
    assert await beliefs(site) == [
        Belief(None, None, "Room", ("temp", "c"), "temperature", "Cel", 1.0, None)
    ]


async def test_a_unit_that_changes_closes_a_belief_and_opens_the_next(site: Site) -> None:
    await site.save(finding("one", CELSIUS), now=at(0))
    await site.save(finding("one", FAHRENHEIT), now=at(60))
    await site.save(finding("one", FAHRENHEIT), now=at(90))
    await site.save(finding("one", CELSIUS), now=at(120))
    found = await beliefs(site)
    assert [(b.since, b.until, b.stated[1]) for b in found] == [
        (None, at(60), "c"),
        (at(60), at(120), "f"),
        (at(120), None, "c"),
    ]
    assert [round(b.scale, 3) for b in found] == [1, 0.556, 1]


async def test_a_better_belief_of_the_same_words_mends_all_of_its_time(site: Site) -> None:
    opaque = Channel("temp", "Room", "x", "y")
    await site.save(finding("one", opaque), now=at(0))
    learned = Meaning("door", "1", enumeration={"0": "shut", "1": "open"})
    found = finding("one", opaque)
    await site.save(Finding(found.found, None, {opaque: learned}), now=at(60))
    assert await beliefs(site) == [
        Belief(None, None, "Room", ("x", "y"), "door", "1", 1.0, learned.enumeration)  # type: ignore[arg-type]
    ]
    believed_from = "select believed_from from harvester_data.interpretation"
    assert await site.pool.fetchval(believed_from) == at(60)


async def test_words_said_at_last_count_for_all_of_its_time(site: Site) -> None:
    for minute, each in enumerate(
        [Channel("temp", "Room"), Channel("temp", None, "temp"), Channel("temp", None, None, "c")]
    ):
        await site.save(finding("one", each), now=at(minute))
    await site.save(finding("one", Channel("temp", "Hall", "temp", "c")), now=at(9))
    assert await beliefs(site) == [
        Belief(None, None, "Hall", ("temp", "c"), "temperature", "Cel", 1.0, None)
    ]


@pytest.mark.parametrize(
    "silent",
    [
        Channel("temp"),
        Channel("temp", "", "", ""),
        Channel("temp", "Room"),
        Channel("temp", type="temp"),
    ],
)
async def test_nothing_said_takes_nothing_back(site: Site, silent: Channel) -> None:
    await site.save(finding("one", CELSIUS))
    before = await beliefs(site)
    await site.save(finding("one", silent), now=at(60))
    await site.save(finding("one"), now=at(70))
    assert await beliefs(site) == before


async def test_what_a_person_believes_stays_where_we_believe_nothing(site: Site) -> None:
    opaque = Channel("temp", "Room", "x", "y")
    await site.save(finding("one", opaque))
    await site.pool.execute(
        "update harvester_data.interpretation set quantity = 'flow', unit = 'l/s', scale = 0.1,"
        " sentinels = '{-1}', enumeration = '{\"0\": \"none\"}'"
    )
    await site.save(finding("one", opaque), now=at(60))
    (belief,) = await beliefs(site)
    assert belief[4:] == ("flow", "l/s", 0.1, {"0": "none"})


async def test_an_unchanged_discovery_rewrites_no_belief(site: Site) -> None:
    written = "select array_agg(xmin::text) from harvester_data.interpretation"
    found = [finding("one", CELSIUS, Channel("x", "X")), finding("two", CELSIUS)]
    await site.save(*found)
    before = await site.pool.fetchval(written)
    await site.save(*found, now=at(60))
    assert await site.pool.fetchval(written) == before


spoken = st.tuples(
    st.sampled_from([None, "temp", "rel_hum", "x"]),
    st.sampled_from([None, "c", "f", "p"]),
    st.integers(-3, 6),  # minutes: a clock may be set back
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(words=st.lists(spoken, min_size=1, max_size=8))
async def test_beliefs_never_overlap_and_the_last_words_hold_from_now_on(
    site: Site, words: list[tuple[str | None, str | None, int]]
) -> None:
    channel = f"channel {datetime.now(UTC)}"
    for type_, unit, minute in words:
        await site.save(finding("one", Channel(channel, "L", type_, unit)), now=at(minute))
    found = await beliefs(site, channel)
    assert (found[0].since, found[-1].until) == (None, None)
    assert all(one.until == other.since for one, other in pairwise(found))
    said = [(type_, unit) for type_, unit, _ in words if type_ or unit] or [(None, None)]
    held = found[-1].stated
    assert all(word in {None, kept} for word, kept in zip(said[-1], held, strict=True))
