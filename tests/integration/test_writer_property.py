"""Whatever is said again, corrected or lost in a crash: the last said value is what is held."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Literal

import pytest
from fix_postgres import Connection
from fix_store import T0, Said, Site, at, batch, end_sessions, lock_waits, tenant
from hypothesis import HealthCheck, given, settings, strategies as st

from harvester.errors import StoreUnavailable
from harvester.model import Rejection
from harvester.store.writer import Batch, Covers

COVERS = Covers(T0, looked=False)
BAD = Rejection("one", "a", "null", "", "null")

values = st.sampled_from([0.0, 1.5, 5e-324, -1.7976931348623157e308, "open", "", "1.5"])
series = st.sampled_from([("one", "a"), ("one", "b"), ("two", "a")])
readings = st.dictionaries(st.tuples(series, st.integers(0, 4)), values, max_size=8)
answers = st.tuples(readings, st.booleans(), st.integers(0, 2))
"""What a window said, each instant of a series once; whether it passes for fresh; rejections."""
steps = st.tuples(
    st.sampled_from(["commit", "commit", "crash", "crash and pull again"]),
    st.lists(answers, min_size=1, max_size=4),
)

Answer = tuple[dict[tuple[tuple[str, str], int], float | str], bool, int]
Step = tuple[Literal["commit", "crash", "crash and pull again"], list[Answer]]
Key = tuple[str, str, datetime]


def said(answer: Answer) -> list[Said]:
    return [(*of, minute, value) for (of, minute), value in answer[0].items()]


def as_batch(feed_id: int, answer: Answer) -> Batch:
    _, fresh, bad = answer
    return batch(feed_id, *said(answer), fresh=fresh, rejections=[BAD] * bad, covers=COVERS)


async def crash(site: Site, lost: Batch, connection: Connection) -> None:
    """The server ends the session at the last statement of its transaction."""
    async with connection.transaction():
        await connection.execute("select from harvester_data.coverage for update")
        writing = asyncio.create_task(site.writer.write(site.lease, lost))
        await lock_waits(connection)
        await end_sessions(connection)
        with pytest.raises(StoreUnavailable):
            await writing
    await site.pool.expire_connections()


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(plan=st.lists(steps, min_size=1, max_size=6))
async def test_the_last_said_value_of_each_instant_is_held_once(
    site: Site, connection: Connection, plan: list[Step]
) -> None:
    truth: dict[Key, float | str] = {}
    pulled = 0
    async with tenant(site.pool) as fresh:
        feed = await fresh.feed("one", "one", "two")
        for kind, step in plan:
            if kind != "commit":
                await crash(fresh, as_batch(feed, step[0]), connection)
            if kind == "crash":
                continue
            await fresh.write(*(as_batch(feed, answer) for answer in step))
            for answer in step:
                pulled += len(answer[0]) + answer[2]
                truth |= {(device, channel, at(m)): v for device, channel, m, v in said(answer)}
        assert await fresh.held() == truth
        counts = fresh.counts()
    assert (counts.pulled, counts.stored) == (pulled, len(truth))
