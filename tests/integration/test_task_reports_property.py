"""Whatever a platform says of its tasks, and in whichever order it comes."""

from __future__ import annotations

import json
import math
from datetime import UTC
from decimal import Decimal
from typing import Any

import pytest
from fix_store import T0, Site, at, batch, tenant
from hypothesis import HealthCheck, given, settings, strategies as st
from reported import history, report, reports

from harvester import task_reports
from harvester.model import TaskReport
from harvester.task_reports import normalize

AGAIN = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

TEXTS = st.text(st.characters(), max_size=9) | st.sampled_from(
    ["\0", "\ud800", "\\u0000", "\U0001f321", "t" * 6000]
)
NUMBERS = st.integers() | st.floats() | st.sampled_from([10**4095, 10**4200, 5e-324, math.nan])
ANYTHING = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=9,
)


def deeper(said: object, levels: int) -> object:
    for level in range(levels):
        said = [said] if level % 2 else {"n": said}
    return said


JSON = ANYTHING | st.builds(deeper, ANYTHING, st.sampled_from([50, 60, 70, 500]))
NAMES = TEXTS | st.just("n" * 200)
INSTANTS = st.none() | st.datetimes(timezones=st.just(UTC))
SAID = st.builds(
    TaskReport,
    identity=NAMES | st.just("\U0001f321" * 500),
    task=NAMES,
    kind=NAMES,
    state=st.just("pending"),
    stated_state=st.none() | TEXTS,
    device=st.none() | NAMES,
    created_at=INSTANTS,
    started_at=INSTANTS,
    finished_at=INSTANTS,
    updated_at=INSTANTS,
    result=JSON,
    details=JSON,
)


@AGAIN
@given(st.lists(SAID, max_size=4))
async def test_whatever_a_platform_says_postgres_takes_it_once(
    site: Site, said: list[TaskReport]
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(task_reports, "LARGEST", 5000)  # so that examples can be read
        kept, rejections = normalize(said, T0)
    assert len(kept) + len(rejections) >= len({each.identity for each in said})
    async with tenant(site.pool) as fresh:
        feed = await fresh.feed("one")
        for _ in range(2):  # what differs from itself would be a change
            await fresh.write(batch(feed, reports=kept, rejections=rejections))
        rows = {row["identity"]: row for row in await reports(fresh)}
    assert rows.keys() == {each.identity for each in kept}
    assert {row["revision"] for row in rows.values()} <= {1}
    for each in kept:
        row = rows[each.identity]
        assert exact([row["result"], row["details"]]) == exact([each.result, each.details])


def exact(said: object) -> object:
    """1e30 comes back as an integer."""
    return json.loads(json.dumps(said), parse_int=Decimal, parse_float=Decimal)


LIVES = st.lists(
    st.tuples(st.sampled_from(["pending", "running", "succeeded", "failed"]), st.integers(0, 2)),
    min_size=1,
    max_size=5,
)
"""What a report says after one another, each a minute later: its state and its result."""


@AGAIN
@given(data=st.data(), life=LIVES)
async def test_in_any_order_the_newest_state_is_held_and_each_change_was_seen_once(
    site: Site, data: st.DataObject, life: list[tuple[Any, int]]
) -> None:
    said = [report(updated=n, state=s, result=r) for n, (s, r) in enumerate(life)]
    listings = data.draw(
        st.lists(st.lists(st.sampled_from(said), min_size=1, max_size=3), max_size=6)
    )
    listings.insert(data.draw(st.integers(0, len(listings))), said[-1:])
    newest, seen = -1, []
    for listing in listings:
        age = max(said.index(each) for each in listing)
        if age > newest:
            newest = age
            seen.append((life[age], at(age)))
    async with tenant(site.pool) as fresh:
        feed = await fresh.feed("one")
        await deliver(fresh, feed, listings, together=data.draw(st.booleans()))
        found = await history(fresh, "state", "result", "updated_at")
        [row] = await reports(fresh)
    assert [((state, result), updated) for state, result, updated in found] == seen
    assert (row["state"], row["result"], row["revision"]) == (*life[-1], len(seen))


async def deliver(site: Site, feed: int, listings: list[list[TaskReport]], together: bool) -> None:
    batches = [
        batch(feed, reports=normalize(listing, T0)[0], pulled_at=at(n))
        for n, listing in enumerate(listings)
    ]
    if together:
        await site.write(*batches)
    for each in batches if not together else []:
        await site.write(each)
