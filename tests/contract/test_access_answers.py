"""What a token call may be answered with: nobody is condemned for it, and nobody is needed to mend
it."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from accessed import OWN, STOPPED, goes_on, log_in, serves, standing
from aiohttp import web
from befallen import says
from fix_platforms import LARGEST_BODY, Stage, staged

from harvester import platforms
from harvester.auth import AccountApi, Keeper
from harvester.auth.held import LONGEST_BACKOFF, MOST_PATIENCE
from harvester.auth.life import MOST_TRIES, TRY_AGAIN
from harvester.errors import (
    AnswerLost,
    Malformed,
    NoToken,
    PlatformError,
    ServerFailed,
    Throttled,
    TokenError,
)
from harvester.model import Token
from harvester.simulator import fakes
from harvester.simulator.faults import (
    Answer,
    Fault,
    Kind,
    cut,
    html_page,
    oversized,
    refuse,
    throttle,
)

if TYPE_CHECKING:
    from harvester.store.pool import Pool

PLATFORMS = platforms.names()
TOKEN_CALL = "POST "
HOUR, PATIENCE = timedelta(hours=1), timedelta(minutes=7)
LOST = (AnswerLost, NoToken)
"""The platform may have done what was asked all the same."""
NO_JWT = '{"access_token": "opaque", "accessToken": "opaque"}'

ODD: dict[str, tuple[Kind, type[PlatformError]]] = {
    "nothing": (says(""), NoToken),
    "no token": (says("{}"), NoToken),
    "an empty token": (says('{"access_token": "", "accessToken": ""}'), NoToken),
    "a token that is a number": (says('{"access_token": 7, "accessToken": 7}'), NoToken),
    "no object": (says('["access_token"]'), NoToken),
    "text": (says('"access_token"'), NoToken),
    "a part of JSON": (says('{"access_token": '), NoToken),
    "a page": (html_page(), Malformed),
    "a firewall's page": (says("<h1>Forbidden</h1>", status=403), Malformed),
    "cut": (cut(20), AnswerLost),
    "too large": (oversized(LARGEST_BODY + 1), AnswerLost),
    "throttled": (throttle(PATIENCE), Throttled),
    "failed": (refuse(500), ServerFailed),
    "a bad gateway": (refuse(502), ServerFailed),
    "unavailable": (refuse(503), ServerFailed),
    "a gateway that gave up": (refuse(504), AnswerLost),
}
odd = pytest.mark.parametrize(("kind", "error"), ODD.values(), ids=ODD)


def renewing() -> Iterator[tuple[str, str]]:
    """Each platform as documented, and each of its ways that spends a refresh token by use."""
    for name in PLATFORMS:
        first, *others = fakes.simulated(name).QUIRKS.items()
        yield name, first[0]
        yield from ((name, quirk) for quirk, ways in others if getattr(ways, "rotate", False))


@pytest.fixture(params=renewing(), ids=" ".join)
async def spending(request: pytest.FixtureRequest, pool: "Pool") -> AsyncIterator[Stage]:
    name, quirk = request.param
    async with staged(name, pool, quirk=quirk) as stage:
        yield stage


async def hour_of_trouble(stage: Stage, keeper: Keeper) -> list[PlatformError]:
    """What is told to who asks all the time while token calls are answered oddly."""
    errors = []
    for _ in range(12):
        with pytest.raises(PlatformError) as told:
            await keeper.token()
        errors.append(told.value)
        assert (await standing(stage, stage.ana.name))[0] not in STOPPED
        stage.clock.advance(LONGEST_BACKOFF)
    return errors


async def mended(stage: Stage, keeper: Keeper) -> None:
    stage.fake.faults.clear()
    stage.clock.advance(max(TRY_AGAIN, MOST_PATIENCE))
    assert await goes_on(stage, AccountApi(keeper, stage.client))
    assert await standing(stage, stage.ana.name) == ("active", None)


@odd
async def test_an_odd_answer_to_a_login_condemns_nobody(
    stage: Stage, kind: Kind, error: type[PlatformError]
) -> None:
    stage.fake.faults.add(Fault(TOKEN_CALL, kind, times=None))
    keeper = await stage.keeper()
    first, *others = await hour_of_trouble(stage, keeper)
    assert type(first) is error
    assert {type(each) for each in others} <= {error, TokenError}
    assert stage.ana.password not in str(first)
    if error in LOST:
        assert stage.calls() == MOST_TRIES, "it may have been refused"
    if error is Throttled:
        assert stage.calls() <= HOUR / PATIENCE + 1
    await mended(stage, keeper)
    assert stage.fake.violations == []


@odd
async def test_an_odd_answer_to_the_tenants_own_login_condemns_no_client(
    stage: Stage, kind: Kind, error: type[PlatformError]
) -> None:
    if not stage.adapter.own_client:
        return
    fault = stage.fake.faults.add(Fault(TOKEN_CALL, kind))
    keeper = await stage.keeper(OWN)
    with pytest.raises(error):
        await keeper.token()
    stage.clock.advance(PATIENCE)
    assert await goes_on(stage, AccountApi(keeper, stage.client), OWN)
    assert (fault.fired, stage.calls()) == (1, 2)


@odd
async def test_an_odd_answer_to_a_renewal_condemns_nobody(
    spending: Stage, kind: Kind, error: type[PlatformError]
) -> None:
    keeper = await spending.keeper()
    token = await keeper.token()
    assert token.expires_at
    spending.clock.set(token.expires_at)
    calls = spending.fake.token_calls["refresh_token"]
    spending.fake.faults.add(Fault(TOKEN_CALL, kind, times=None))
    errors = await hour_of_trouble(spending, keeper)
    sent = spending.fake.token_calls["refresh_token"] - calls
    assert type(errors[0]) is error
    if error in LOST and not spending.adapter.reuses_refresh_tokens:
        assert sent <= 2, "it may be spent"
    await mended(spending, keeper)
    # The one retry of a token that the platform may not have spent.
    assert len(spending.fake.violations) <= 1


async def test_a_token_that_is_no_jwt_is_used_until_it_is_refused(stage: Stage) -> None:
    stage.fake.faults.add(Fault(TOKEN_CALL, says(NO_JWT)))
    keeper = await stage.keeper()
    assert (await keeper.token()).access_token == "opaque"
    assert await goes_on(stage, AccountApi(keeper, stage.client))
    assert (await keeper.token()).access_token != "opaque"


def respelt(change: Callable[[float], object]) -> Kind:
    """The honest answer, its lifetime said otherwise."""

    async def kind(request: web.Request, honest: Answer) -> web.StreamResponse:
        answer = await honest(request)
        if isinstance(answer, web.Response) and answer.status < 300:
            told: dict[str, Any] = json.loads(answer.text or "{}")
            life = float(told.get("expires_in", 0))
            answer.text = json.dumps(told | {"expires_in": change(life)})
        return answer

    return kind


@pytest.mark.parametrize("change", [int, float, str, "{:.0f}".format, " {} ".format])
async def test_a_lifetime_in_another_spelling_is_the_same_one(
    stage: Stage, change: Callable[[float], object]
) -> None:
    honest = await log_in(stage)
    stage.fake.faults.add(Fault(TOKEN_CALL, respelt(change), times=None))
    assert (await log_in(stage)).expires_at == honest.expires_at


@pytest.mark.parametrize("said", [None, 0, -5, 1e30, True, "soon", "", [], {}, float("nan")])
async def test_a_lifetime_that_is_none_does_not_shut_an_account_out(
    stage: Stage, said: object
) -> None:
    stage.fake.faults.add(Fault(TOKEN_CALL, respelt(lambda _: said), times=None))
    keeper = await stage.keeper()
    api = AccountApi(keeper, stage.client)
    for _ in range(3):
        assert await goes_on(stage, api)
        end = (await keeper.token()).expires_at
        assert end is None or end > stage.clock.now()
        stage.clock.set(end or stage.clock.now() + timedelta(days=8))
    assert stage.fake.violations == []


@pytest.mark.parametrize("skew", [-2, 2], ids=["behind", "ahead"])
@pytest.mark.parametrize("name", PLATFORMS)
async def test_a_platform_whose_clock_is_wrong_keeps_its_accounts_in(
    name: str, skew: int, pool: "Pool"
) -> None:
    async with staged(name, pool, clock_skew=timedelta(hours=skew)) as stage:
        keeper = await stage.keeper()
        api, seen = AccountApi(keeper, stage.client), set[Token]()
        for minutes in (*[20] * 9, 8 * 24 * 60, 0):
            assert await goes_on(stage, api)
            token = await keeper.token()
            assert await keeper.token() is token, "it is not renewed for each who asks"
            seen.add(token)
            stage.clock.advance(timedelta(minutes=minutes))
        assert stage.fake.violations == []
        assert await serves(stage, await log_in(stage))
        assert len(seen) > 1
