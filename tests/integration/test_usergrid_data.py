"""Usergrid's real adapter before its fake: what entities may hold, and what befalls their pages."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from exchanged import LeapClock, OneToken
from simulated_usergrid import NOW, Play, playing

from harvester.client import TRIES, Client
from harvester.errors import Forbidden, Malformed, ServerFailed, Truncated
from harvester.model import Credentials, Feed, Sample, Window
from harvester.platforms.usergrid import Adapter
from harvester.platforms.usergrid.options import UsergridOptions
from harvester.simulator.faults import Fault, Kind, refuse
from harvester.simulator.usergrid_entities import Entity
from harvester.simulator.usergrid_quirks import (
    Switches,
    cursor_again,
    entities_as,
    refused,
)

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
AT_ONCE = Switches(index_lag=(0 * SECOND, 0 * SECOND))
SHAKY = Switches(index_lag=(0 * SECOND, 0 * SECOND), ties="shaky")
READINGS = Feed("readings", "readings")
CHANGED = Feed("readings", "readings by modified")
SWEPT = Feed("readings", "readings by graph")
SINCE = NOW - timedelta(hours=20)


@dataclass(slots=True)
class Reading(OneToken):
    """Ana's, the adapter, and the fake that both speak to."""

    play: Play
    adapter: Adapter

    async def told(self, feed: Feed = READINGS, until: datetime | None = None) -> list[Any]:
        """What the entities of the last day count to, each as often as it was told."""
        window = Window(SINCE, until or self.play.clock.now())
        return [
            each.value
            async for said in self.adapter.readings(self, feed, window)
            for each in said
            if isinstance(each, Sample)
        ]

    def put(self, count: int, ago: timedelta, *, apart: int = 0, **more: Any) -> list[Entity]:
        """As many entities, so many ms apart, the first of them so long ago. They are counted."""
        store = self.play.fake.store("acme")
        begin = self.play.fake.tokens.now_ms() - ago // timedelta(milliseconds=1)
        return [
            store.put("readings", {"device": "d", "n": n}, begin + apart * n, **more)
            for n in range(count)
        ]

    def between(self, page: int, what: Callable[[], object]) -> None:
        """Do it once that page was made, before it goes out."""
        made = iter(range(1, 1_000_000))

        def befall(_entities: Sequence[Entity]) -> None:
            if next(made) == page:
                what()

        self.play.fake.between_pages = befall


@asynccontextmanager
async def reading(switches: Switches = AT_ONCE) -> AsyncIterator[Reading]:
    async with playing(switches, things=0) as play:
        settings = UsergridOptions.model_validate(
            {
                "base_url": play.fake.url,
                "organization": "acme",
                "application": "plant7",
                "readings": [{"path": "readings", "device": "device", "include": ["n"]}],
            }
        )
        url, clock = settings.base_url, LeapClock(NOW)
        async with Client(url, clock, tenant="a", platform="usergrid", concurrency=4) as client:
            yield Reading(client, await play.login(), play, Adapter(settings))
            assert play.fake.violations == []


async def test_more_of_one_millisecond_than_a_page_holds_are_all_told() -> None:
    async with reading() as it:
        it.put(1200, 3 * MINUTE)
        it.put(1000, 2 * MINUTE)
        it.put(3, MINUTE)
        assert sorted(await it.told()) == sorted([*range(1200), *range(1000), *range(3)])


async def test_a_millisecond_that_comes_in_another_order_each_time_is_told_in_the_end() -> None:
    """Its pages never agree: it is asked for again and again while it is young."""
    async with reading(SHAKY) as it:
        it.put(1100, 3 * MINUTE)
        found: set[object] = set()
        with pytest.raises(Truncated):
            async for said in it.adapter.readings(
                it, READINGS, Window(SINCE, it.play.clock.now() - MINUTE)
            ):
                found |= {each.value for each in said if isinstance(each, Sample)}
        assert len(found) > 1000
        it.play.clock.advance(timedelta(hours=2))
        assert len(await it.told(until=NOW)) > 1000


async def test_ten_in_a_millisecond_in_any_order_are_told_over_many_pages() -> None:
    async with reading(SHAKY) as it:
        for _ in range(10):
            it.put(250, 5 * MINUTE, apart=1)
        assert sorted(await it.told()) == sorted(10 * list(range(250)))
        assert sum(it.play.fake.requests.values()) < 20


@pytest.mark.parametrize("feed", [READINGS, CHANGED])
async def test_rows_that_go_between_two_pages_take_no_others_with_them(feed: Feed) -> None:
    async with reading() as it:
        rows = it.put(1500, 3 * MINUTE)
        store = it.play.fake.store("acme")

        def withdraw() -> None:
            for row in rows[:300]:
                store.delete(row, it.play.fake.tokens.now_ms())

        it.between(1, withdraw)
        assert set(await it.told(feed)) == set(range(1500))


async def test_rows_that_come_between_two_pages_are_told_with_the_next_pass() -> None:
    async with reading() as it:
        it.put(1500, 3 * MINUTE, apart=1)
        it.between(1, lambda: it.put(40, 4 * MINUTE))
        assert sorted(await it.told()) == sorted([*range(1500), *range(40)])


async def test_a_row_that_is_changed_between_two_pages_is_told_as_it_is_then() -> None:
    async with reading() as it:
        rows = it.put(1500, 3 * MINUTE, apart=1)
        now = it.play.fake.tokens.now_ms() - 70_000
        it.between(1, lambda: it.play.fake.store("acme").update(rows[3], {"n": -1}, now))
        told = await it.told()
        assert told.index(3) < told.index(-1) and sorted(told) == sorted([-1, *range(1500)])
        assert -1 in await it.told(CHANGED)


async def test_what_was_imported_with_an_old_date_is_found_at_the_head_of_the_graph() -> None:
    async with reading() as it:
        it.put(3, timedelta(days=9))
        [row] = it.put(
            1, timedelta(), uuid="0b4e28ba-2fa1-11ee-b9d1-0242ac120002", created=1_700_000_000_000
        )
        assert row.created == 1_700_000_000_000
        assert 0 in await it.told(SWEPT)


async def test_what_the_index_lost_is_told_by_the_graph_and_shows_as_a_lag() -> None:
    async with reading() as it:
        it.put(5, 30 * MINUTE, apart=1)
        assert await it.told() == [0, 1, 2, 3, 4]
        assert it.adapter.behind == timedelta()
        it.play.fake.index_loses = 1.0
        it.put(2, 20 * MINUTE)
        assert sorted(await it.told()) == [0, 0, 1, 1, 2, 3, 4]
        assert it.adapter.behind == 20 * MINUTE
        it.play.fake.reindex("acme")
        assert sorted(await it.told()) == [0, 0, 1, 1, 2, 3, 4]
        assert it.adapter.behind == timedelta()


@pytest.mark.parametrize("seconds", [0.2, 5, 50, 600])
async def test_the_lag_of_the_index_is_measured_as_it_is(seconds: float) -> None:
    async with reading() as it:
        it.play.fake.index_lag = (seconds * SECOND, seconds * SECOND)
        it.put(1000, 1000 * SECOND, apart=1000)
        await it.told(until=it.play.clock.now() - MINUTE)
        behind = it.adapter.behind
        assert behind is not None
        assert (seconds - 2) * SECOND < behind <= seconds * SECOND


async def test_an_index_that_never_heard_of_a_collection_shows_as_a_lag_and_costs_nothing() -> None:
    async with reading(Switches(unindexed=("readings",))) as it:
        it.put(5, 10 * MINUTE)
        assert sorted(await it.told()) == [0, 1, 2, 3, 4]
        assert it.adapter.behind == 10 * MINUTE


async def test_while_the_index_is_away_new_readings_come_by_the_graph() -> None:
    async with reading() as it:
        it.put(1500, 30 * MINUTE, apart=1)
        it.play.fake.index_down = True
        assert sorted(await it.told()) == list(range(1500))
        with pytest.raises(ServerFailed):
            await it.told(CHANGED)
        it.play.fake.index_down = False
        await it.adapter.time(it)
        assert len(await it.told(CHANGED)) == 1500


@pytest.mark.parametrize("switches", [AT_ONCE, Switches(server="2.1.0", refills=False)])
@pytest.mark.parametrize("count", [999, 1000, 2000])
async def test_a_page_that_is_just_full_loses_nothing(switches: Switches, count: int) -> None:
    async with reading(switches) as it:
        it.put(count, 3 * MINUTE)
        for feed in (READINGS, CHANGED, SWEPT):
            assert sorted(await it.told(feed)) == list(range(count))


@pytest.mark.parametrize(
    ("kind", "times"),
    [(refused(400, "illegal_argument"), 1), (refused(500, "cursor_parse"), TRIES)],
)
async def test_a_cursor_that_is_refused_once_costs_a_pass_and_no_reading(
    kind: Kind, times: int
) -> None:
    async with reading() as it:
        it.put(1500, 3 * MINUTE)
        for feed in (READINGS, SWEPT):
            fault = it.play.fake.faults.add(Fault("cursor=", kind, times=times))
            assert set(await it.told(feed)) == set(range(1500))
            assert fault.fired == times


@pytest.mark.parametrize("feed", [READINGS, SWEPT])
async def test_a_cursor_that_comes_back_is_not_followed_for_ever(feed: Feed) -> None:
    async with reading() as it:
        it.put(3000, 3 * MINUTE)
        it.play.fake.faults.add(Fault("cursor=", cursor_again(), times=None))
        with pytest.raises(Truncated, match="leads nowhere"):
            await it.told(feed)
        it.play.fake.faults.clear()
        assert len(await it.told(feed)) == 3000


async def test_entities_that_are_not_where_they_should_be_do_not_pass_for_silence() -> None:
    async with reading() as it:
        it.put(3, 3 * MINUTE)
        it.play.fake.faults.add(Fault("/readings", entities_as("list")))
        with pytest.raises(Malformed):
            await it.told()
        assert await it.told() == [0, 1, 2]


async def test_a_path_that_is_gone_is_forbidden_and_not_empty() -> None:
    async with reading() as it:
        it.play.fake.faults.add(Fault("/readings", refuse(404)))
        with pytest.raises(Forbidden):
            await it.told()


async def test_a_collection_that_nobody_wrote_to_is_empty_and_not_gone() -> None:
    async with reading() as it:
        for feed in (READINGS, CHANGED, SWEPT):
            assert await it.told(feed) == []
        found = [each async for each in it.adapter.discover(it, Credentials("ana"))]
        assert [feed.key for each in found for feed in each.feeds] == [
            each.key for each in (READINGS, CHANGED, SWEPT)
        ]


@pytest.mark.parametrize("skew", [timedelta(hours=-5), timedelta(hours=7)])
async def test_the_axis_is_by_the_servers_clock(skew: timedelta) -> None:
    async with reading(Switches(clock_skew=skew)) as it:
        told = await it.adapter.time(it)
        assert told == it.play.clock.now() + skew
        it.put(3, 3 * MINUTE)
        assert await it.told(until=told) == [0, 1, 2]
