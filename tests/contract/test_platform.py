"""What every adapter keeps to, shown on the real one before its fake: a platform's file is enough
to be tested here, and fails here without a fake."""

import ast
import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fix_platforms import (
    LARGEST_BODY,
    NOW,
    SINCE,
    Facts,
    Stage,
    login,
    says,
    staged,
    the_next,
    within,
)
from told import ToldExchange

from harvester import metrics, platforms
from harvester.auth import AccountApi
from harvester.errors import (
    CredentialRefused,
    Forbidden,
    Malformed,
    PlatformError,
    RenewalRefused,
    RequestRefused,
    TokenError,
    TooLarge,
    TransientError,
    Unauthorized,
)
from harvester.model import Credentials, Feed, Token, Window
from harvester.platforms.base import Params
from harvester.simulator import fakes
from harvester.simulator.faults import Fault, Kind, html_page, oversized, refuse

if TYPE_CHECKING:
    from harvester.store.pool import Pool

READ, TOKEN_CALL = "GET ", "POST "
MICROSECOND = timedelta(microseconds=1)
HISTORY = Window(SINCE, NOW + MICROSECOND)
NONSENSE = ('{"readings": [', "7", '"none"', "null", '{"error": "invalid_grant"}', "[[[")


def quirks() -> Iterator[tuple[str, str | None]]:
    for name in platforms.names():
        try:
            yield from ((name, quirk) for quirk in fakes.simulated(name).QUIRKS)
        except LookupError:
            yield name, None  # so that a test tells


@pytest.fixture(params=platforms.names())
async def stage(request: pytest.FixtureRequest, pool: "Pool") -> AsyncIterator[Stage]:
    """Each platform, as its documents say."""
    async with staged(request.param, pool) as stage:
        yield stage


@pytest.fixture(params=quirks(), ids=lambda each: " ".join(filter(None, each)))
async def quirky(request: pytest.FixtureRequest, pool: "Pool") -> AsyncIterator[Stage]:
    """Each platform in each of its ways."""
    name, quirk = request.param
    async with staged(name, pool, quirk=quirk) as stage:
        yield stage


def instants(facts: Facts) -> list[datetime]:
    return sorted({key[2] for key in facts})


def of(feed: Feed, facts: Facts) -> Facts:
    return {key: value for key, value in facts.items() if key[0] in feed.devices}


async def busiest(stage: Stage) -> tuple[Feed, AccountApi]:
    """The feed of which most was published."""
    feeds = (await stage.feeds()).values()
    return max(feeds, key=lambda each: len(instants(of(each[0], stage.truth))))


async def log_in(stage: Stage, password: str | None = None) -> Token:
    return await stage.adapter.login(stage.client, login(stage.ana, password), stage.clock.now())


async def renew(stage: Stage, token: Token) -> Token:
    return await stage.adapter.renew(stage.client, token, stage.clock.now())


async def serves(stage: Stage, token: Token) -> bool:
    """Whether the platform takes a token for what the adapter asks."""

    class Api:
        async def get(self, path: str, params: Params | None = None) -> object:
            return await stage.client.get(path, params, token.access_token)

    try:
        return await anext(stage.adapter.discover(Api(), login(stage.ana))) is not None
    except Unauthorized:
        return False


@pytest.mark.parametrize("name", platforms.names())
def test_every_platform_has_a_fake(name: str) -> None:
    assert fakes.simulated(name)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("none", "none has no fake: write harvester/simulator/none.py with QUIRKS, options, serve"),
        ("faults", "the fake of faults is not whole: add QUIRKS, options, serve to harvester/"),
    ],
)
def test_a_platform_without_a_fake_is_told_what_to_write(name: str, sentence: str) -> None:
    with pytest.raises(LookupError, match=sentence):
        fakes.simulated(name)


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
        found = {each.device.identifier: each for each in await stage.discovered(login(user))}
        seen = {thing.uuid: thing for thing in stage.tenant.things if user.name in thing.seen_by}
        assert found.keys() == seen.keys()
        assert {each.seen_by for each in found.values()} == {None}
        for uuid, thing in seen.items():
            assert found[uuid].device.name == thing.name
            reports = thing.active and not thing.model.gateway
            devices = [feed.devices for feed in found[uuid].feeds if feed.stream == "readings"]
            assert devices == ([(uuid,)] if reports else [])
    assert {len(thing.seen_by) for thing in stage.tenant.things} == {1, 2, 3}


async def test_what_a_platform_states_of_channels_is_found_as_stated(stage: Stage) -> None:
    things = {thing.uuid: thing.model.sensors for thing in stage.tenant.things}
    for found in await stage.discovered():
        stated = {each.name: each for each in found.device.channels}
        listed = {each.channel: each for each in things[found.device.identifier] if each.listed}
        assert stated.keys() in (set(), listed.keys())
        for name, channel in stated.items():
            sensor = listed[name]
            assert (channel.label, channel.unit) == (sensor.name, sensor.unit)
            assert sensor.type in (channel.type, None)


async def test_the_tenants_own_client_finds_all_things_and_whose_they_are(stage: Stage) -> None:
    if not stage.adapter.own_client:  # then there is nothing more to find than users see
        return
    found = await stage.discovered(Credentials(None))
    owned = {(each.device.identifier, each.seen_by) for each in found if each.seen_by}
    assert owned == {(thing.uuid, thing.owner.name) for thing in stage.tenant.things}
    feeds = {feed.key for each in found for feed in each.feeds}
    assert feeds == (await stage.feeds()).keys()


async def test_a_login_gives_a_token_that_serves_until_its_end(quirky: Stage) -> None:
    token = await log_in(quirky)
    assert token.expires_at and token.expires_at > NOW
    quirky.clock.set(token.expires_at - MICROSECOND)
    assert await serves(quirky, token)
    quirky.clock.set(token.expires_at)
    assert not await serves(quirky, token)


async def test_a_renewed_token_serves_on_and_can_be_renewed_again(quirky: Stage) -> None:
    token = await log_in(quirky)
    if token.refresh_token is None:
        with pytest.raises(RenewalRefused):
            await renew(quirky, token)
        return
    for _ in range(3):
        assert token.expires_at
        quirky.clock.set(token.expires_at)
        token = await renew(quirky, token)
        assert await serves(quirky, token)
    assert quirky.fake.token_calls.total() == 4
    assert quirky.fake.violations == []


async def test_a_refresh_token_that_ended_leaves_the_password(quirky: Stage) -> None:
    token = await log_in(quirky)
    quirky.clock.set(token.refresh_expires_at or NOW)  # who has none says so at once
    with pytest.raises(RenewalRefused):
        await renew(quirky, token)
    assert await serves(quirky, await log_in(quirky))


async def test_a_wrong_password_is_refused_for_good(quirky: Stage) -> None:
    with pytest.raises(CredentialRefused) as refusal:
        await log_in(quirky, "wr&ng+%")
    assert refusal.value.reason == "bad_credentials"
    assert "wr&ng" not in str(refusal.value) and "wr%26ng" not in str(refusal.value)


def texts(platform: str) -> set[str]:
    """All that stands in an adapter's code: the words by which it knows a refusal among it."""
    spec = find_spec(f"harvester.platforms.{platform}")
    assert spec and spec.origin
    file = Path(spec.origin)
    files = file.parent.glob("*.py") if file.stem == "__init__" else [file]
    nodes = (node for each in files for node in ast.walk(ast.parse(each.read_bytes())))
    said = (node.value for node in nodes if isinstance(node, ast.Constant))
    return {text for text in said if isinstance(text, str)} | {"words that nobody foresaw"}


def refusals(text: str) -> Iterator[ToldExchange]:
    bodies = ({"error": text}, {"error": "invalid_grant", "error_description": text})
    for status in (400, 401, 403, 404):
        for body in (*bodies, {"message": text}, None):
            yield ToldExchange(RequestRefused("no", status, body))


async def test_every_reason_of_a_refusal_is_known_beforehand(stage: Stage) -> None:
    adapter, reasons = stage.adapter, set()
    for text in await asyncio.to_thread(texts, stage.platform):
        for refusal in refusals(text):
            for asked in (
                adapter.login(refusal, login(stage.ana), NOW),
                adapter.login(refusal, Credentials(None), NOW),
                adapter.renew(refusal, Token("access", refresh_token="refresh"), NOW),
            ):
                with pytest.raises(PlatformError) as told:
                    await asked
                reasons.add(told.value.reason)
    known = set(metrics.TOKEN_REASONS)
    assert reasons - known == set(adapter.token_reasons) - known


@pytest.mark.parametrize(
    "kind",
    [refuse(503), refuse(429), html_page(), says("{}"), says("<h1>Forbidden</h1>", status=403)],
    ids=["unavailable", "throttled", "html", "empty", "proxy"],
)
async def test_a_platform_in_trouble_refuses_no_credential(stage: Stage, kind: Kind) -> None:
    token = await log_in(stage)
    stage.fake.faults.add(Fault(TOKEN_CALL, kind, times=None))
    trouble = (TransientError, Malformed)
    with pytest.raises(trouble):
        await log_in(stage)
    if token.refresh_token is not None:
        with pytest.raises(trouble):
            await renew(stage, token)


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
    whole = [each.device.identifier for each in await stage.discovered()]
    for device in whole:
        stage.fake.faults.add(Fault(device, refuse(403), times=None))
        assert [each.device.identifier for each in await stage.discovered()] == whole
        stage.fake.faults.clear()


async def test_one_forbidden_feed_is_told_and_spoils_no_other(stage: Stage) -> None:
    feeds = list((await stage.feeds()).values())
    stage.fake.faults.add(the_next("GET", refuse(403)))
    with pytest.raises(Forbidden):
        await stage.pulled(feeds[0][1], feeds[0][0], HISTORY)
    for feed, api in feeds:
        assert await stage.pulled(api, feed, HISTORY) == of(feed, stage.truth)
