"""Six hours of twenty devices of a platform that forgets, with all that goes wrong in them: what
is not held could be had by no one, and is told as lost."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from fix_devicehive import BEGIN, Hive, away, hive, no_database
from fix_postgres import Database, Postgres

from harvester.model import Spans
from harvester.simulator.devicehive_quirks import Switches
from harvester.store.spans import from_multirange

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
HOURS = timedelta(hours=6)
SKEW = timedelta(minutes=7)
OUTAGE = timedelta(minutes=10)
HANG = timedelta(minutes=12)
MARGIN = timedelta(seconds=45)
"""What a poll may last, as the clock moves while nothing gets on."""

_LOST = "select feed, lost from harvester.coverage where not isempty(lost)"


async def six_hours(it: Hive, postgres: Postgres, database: Database) -> str:
    """The device that hung."""
    await until(it, BEGIN + HOUR)
    async with no_database(postgres, database):
        await until(it, it.clock.now() + MINUTE, at_least=1)
    await until(it, BEGIN + 2 * HOUR)
    async with away(it.fake):
        await until(it, it.clock.now() + OUTAGE)
    await until(it, BEGIN + 4 * HOUR)
    device = it.fake.arrivals("acme")[-1].device
    fault = it.fake.hang(device)
    await until(it, it.clock.now() + HANG)
    it.fake.faults.planned.remove(fault)
    await until(it, BEGIN + HOURS)
    await it.tick()
    return device


async def until(it: Hive, end: datetime, *, at_least: int = 0) -> None:
    while it.clock.now() + it.every <= end or at_least > 0:
        await it.beat()
        at_least -= 1
    if it.clock.now() < end:
        it.clock.set(end)


async def lost(it: Hive) -> dict[str, list[Spans]]:
    """By device, of both of its feeds."""
    found: dict[str, list[Spans]] = defaultdict(list)
    for row in await it.house.pool.fetch(_LOST):
        found[row["feed"]].append(from_multirange(row["lost"]))
    return found


def length(spans: Spans) -> timedelta:
    return sum((each.until - each.since for each in spans), timedelta())


WAYS = [
    pytest.param("polling", 360),
    pytest.param("websocket", 360),
    pytest.param("polling", 120, marks=pytest.mark.proof),
    pytest.param("websocket", 120, marks=pytest.mark.proof),
]
"""And how many seconds the platform remembers: 120 as it comes, which takes three times as long."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("ingest", "remembers"), WAYS)
async def test_six_hours_end_with_all_that_could_be_had(
    ingest: str, remembers: int, database: Database, tmp_path: Path, postgres: Postgres
) -> None:
    switches, ttl = Switches(cache_ttl=remembers, clock_skew=SKEW), timedelta(seconds=remembers)
    async with hive(database, tmp_path, switches, things=18, ingest=ingest) as it:
        hung = await six_hours(it, postgres, database)
        truth, held, given_up = it.truth(), await it.held(), await lost(it)
        assert held.keys() <= truth.keys()
        last = {each.key: each for each in it.fake.arrivals("acme")}
        for key in (key for key, value in truth.items() if held.get(key) != value):
            spans = [span for feed in given_up[key[0]] for span in feed]
            assert any(span.since <= last[key].at < span.until for span in spans), last[key]
        for device, feeds in given_up.items():
            had = OUTAGE - ttl + (HANG - ttl if device == hung else timedelta())
            polls = 2 if device == hung else 1
            for each in feeds:
                assert length(each) <= had + polls * (it.every + MARGIN), device
        assert it.fake.violations == []
