"""The corridor in process, on a moved clock: what the platform published is what is held."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from fix_simulator import BEGIN, HISTORY, Play
from prometheus_client import REGISTRY

from harvester.model import Discovered
from harvester.platforms.mydevices import Adapter
from harvester.simulator.faults import Fault, html_page, oversized, refuse

READINGS = "/readings"
HOUR = timedelta(hours=1)


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"harvester_{name}_total", labels) or 0.0


async def test_one_tick_brings_all_that_was_published(play: Play) -> None:
    assert await play.tick()
    assert await play.held() == play.published()


async def test_a_backfill_that_takes_several_ticks_is_not_done_before_the_last(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harvester.windows.MOST_MISSING", 2)
    monkeypatch.setattr("harvester.platforms.mydevices.Adapter.longest_window", 9 * HOUR)
    assert not await play.tick()
    assert await play.tick()
    assert await play.held() == play.published()


async def test_a_second_tick_at_the_same_instant_asks_for_nothing(play: Play) -> None:
    await play.tick()
    asked = play.fake.requests.total()
    await play.tick()
    assert play.fake.requests.total() == asked


@pytest.mark.timeout(120)
async def test_three_days_of_late_and_corrected_readings_end_equal(play: Play) -> None:
    end = BEGIN + timedelta(days=3)
    while play.clock.now() < end + 28 * HOUR:
        assert await play.tick()
        play.clock.advance(4 * HOUR)
    truth = play.published(until=end)
    assert await play.held(until=end) == truth
    first_said = play.published(as_of=end, until=end)
    assert truth != first_said, "the world must have published some of it late"
    unsettled = await play.house.pool.fetchval(
        "select count(*) from harvester_data.coverage where not settled @> tstzrange($1, $2)",
        BEGIN - HISTORY,
        end,
    )
    assert unsettled == 0


async def test_every_sample_is_stored_corrected_unchanged_or_rejected(play: Play) -> None:
    outcomes = ("stored", "corrected", "unchanged", "rejected")
    names = [f"readings_{each}" for each in ("pulled", *outcomes)]
    before = [counted(name, tenant="acme") for name in names]
    for _ in range(4):
        await play.tick()
        play.clock.advance(7 * HOUR)
    pulled, *rest = (
        counted(name, tenant="acme") - was for name, was in zip(names, before, strict=True)
    )
    assert pulled == sum(rest)
    stored = await play.house.pool.fetchval(
        "select count(*) from harvester.readings where tenant = 'acme'"
    )
    assert rest[0] == stored
    assert all(rest), "the world has some of each"


async def test_a_page_for_people_costs_one_window_until_it_is_gone(play: Play) -> None:
    play.fake.faults.add(Fault(READINGS, html_page()))
    assert not await play.tick()
    (kept,) = [row for row in await play.rejected() if row["reason"] == "malformed"]
    assert "back soon" in kept["value"]
    (gap,) = await play.house.pool.fetch(
        "select * from harvester.gaps where since = $1", BEGIN - HISTORY
    )
    assert gap["reason"].startswith("malformed")
    assert await play.tick()
    assert await play.held() == play.published()


async def test_an_oversized_answer_is_asked_for_in_parts(play: Play) -> None:
    whole_days = 8  # of the first feed worked on: its window is asked for whole, then in halves
    fault = play.fake.faults.add(Fault(READINGS, oversized(17 * 2**20), times=1))
    assert await play.tick()
    assert fault.fired == 1
    assert play.fake.requests["GET /v1.0/things/{thing}/readings"] > whole_days
    assert await play.held() == play.published()


async def test_who_may_not_see_a_thing_makes_room_for_who_may(play: Play) -> None:
    shared = next(
        thing for thing in play.world.things("acme") if len(thing.seen_by) > 1 and thing.active
    )
    refused = play.fake.faults.add(Fault(f"{shared.uuid}/readings", refuse(403), times=1))
    assert await play.tick()
    assert refused.fired == 1
    assert await play.held() == play.published()


async def test_one_tenants_wrong_passwords_leave_the_other_alone(play: Play) -> None:
    for user in play.world.users("acme"):
        play.fake.disable(user.name)
    assert not await play.tick()
    held = await play.held()
    assert {key[0] for key in held} == {"globex"}
    assert held == {key: value for key, value in play.published().items() if key[0] == "globex"}


@pytest.fixture
def swept(monkeypatch: pytest.MonkeyPatch) -> None:
    """All feeds are wanted six hours at a time, and what is new may take a minute to be told."""
    discover = Adapter.discover

    async def found(self: Adapter, *given: Any) -> AsyncIterator[Discovered]:
        async for each in discover(self, *given):
            feeds = tuple(replace(feed, every=6 * HOUR) for feed in each.feeds)
            yield replace(each, feeds=feeds)

    monkeypatch.setattr(Adapter, "discover", found)
    monkeypatch.setattr(Adapter, "under_way", timedelta(minutes=1))


@pytest.mark.usefixtures("swept")
async def test_what_is_wanted_a_piece_at_a_time_is_asked_for_when_it_is_a_piece(play: Play) -> None:
    asked, readings = [], "GET /v1.0/things/{thing}/readings"
    for hours in (0, 5, 1, 1):
        play.clock.advance(hours * HOUR)
        before = play.fake.requests[readings]
        assert await play.tick()
        asked.append(play.fake.requests[readings] > before)
        missing = "select * from harvester.gaps where stream = 'readings'"
        assert await play.house.pool.fetch(missing) == []
    assert asked == [True, False, True, False]
