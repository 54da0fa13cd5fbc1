"""Usergrid: an index that is away is asked once in a tick, and is ever further behind."""

from datetime import timedelta

import pytest
from paged import Row
from sourced import NOW, Moved, adapter, paged, told, value

from harvester.errors import ServerFailed, Throttled
from harvester.model import Feed
from harvester.platforms.base import Params
from harvester.platforms.usergrid import Adapter

CHANGED = Feed("readings", "readings by modified")
OTHER = Feed("readings", "other")
SWEPT = Feed("readings", "readings by graph")
AWAY = ServerFailed("503 of the index")
MINUTE = 60_000


def away(*rows: Row) -> Moved:
    """A platform whose index is away, at NOW."""
    return Moved(paged(*rows), asc=AWAY, desc=AWAY)


async def ticked(usergrid: Adapter, api: Moved, now: int = NOW) -> None:
    """Begin a tick at that time of the server's."""
    api.api.now = value(0, now)["created"]
    await usergrid.time(api)
    api.api.asked.clear()


async def test_an_index_that_is_away_is_asked_once_in_a_tick() -> None:
    usergrid, api = adapter(), away(value(1, 500_000))
    for _ in range(2):
        await ticked(usergrid, api)
        assert await told(usergrid, api) == await told(usergrid, api, feed=OTHER) == [1]
        for _ in range(2):
            with pytest.raises(ServerFailed, match="503 of the index"):
                await told(usergrid, api, feed=CHANGED)
        assert await told(usergrid, api, (0, NOW), SWEPT) == [1]
        assert len(api.api.queries) == 1
        assert len(api.api.asked) == 4


async def test_an_index_that_answered_since_the_tick_began_is_asked_by_every_path() -> None:
    """What fails is one path's own."""
    usergrid, api = adapter(), Moved(paged(value(1, 500_000)))
    await ticked(usergrid, api)
    await told(usergrid, api)
    api.api.asked.clear()
    api.troubles = {"asc": AWAY}
    for _ in range(2):
        with pytest.raises(ServerFailed):
            await told(usergrid, api, feed=CHANGED)
    assert len(api.api.queries) == 2
    await ticked(usergrid, api, NOW + MINUTE)
    assert usergrid.behind == timedelta()


async def test_an_index_is_asked_again_though_the_platform_does_not_tell_its_time() -> None:
    usergrid, api = adapter(), away(value(1, 500_000))
    await ticked(usergrid, api)
    await told(usergrid, api)
    with pytest.raises(Throttled):
        await usergrid.time(Moved(api.api, head=Throttled("")))
    api.troubles = {}
    assert await told(usergrid, api, feed=CHANGED) == [1]


async def test_an_index_that_is_away_is_behind_since_it_last_answered() -> None:
    usergrid, api = adapter(), Moved(paged(value(1, 500_000)))
    for minutes in (0, 5):
        await ticked(usergrid, api, NOW + minutes * MINUTE)
        await told(usergrid, api)
        assert usergrid.behind == timedelta()
    api.troubles = {"asc": AWAY, "desc": AWAY}
    for minutes in (10, 20):
        await ticked(usergrid, api, NOW + minutes * MINUTE)
        await told(usergrid, api)
        assert usergrid.behind == timedelta(minutes=minutes - 5)
    api.troubles = {}
    await ticked(usergrid, api, NOW + 25 * MINUTE)
    assert usergrid.behind == timedelta(minutes=20), "it has not answered yet"
    await told(usergrid, api, (NOW, NOW + 19 * MINUTE))
    await ticked(usergrid, api, NOW + 30 * MINUTE)
    assert usergrid.behind == timedelta()


async def test_an_index_that_never_answered_is_behind_since_it_could_be_asked() -> None:
    usergrid, api = adapter(), away(value(1, 500_000))
    await ticked(usergrid, api)
    await told(usergrid, api)
    assert usergrid.behind == timedelta()
    await ticked(usergrid, api, NOW + MINUTE)
    assert usergrid.behind == timedelta(minutes=1)


async def test_what_was_measured_before_counts_while_it_is_more() -> None:
    usergrid, api = adapter(), Moved(paged(value(1, 0), unindexed=["u00001"]))
    await ticked(usergrid, api)
    await told(usergrid, api)
    assert usergrid.behind == timedelta(minutes=10)
    api.troubles = {"asc": AWAY, "desc": AWAY}
    await ticked(usergrid, api, NOW + MINUTE)
    await told(usergrid, api)
    assert usergrid.behind == timedelta(minutes=10)


class Dying(Moved):
    """Fails for every question to the index but the first."""

    async def get(self, path: str, params: Params | None = None) -> object:
        if len(self.api.queries) == 1:
            self.troubles = {"desc": AWAY}
        return await super().get(path, params)


async def test_a_sweep_tells_whether_the_index_answers() -> None:
    old = [value(n, -9_000_000 - n) for n in range(9, 0, -1)]
    for api, is_asked_on in ((Dying(paged(*old, cap=3)), True), (away(*old), False)):
        usergrid = adapter()
        await ticked(usergrid, api)
        await told(usergrid, api, (-9_100_000, NOW), SWEPT)
        assert (len(api.api.queries) > 2) is is_asked_on
