"""Usergrid: by which way a feed is read, and what becomes of it while the index is away."""

import pytest
from paged import BASE, window
from sourced import FEED, LIVE, NOW, Moved, adapter, paged, told, value
from structlog.testing import capture_logs

from harvester.errors import Forbidden, RequestRefused, ServerFailed, Throttled, Truncated
from harvester.model import Feed
from harvester.platforms.usergrid.readings import DEEPEST


async def test_a_window_is_read_past_an_index_that_is_away() -> None:
    api = paged(*(value(n, n * 1000) for n in range(600)), cap=100)
    found = await told(adapter(), Moved(api, asc=ServerFailed("503")))
    assert set(range(480, 540)) <= set(found)
    assert len(api.queries) == 1


async def test_what_is_too_deep_waits_for_the_index() -> None:
    rows = [value(n, n) for n in range(2 * DEEPEST)]
    api = Moved(paged(*rows, cap=1), asc=ServerFailed("the index is away"))
    with pytest.raises(ServerFailed, match="the index is away"):
        await told(adapter(), api, (0, 10))
    assert len(api.api.asked) == 1 + DEEPEST


async def test_what_is_not_over_by_the_servers_clock_waits_for_the_index() -> None:
    api = paged(value(1, 500_000))
    api.now = BASE + LIVE[1] - 1
    with pytest.raises(ServerFailed, match="the index is away"):
        await told(adapter(), Moved(api, asc=ServerFailed("the index is away")))


@pytest.mark.parametrize(
    ("key", "trouble"),
    [
        ("readings by modified", ServerFailed("503")),
        ("readings", Throttled("429")),
        ("readings", RequestRefused("400", 400)),
    ],
)
async def test_what_the_graph_cannot_stand_in_for_fails(key: str, trouble: Exception) -> None:
    api = Moved(paged(value(1, 500_000)), asc=trouble)
    with pytest.raises(type(trouble)):
        await told(adapter(), api, feed=Feed("readings", key))
    assert len(api.api.asked) == 1


async def test_the_graph_has_its_own_feed_for_what_the_index_lost() -> None:
    api = paged(*(value(n, n * 1000) for n in range(600)))
    api.unindexed = [each["uuid"] for each in api.rows]
    found = await told(adapter(), api, (0, NOW), feed=Feed("readings", "readings by graph"))
    assert found == list(range(599, -1, -1))
    assert api.queries == []


@pytest.mark.parametrize(
    "key",
    [
        "gone",
        "gone by graph",
        "readings by",
        "readings by modified by graph",
        "devices/u/sends",
        "devices//sends/readings",
        "devices/u/v/sends/readings",
        "old/devices/u/sends/readings",
    ],
)
async def test_a_feed_that_is_configured_no_more_is_not_asked_for(key: str) -> None:
    paths = [{"path": "readings", "device": "uuid"}, {"path": "devices/{device}/sends/readings"}]
    api = paged(value(1, 500_000))
    with pytest.raises(Forbidden, match="not configured"):
        await told(adapter(readings=paths), api, feed=Feed("readings", key))
    assert api.asked == []


@pytest.mark.parametrize("key", ["readings", "readings by modified"])
async def test_passes_that_never_agree_are_told(key: str) -> None:
    api = paged(*(value(n, 500_000) for n in range(5)), cap=2)
    api.between = lambda count: api.rows.append(value(100 + count, 500_000))
    with pytest.raises(Truncated):
        await told(adapter(), api, feed=Feed("readings", key))


CHANGED = Feed("readings", "readings by modified")
TASKS = Feed("task_reports", "readings")


@pytest.mark.parametrize(("feed", "axis"), [(FEED, "created"), (CHANGED, "modified")])
async def test_passes_of_an_older_window_that_never_agree_are_told_until_they_do(
    feed: Feed, axis: str
) -> None:
    api, usergrid = paged(value(1, 500_000)), adapter()
    api.now = BASE + 540_000 + 3_600_000
    shaky = api.between = lambda count: api.rows.append(value(count, 500_001))
    with capture_logs() as logs:
        assert len(await told(usergrid, api, feed=feed)) == 5
        api.between = lambda _: None
        await told(usergrid, api, (540_000.2, 540_000.9), feed=feed)
        assert len(logs) == 1, "nothing was read"
        await told(usergrid, api, feed=feed)
        api.now, api.between = BASE + NOW, shaky
        with pytest.raises(Truncated):
            await told(usergrid, api, feed=feed)
    what = f"/acme/plant7/readings by {axis}"
    told_ = [(each["event"], each["what"], each.get("reason")) for each in logs]
    assert told_ == [("failing", what, "never_agrees"), ("well again", what, None)]


async def test_passes_of_task_reports_that_never_agree_are_told_as_well() -> None:
    api = paged(value(1, 500_000))
    api.now = BASE + 540_000 + 3_600_000
    api.between = lambda count: api.rows.append(value(count, 500_001))
    usergrid = adapter(readings=[], tasks=[{"path": "readings"}])
    with capture_logs() as logs:
        async for _ in usergrid.task_reports(api, TASKS, window(*LIVE)):
            pass
    assert [each["reason"] for each in logs] == ["never_agrees"]
