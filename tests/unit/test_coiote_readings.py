"""Coiote: who is asked for readings, who is not, and what a refusal means."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from told import Told, ToldApi
from told_coiote import (
    DAY,
    DETAILS,
    FEED,
    HISTORY,
    HOUR,
    IDS,
    LAST,
    MINUTE,
    NOW,
    ROOT,
    adapter,
    count,
    refusal,
)

from harvester.errors import Forbidden, NotPermitted, RequestRefused, TransientError
from harvester.model import Credentials, Feed, Sample, Window
from harvester.platforms.coiote import Adapter, instants

ONE = f"{IDS}/a"
OTHER = HISTORY.replace("3303", "3304")
LATEST = (
    f"{ROOT}cachedDataModels/a?parameters=Device.0.Battery%20Level"
    "&parameters=Connectivity%20Monitoring.0.Radio%20Signal%20Strength"
)
OTHER_FEED = Feed("readings", "a /3304/0/5700", ("a",), place="/acme/")
SLOW = Feed("readings", "a latest:3/0/9,4/0/2", ("a",))
MS = timedelta(milliseconds=1)
PAGE = {"hasNext": False, "data": [{"date": "2026-03-04T11:30:00.000Z", "value": "21.5"}]}
SAMPLE = Sample("a", "3303/0/5700", NOW - HOUR / 2, "21.5")


def device(contact: datetime | None = NOW, domain: str | None = "/acme/") -> dict[str, Any]:
    said = instants.stamp(instants.millis(contact)) if contact else None
    return {"id": "a", "domain": domain, "lastContactTime": said}


def api(history: Told = PAGE, *, seen: Told = None, **others: Told) -> ToldApi:
    """Of who may list all devices at once."""
    return ToldApi({DETAILS: {"devices": [seen or device()]}, HISTORY: history, **others})


async def pulled(
    it: Adapter, told: ToldApi, feed: Feed = FEED, window: Window = LAST
) -> list[Sample]:
    asked = it.readings(told, feed, window)
    return [
        each for batch in [b async for b in asked] for each in batch if isinstance(each, Sample)
    ]


@pytest.mark.parametrize(
    ("contact", "asked"),
    [
        (None, 1),
        (NOW, 1),
        (NOW - HOUR - 10 * MINUTE, 1),
        (NOW - HOUR - 10 * MINUTE - MS, 0),
        (NOW - 30 * DAY, 0),
    ],
)
async def test_a_device_that_was_silent_since_before_a_window_told_nothing_of_it(
    contact: datetime | None, asked: int
) -> None:
    told = api(seen=device(contact))
    assert await pulled(adapter(), told) == [SAMPLE] * asked
    assert count(told, HISTORY) == asked
    assert await pulled(adapter(ask_silent=True), told) == [SAMPLE]


async def test_one_answer_tells_of_all_devices_until_a_window_ends_later() -> None:
    it, told = adapter(), api(**{OTHER: PAGE, LATEST: []})
    for feed in (FEED, OTHER_FEED, SLOW):
        await pulled(it, told, feed)
    await pulled(it, told, FEED, Window(NOW - DAY, NOW - HOUR))
    assert count(told, DETAILS) == 1
    await pulled(it, told, FEED, Window(NOW, NOW + MS))
    assert count(told, DETAILS) == 2


async def test_who_may_not_ask_for_all_devices_asks_for_each_once() -> None:
    it, told = adapter(), ToldApi({ONE: device(), HISTORY: PAGE, OTHER: PAGE})
    for feed in (FEED, OTHER_FEED):
        assert await pulled(it, told, feed)
    await pulled(it, told, FEED, Window(NOW, NOW + HOUR))
    assert (count(told, DETAILS), count(told, ONE)) == (1, 2)


async def test_a_discovery_finds_out_whether_all_may_be_asked_for_now() -> None:
    it, told = adapter(), ToldApi({ONE: device(), HISTORY: PAGE})
    await pulled(it, told)
    told.answers = {DETAILS: {"devices": [device()]}, HISTORY: PAGE}
    [_ async for _ in it.discover(told, Credentials("ana"))]
    told.asked.clear()
    await pulled(it, told, FEED, Window(NOW, NOW + HOUR))
    assert (count(told, DETAILS), count(told, ONE)) == (1, 0)


async def test_a_device_that_is_listed_no_more_is_not_to_be_seen() -> None:
    lists: list[dict[str, Told]] = [{DETAILS: {"devices": []}}, {ONE: Forbidden("x", 404)}]
    for answers in lists:
        with pytest.raises(Forbidden):
            await pulled(adapter(), ToldApi({HISTORY: PAGE, **answers}))


async def test_a_device_in_another_domain_is_not_asked_before_it_is_discovered_anew() -> None:
    told = api(seen=device(domain="/acme/depot/"))
    with pytest.raises(Forbidden, match="another domain"):
        await pulled(adapter(), told)
    assert count(told, HISTORY) == 0
    for feed, domain in ((Feed("readings", FEED.key, ("a",)), "/x/"), (FEED, None)):
        assert await pulled(adapter(), api(seen=device(domain=domain)), feed) == [SAMPLE]


@pytest.mark.parametrize("code", [4041, 4042])
async def test_a_resource_that_is_not_there_is_silent_until_the_next_discovery(code: int) -> None:
    it, told = adapter(), api(refusal(code))
    for hours in range(3):
        window = Window(NOW, NOW + HOUR * (hours + 1))
        assert await pulled(it, told, FEED, window) == []
    assert count(told, HISTORY) == 1
    it.discover(told, Credentials("ana"))
    told.answers = {**told.answers, HISTORY: PAGE}
    assert await pulled(it, told) == [SAMPLE]


@pytest.mark.parametrize("code", [4001, 4003, 4040])
async def test_other_refusals_are_raised_as_they_are(code: int) -> None:
    with pytest.raises((Forbidden, RequestRefused)) as caught:
        await pulled(adapter(), api(refusal(code)))
    assert getattr(caught.value, "body", None) == {"message": "No", "code": code}


async def test_what_is_not_monitored_is_asked_once_a_day_and_then_not_even_found() -> None:
    it, told = adapter(), api(refusal(5031), **{OTHER: PAGE})
    row = device(None) | {"properties": {"registeredObjects": "/3/0,/3303/0"}}
    told.answers = {**told.answers, DETAILS: {"devices": [row]}, LATEST: []}
    for feed in (FEED, OTHER_FEED, FEED):
        with pytest.raises(RequestRefused, match="not enabled for a"):
            await pulled(it, told, feed)
    assert (count(told, HISTORY), count(told, OTHER)) == (1, 0)
    assert await keys(it, told) == [SLOW.key.removesuffix(",4/0/2")]
    later = Window(NOW + DAY, NOW + DAY + HOUR)
    await pulled(it, told, SLOW, later)
    assert FEED.key in await keys(it, told)
    with pytest.raises(RequestRefused):
        await pulled(it, told, FEED, later)
    assert count(told, HISTORY) == 2


async def keys(it: Adapter, told: ToldApi) -> list[str]:
    found = [each async for each in it.discover(told, Credentials("ana"))]
    return [feed.key for each in found for feed in each.feeds if feed.stream == "readings"]


async def test_an_account_without_the_permission_is_asked_for_one_feed_of_a_tick() -> None:
    it, told, free = adapter(), api(refusal(4030)), api()
    for feed in (FEED, OTHER_FEED):
        with pytest.raises(NotPermitted, match=r"monitoring\.manageMonitoring"):
            await pulled(it, told, feed)
    assert (count(told, HISTORY), count(told, OTHER)) == (1, 0)
    assert await pulled(it, free) == [SAMPLE], "another account may have it"
    with pytest.raises(NotPermitted):
        await pulled(it, told, FEED, Window(NOW, NOW + HOUR))
    assert count(told, HISTORY) == 2


@pytest.mark.parametrize(("behind", "learned"), [(1, 1), (3, 3), (9, 9), (60, 60), (700, 700)])
async def test_how_far_the_platforms_clock_is_behind_is_learned_from_its_refusals(
    behind: int, learned: int
) -> None:
    now = instants.stamp(instants.millis(NOW - timedelta(minutes=behind)))
    it = adapter()
    told = api(lambda asked: refusal(4000) if asked["timeRangeEnd"] > now else PAGE)
    told.answers = {**told.answers, OTHER: told.answers[HISTORY]}
    for feed in (FEED, OTHER_FEED):
        with pytest.raises(TransientError, match="clock is behind"):
            await pulled(it, told, feed)
    assert it.under_way == timedelta(seconds=30, minutes=learned)
    assert await pulled(it, told, FEED, Window(NOW - DAY, NOW - timedelta(minutes=behind)))


async def test_a_range_that_is_never_taken_is_no_clocks_fault() -> None:
    it = adapter()
    with pytest.raises(RequestRefused):
        await pulled(it, api(refusal(4000)))
    assert it.under_way == timedelta(seconds=30)


def latest(name: str, value: object, at: object = "2026-03-01T05:20:00.250Z") -> dict[str, object]:
    return {"name": name, "value": value, "updateTime": at, "type": "int"}


async def test_latest_values_have_the_instant_at_which_they_came() -> None:
    rows = [
        latest("Device.0.Battery Level", "73"),
        latest("Connectivity Monitoring.0.Radio Signal Strength", None),
        latest("Device.0.Manufacturer", "Acme"),
        latest("Device.0.Battery Level.1", "5"),
        "no row",
    ]
    [told] = await pulled(adapter(), api(**{LATEST: rows}), SLOW)
    at = datetime(2026, 3, 1, 5, 20, 0, 250_000, tzinfo=UTC)
    assert told == Sample("a", "3/0/9", at, "73")


async def test_latest_values_are_asked_for_once_whatever_the_windows() -> None:
    it, told = adapter(), api(**{LATEST: [latest("3.0.9", "73", None)]})
    [sample] = await pulled(it, told, SLOW)
    assert (sample.instant, sample.stated_instant) == (None, None)
    for hours in range(1, 5):
        window = Window(LAST.since - hours * HOUR, LAST.until - hours * HOUR)
        assert await pulled(it, told, SLOW, window) == []
    assert count(told, LATEST) == 1
    assert await pulled(it, told, SLOW, Window(NOW, NOW + HOUR))
    silent = api(seen=device(NOW - DAY))
    assert await pulled(adapter(), silent, SLOW) == []


def test_5031_alone_of_all_that_says_503_is_not_asked_for_again() -> None:
    it = adapter()
    bodies = [
        {"code": 5031},
        {"code": "5031"},
        {"code": 5030},
        {"error": "x"},
        None,
        [5031],
        "5031",
    ]
    assert [it.is_lasting(body) for body in bodies] == [True, True, *[False] * 5]


def test_a_tenant_keeps_what_its_platform_does() -> None:
    assert adapter().retention == 30 * DAY
    assert adapter(retention="90d").retention == 90 * DAY
    assert (adapter(settling="5m").under_way, Adapter.longest_window) == (timedelta(minutes=5), DAY)
