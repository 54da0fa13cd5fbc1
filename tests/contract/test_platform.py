"""What every adapter of readings keeps to, shown on the real one before its fake."""

from datetime import datetime, timedelta

import pytest
from befallen import says, the_next
from fix_platforms import HISTORY, LARGEST_BODY, NOW, SINCE, Facts, Stage, login, within

from harvester import platforms
from harvester.auth import AccountApi
from harvester.errors import (
    Forbidden,
    Malformed,
    TokenError,
    TooLarge,
)
from harvester.model import Credentials, Feed, Window
from harvester.platforms.base import Platform
from harvester.simulator.faults import Fault, Kind, html_page, oversized, refuse

PLATFORMS = [name for name in platforms.names() if issubclass(platforms.adapter(name), Platform)]
"""Those whose data is read; of the others only the tokens are kept yet."""
BESIDE = "^(refusals|no management|no making|short lives|rotating|sessions|newer|kept)"
"""Ways in which tokens alone differ, or in which nothing does, as all is kept here anyway."""
READ = "GET "
MICROSECOND = timedelta(microseconds=1)
NONSENSE = ('{"readings": [', "7", '"none"', "null", '{"error": "invalid_grant"}', "[[[")


def instants(facts: Facts) -> list[datetime]:
    return sorted({key[2] for key in facts})


def of(feed: Feed, facts: Facts) -> Facts:
    return {key: value for key, value in facts.items() if key[0] in feed.devices}


async def busiest(stage: Stage) -> tuple[Feed, AccountApi]:
    """The feed of which most was published."""
    feeds = (await stage.feeds()).values()
    return max(feeds, key=lambda each: len(instants(of(each[0], stage.truth))))


async def test_all_that_was_published_is_pulled_in_every_way_of_the_platform(
    quirky: Stage,
) -> None:
    pulled: dict[tuple[str, str, datetime], float | str] = {}
    for feed, api in (await quirky.feeds()).values():
        pulled |= await quirky.pulled(api, feed, HISTORY)
    assert pulled == quirky.truth
    assert quirky.fake.violations == []


async def test_windows_that_meet_on_a_reading_lose_none_and_double_none(quirky: Stage) -> None:
    feed, api = await busiest(quirky)
    truth = of(feed, quirky.truth)
    edges = instants(truth)[5::20]
    edges = [edge + shift * MICROSECOND for edge in edges for shift in (-1, 0, 1)]
    for window in map(Window, edges, edges[1:]):
        assert await quirky.pulled(api, feed, window) == within(truth, window)


async def test_a_window_in_which_nothing_was_published_is_empty(stage: Stage) -> None:
    feed, api = await busiest(stage)
    first, second, *_ = instants(of(feed, stage.truth))
    for window in (
        Window(first + MICROSECOND, second),
        Window(NOW + MICROSECOND, NOW + timedelta(hours=3)),
        Window(SINCE - timedelta(days=9), SINCE - timedelta(days=8)),
    ):
        assert await stage.pulled(api, feed, window) == {}


async def test_a_user_finds_what_he_may_see_shared_or_not(stage: Stage) -> None:
    for user in stage.tenant.users:
        found = await stage.devices(login(user))
        seen = {thing.uuid: thing for thing in stage.tenant.things if user.name in thing.seen_by}
        assert found.keys() == seen.keys()
        assert {each.seen_by for _, each in found.values()} == {None}
        for uuid, thing in seen.items():
            device, finding = found[uuid]
            assert device.name == thing.name
            reports = thing.active and not thing.model.gateway
            devices = [feed.devices for feed in finding.feeds if feed.stream == "readings"]
            assert devices == [(uuid,)] or not (reports or devices), (
                "some cannot tell who is silent"
            )
    assert {len(thing.seen_by) for thing in stage.tenant.things} == {1, 2, 3}


async def test_what_a_platform_states_of_channels_is_found_as_stated(stage: Stage) -> None:
    things = {thing.uuid: thing.model.sensors for thing in stage.tenant.things}
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
    found = (await stage.devices(Credentials(None))).items()
    owned = {(uuid, each.seen_by) for uuid, (_, each) in found if each.seen_by}
    assert owned == {(thing.uuid, thing.owner.name) for thing in stage.tenant.things}
    feeds = {feed.key for _, (_, each) in found for feed in each.feeds}
    assert feeds == (await stage.feeds()).keys()


async def test_a_token_refused_in_the_middle_of_reading_costs_a_renewal(quirky: Stage) -> None:
    feed, api = await busiest(quirky)
    calls = quirky.calls()
    refused = quirky.fake.faults.add(the_next("GET", refuse(401), after=1))
    for _ in range(2):
        assert await quirky.pulled(api, feed, HISTORY) == of(feed, quirky.truth)
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
        await stage.pulled(api, feed, HISTORY)
    with pytest.raises(Malformed):
        await stage.discovered()
    stage.fake.faults.clear()
    assert await stage.pulled(api, feed, HISTORY) == of(feed, stage.truth)


async def test_an_oversized_answer_asks_for_less(stage: Stage) -> None:
    feed, api = await busiest(stage)
    stage.fake.faults.add(Fault(READ, oversized(LARGEST_BODY + 1), times=None))
    with pytest.raises(TooLarge):
        await stage.pulled(api, feed, HISTORY)


async def test_what_is_told_of_one_device_may_be_forbidden(stage: Stage) -> None:
    whole = list(await stage.devices())
    for device in whole:
        stage.fake.faults.add(Fault(device, refuse(403), times=None))
        assert list(await stage.devices()) == whole
        stage.fake.faults.clear()


async def test_one_forbidden_feed_is_told_and_spoils_no_other(stage: Stage) -> None:
    feeds = list((await stage.feeds()).values())
    stage.fake.faults.add(the_next("GET", refuse(403)))
    with pytest.raises(Forbidden):
        await stage.pulled(feeds[0][1], feeds[0][0], HISTORY)
    for feed, api in feeds:
        assert await stage.pulled(api, feed, HISTORY) == of(feed, stage.truth)
