"""What every adapter of readings keeps to, shown on the real one before its fake."""

from contextlib import suppress
from datetime import timedelta

import pytest
from accessed import people
from befallen import says, the_next
from brought import (
    arrivals,
    busiest,
    facts,
    goes_by_arrival,
    held,
    of,
    places,
    pulled,
    serves_all,
    told,
)
from fix_platforms import HISTORY, LARGEST_BODY, NOW, SINCE, Stage, login

from harvester import platforms
from harvester.errors import (
    Forbidden,
    Malformed,
    TokenError,
    TooLarge,
    TransientError,
    Truncated,
)
from harvester.model import Credentials, Window
from harvester.simulator.faults import Fault, Kind, html_page, oversized, refuse

PLATFORMS = platforms.names()
ASPECT = "readings"
READ = "GET "
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)
NONSENSE = ('{"readings": [', "7", '"none"', "null", '{"error": "invalid_grant"}', "[[[")


async def test_all_that_was_published_is_pulled_in_every_way_of_the_platform(
    quirky: Stage,
) -> None:
    feeds = (await quirky.feeds()).values()
    assert held(*[await pulled(quirky, *each, HISTORY) for each in feeds]) == quirky.truth
    assert quirky.fake.violations == []


async def test_windows_that_meet_on_a_reading_lose_none_and_double_none(quirky: Stage) -> None:
    feed, api = await busiest(quirky)
    shifts = (-MICROSECOND, timedelta(), MICROSECOND)
    met = [at for at in places(quirky, feed) if at < NOW - 2 * HOUR][5::20]
    edges = [at + shift for at in met for shift in shifts]
    windows = map(Window, [SINCE, *edges], [*edges, HISTORY.until])
    *parts, last = [set(await told(quirky, feed, api, window)) for window in windows]
    assert facts(quirky, last.union(*parts)) == of(feed, quirky.truth)
    # With the newest window comes what there is of late, as far back as it may go.
    assert sum(map(len, parts)) == len(set().union(*parts))


async def test_a_window_in_which_nothing_was_published_is_empty(stage: Stage) -> None:
    feed, api = await busiest(stage)
    first, second, *_ = places(stage, feed)
    windows = [
        Window(first + MICROSECOND, second),
        Window(SINCE - timedelta(days=9), SINCE - timedelta(days=8)),
    ]
    for window in windows:
        assert await pulled(stage, feed, api, window) == {}
    if not goes_by_arrival(stage.platform):
        with suppress(TransientError):  # some refuse to tell of what is still to come
            to_come = Window(NOW + MICROSECOND, NOW + 3 * HOUR)
            assert await pulled(stage, feed, api, to_come) == {}


async def test_windows_of_arrival_go_by_the_platforms_clock(skewed: Stage) -> None:
    feed, api = await busiest(skewed)
    ahead = (await skewed.adapter.time(api) or NOW) - NOW
    since, until = SINCE + ahead, HISTORY.until + ahead
    assert await pulled(skewed, feed, api, Window(since, until)) == of(feed, skewed.truth)
    with pytest.raises(Truncated):  # more may come
        await pulled(skewed, feed, api, Window(since, until + MICROSECOND))


async def test_what_changed_after_its_arrival_is_told_to_who_wants_it_from_now_on(
    skewed: Stage,
) -> None:
    skewed.clock.advance(DAY / 2)  # in the evening, much waits for its correction
    feeds, before = [*(await skewed.feeds()).values()], skewed.truth
    begin, told_begin = skewed.clock.now(), await skewed.adapter.time(feeds[0][1])
    assert told_begin
    skewed.clock.advance(DAY)
    day = Window(told_begin, told_begin + DAY)
    heard = held(*[await pulled(skewed, *each, day) for each in feeds if each[0].from_now])
    late = {(device, at) for device, at, came in arrivals(skewed) if came > begin}
    now = [each for each in skewed.truth.items() if each[0][::2] not in late]
    changed = {key: value for key, value in now if before.get(key, value) != value}
    assert changed and changed.items() <= heard.items()


async def test_what_the_index_lost_is_brought_by_what_is_gone_over(forgetful: Stage) -> None:
    feeds = (await forgetful.feeds()).values()
    window = Window(SINCE, NOW - 2 * HOUR)
    asked = [await pulled(forgetful, *each, window) for each in feeds if not each[0].every]
    gone_over = [await pulled(forgetful, *each, HISTORY) for each in feeds if each[0].every]
    assert held(*asked, *gone_over) == forgetful.truth
    lost = forgetful.truth.keys() - held(*asked).keys()
    assert any(key[2] < NOW - 3 * HOUR for key in lost)


async def test_a_user_finds_what_he_may_see_shared_or_not(stage: Stage) -> None:
    sees_all = await serves_all(stage)
    for user in stage.tenant.users:
        found = await stage.devices(login(user))
        things = (each for each in stage.tenant.things if sees_all or user.name in each.seen_by)
        seen = {thing.uuid: thing for thing in things}
        assert found.keys() == seen.keys()
        assert {each.seen_by for _, each in found.values()} == {None}
        for uuid, thing in seen.items():
            device, finding = found[uuid]
            assert device.name == thing.name
            reports = thing.active and not thing.model.gateway
            served = {feed.devices for feed in finding.feeds if feed.stream == "readings"}
            assert served - {()} == {(uuid,)} or not (reports or served), (
                "some cannot tell who is silent"
            )
    assert {len(thing.seen_by) for thing in stage.tenant.things} == {1, 2, 3}


async def test_all_devices_are_found_where_there_are_more_than_a_page_of_them(
    large: Stage,
) -> None:
    found = await large.discovered(people(large)[-1])
    named = sorted((each.device.identifier, each.device.name) for each in found if each.device)
    assert named == sorted((thing.uuid, thing.name) for thing in large.tenant.things)


async def test_what_a_platform_states_of_channels_is_found_as_stated(stage: Stage) -> None:
    things = {thing.uuid: thing.model.sensors for thing in stage.tenant.things}
    known = {sensor.channel for sensors in things.values() for sensor in sensors}
    if not {channel for _, channel, _ in stage.truth} <= known:  # names of the platform's own
        return
    for uuid, (device, _) in (await stage.devices()).items():
        stated = {each.name: each for each in device.channels}
        listed = {each.channel: each for each in things[uuid] if each.listed}
        assert stated.keys() in (set(), listed.keys())
        for name, channel in stated.items():
            sensor = listed[name]
            assert (channel.label, channel.unit) == (sensor.name, sensor.unit)
            assert sensor.type in (channel.type, None)


async def test_the_tenants_own_client_finds_all_things_and_whose_they_are(stage: Stage) -> None:
    if not stage.adapter.own_client:  # then there is nothing more to find than users see
        return
    found = await stage.discovered(Credentials(None))
    whose = {(each.device.identifier, each.seen_by) for each in found if each.device}
    reads_itself = not any(user for _, user in whose)
    is_nobodys = reads_itself or await serves_all(stage)
    owned = {(each.uuid, None if is_nobodys else each.owner.name) for each in stage.tenant.things}
    assert owned == {(uuid, user) for uuid, user in whose if user or is_nobodys}
    feeds = {feed.key for each in found for feed in each.feeds if feed.stream == "readings"}
    assert feeds == (await stage.feeds()).keys()
    if reads_itself:
        feed, _ = await busiest(stage)
        assert await pulled(stage, feed, await stage.api(Credentials(None)), HISTORY)


async def test_a_token_refused_in_the_middle_of_reading_costs_a_renewal(quirky: Stage) -> None:
    feed, api = await busiest(quirky)
    calls = quirky.calls()
    refused = quirky.fake.faults.add(the_next("GET", refuse(401), after=1))
    assert await pulled(quirky, feed, api, HISTORY) == of(feed, quirky.truth)
    await pulled(quirky, feed, api, HISTORY)
    assert (refused.fired, quirky.calls()) == (1, calls + 1)


async def test_a_token_refused_in_the_middle_of_discovery_costs_a_renewal(stage: Stage) -> None:
    whole = await stage.discovered()
    stage.fake.faults.add(the_next("GET", refuse(401), after=2))
    assert await stage.discovered() == whole
    stage.fake.faults.add(Fault(READ, refuse(401), times=None))
    with pytest.raises(TokenError):
        await stage.discovered()


@pytest.mark.parametrize("kind", [html_page(), *map(says, NONSENSE)], ids=["html", *NONSENSE])
async def test_what_is_no_answer_does_not_pass_for_silence(stage: Stage, kind: Kind) -> None:
    feed, api = await busiest(stage)
    stage.fake.faults.add(Fault(READ, kind, times=None))
    with pytest.raises(Malformed):
        await pulled(stage, feed, api, HISTORY)
    with pytest.raises(Malformed):
        await stage.discovered()
    stage.fake.faults.clear()
    assert await pulled(stage, feed, api, HISTORY) == of(feed, stage.truth)


async def test_an_oversized_answer_is_told_as_such(stage: Stage) -> None:
    feed, api = await busiest(stage)
    stage.fake.faults.add(Fault(READ, oversized(LARGEST_BODY + 1), times=None))
    with pytest.raises(TooLarge):
        await pulled(stage, feed, api, HISTORY)


async def test_what_is_told_of_one_device_may_be_forbidden(stage: Stage) -> None:
    whole = list(await stage.devices())
    for device in whole:
        stage.fake.faults.add(Fault(device, refuse(403), times=None))
        assert list(await stage.devices()) == whole
        stage.fake.faults.clear()


async def test_one_forbidden_feed_is_told_and_spoils_no_other(stage: Stage) -> None:
    feeds = (await stage.feeds()).values()
    # Two ticks, for in one what was told is not told again; nothing is of the last microsecond.
    tick, later = Window(SINCE, NOW - MICROSECOND), HISTORY
    whole = [await pulled(stage, feed, api, tick) for feed, api in feeds]
    (first, api), *_ = feeds
    stage.fake.faults.add(the_next("GET", refuse(403)))
    with pytest.raises(Forbidden):
        await pulled(stage, first, api, tick)
    assert [await pulled(stage, feed, api, later) for feed, api in feeds] == whole
    assert set().union(*whole) == stage.truth.keys()
