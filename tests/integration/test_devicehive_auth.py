"""DeviceHive's real adapter gets in, stays in and is refused, before its fake."""

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from aiohttp import web
from simulated_devicehive import NOW, payload
from structlog.testing import capture_logs

from harvester.client import Client
from harvester.errors import (
    AnswerLost,
    CredentialRefused,
    Forbidden,
    Malformed,
    NoToken,
    PlatformError,
    RenewalRefused,
    ServerFailed,
    Throttled,
    TokenError,
    Unauthorized,
)
from harvester.model import Credentials, Token
from harvester.platforms.devicehive import Adapter
from harvester.platforms.devicehive.options import DeviceHiveOptions
from harvester.simulator.clock import HandClock
from harvester.simulator.devicehive import FakeDevicehive, options, serve
from harvester.simulator.devicehive_jwt import signed
from harvester.simulator.devicehive_quirks import AS_DOCUMENTED, QUIRKS, Switches, bad_gateway
from harvester.simulator.faults import Answer, Fault, Kind, cut, html_page, throttle
from harvester.simulator.world import World, millis

READER = [2, 3, 4, 5, 17]
REFUSALS = [
    QUIRKS[name] for name in QUIRKS if "refus" in name or name in ("4.1.0", "as documented")
]


@dataclass(slots=True)
class Play:
    """The fake and its clock, and the adapter and the client of one tenant."""

    fake: FakeDevicehive
    clock: HandClock
    client: Client
    adapter: Adapter

    @property
    def ana(self) -> Credentials:
        user = self.fake.world.users("acme")[0]
        return Credentials(user.name, user.password)

    async def login(self, **changes: str | None) -> Token:
        return await self.adapter.login(self.client, replace(self.ana, **changes), self.clock.now())

    async def renew(self, token: Token) -> Token:
        return await self.adapter.renew(self.client, token, self.clock.now())

    async def read(self, token: Token, path: str = "device") -> object:
        async def bearer() -> str:
            return token.access_token

        return await self.client.get(path, None, bearer)

    def befall(self, match: str, kind: Kind) -> None:
        self.fake.faults.add(Fault(match, kind))


@asynccontextmanager
async def playing(switches: Switches = AS_DOCUMENTED) -> AsyncIterator[Play]:
    clock = HandClock(NOW)
    world = World(7, clock, NOW - timedelta(days=2))
    async with serve(world, switches=switches) as fake:
        settings = DeviceHiveOptions.model_validate(options(world.tenants["acme"], fake.url))
        async with Client(
            settings.base_url, clock, tenant="acme", platform="devicehive", concurrency=4
        ) as client:
            yield Play(fake, clock, client, Adapter(settings))


def says(status: int, text: str) -> Kind:
    async def kind(_request: web.Request, _honest: Answer) -> web.StreamResponse:
        return web.json_response(status=status, text=text)

    return kind


@pytest.mark.parametrize("quirk", QUIRKS)
async def test_a_user_gets_in_and_stays_in_at_every_deployment(quirk: str) -> None:
    async with playing(QUIRKS[quirk]) as play:
        token = await play.login()
        assert await play.read(token)
        assert token.expires_at
        play.clock.set(token.expires_at + timedelta(milliseconds=1))
        with pytest.raises(Unauthorized):
            await play.read(token)
        renewed = await play.renew(token)
        assert await play.read(renewed)
        assert renewed.refresh_token == token.refresh_token
        assert renewed.refresh_expires_at == token.refresh_expires_at
        assert play.fake.violations == []


async def test_what_is_kept_of_a_login_may_read_and_no_more_for_as_long_as_the_login() -> None:
    async with playing() as play:
        token = await play.login()
        for each in (token, await play.renew(token)):
            assert payload(each.access_token)["a"] == READER
            with pytest.raises(Forbidden):
                await play.read(each, "user/current")
        assert payload(token.refresh_token or "")["a"] == READER
        assert token.expires_at == NOW + timedelta(minutes=30)
        assert token.refresh_expires_at == NOW + timedelta(days=182)
        assert play.fake.token_calls == {"password": 1, "create": 1, "refresh_token": 1}


@pytest.mark.parametrize("switches", [Switches(manage_token=False), Switches(knows_create=False)])
async def test_where_there_is_no_narrowing_the_login_serves_and_that_is_told_once(
    switches: Switches,
) -> None:
    async with playing(switches) as play:
        with capture_logs() as logs:
            tokens = [await play.login() for _ in range(2)]
        assert [each["event"] for each in logs] == ["failing"]
        for token in tokens:
            assert await play.read(token, "user/current")


async def test_a_configured_refresh_token_is_enough() -> None:
    async with playing(Switches(manage_token=False)) as play:
        given = (await play.login()).refresh_token
        token = await play.login(password=None, refresh_token=given)
        assert token.refresh_token == given
        assert token.refresh_expires_at == NOW + timedelta(days=182)
        assert await play.read(await play.renew(token))
        assert play.fake.token_calls == {"password": 1, "refresh_token": 2}


async def test_a_configured_access_token_is_used_until_it_ends() -> None:
    async with playing() as play:
        given = (await play.login()).access_token
        calls = play.fake.token_calls.total()
        token = await play.login(password=None, access_token=given)
        assert await play.read(token)
        assert (token.expires_at, token.refresh_token) == (NOW + timedelta(minutes=30), None)
        assert play.fake.token_calls.total() == calls
        with pytest.raises(RenewalRefused):
            await play.renew(token)


async def test_a_new_login_sees_the_networks_that_were_granted_since() -> None:
    async with playing() as play:
        before = await play.login()
        hers = {int(each) for each in payload(before.access_token)["n"]}
        other = next(each for each in play.fake.tokens.site.networks if each not in hers)
        play.fake.assign(play.ana.user or "", other)
        networks = [
            {int(each) for each in payload(token.access_token)["n"]}
            for token in (await play.renew(before), await play.login())
        ]
        assert networks == [hers, {*hers, other}]


async def refusal(asked: Awaitable[Token]) -> tuple[type[TokenError], str, int | None]:
    with pytest.raises(TokenError) as caught:
        await asked
    assert caught.value.reason in Adapter.token_reasons
    return type(caught.value), caught.value.reason, caught.value.status


@pytest.mark.parametrize("switches", REFUSALS)
async def test_a_refused_user_is_refused_for_good(switches: Switches) -> None:
    async with playing(switches) as play:
        bad = (CredentialRefused, "bad_credentials", 401)
        assert await refusal(play.login(password="typo")) == bad
        assert await refusal(play.login(user="eve@acme.example")) == bad
        empty = (CredentialRefused, "bad_credentials", 400)
        assert await refusal(play.login(password="")) == empty
        token = await play.login()
        play.fake.disable(play.ana.user or "")
        locked = (CredentialRefused, "account_locked", 401)
        assert await refusal(play.login()) == locked
        assert await refusal(play.renew(token)) == (RenewalRefused, "token_invalid", 401)


async def test_a_locked_account_is_told_apart_from_a_wrong_password() -> None:
    async with playing() as play:
        for n in range(10):
            reason = (await refusal(play.login(password=f"typo {n}")))[1]
            assert reason == "bad_credentials"
        assert (await refusal(play.login()))[1] == "account_locked"


@pytest.mark.parametrize("switches", REFUSALS)
async def test_a_refresh_token_of_no_more_use_leaves_the_password_to_try(
    switches: Switches,
) -> None:
    async with playing(switches) as play:
        token = await play.login()
        for text, reason in (
            ("garbage", "token_invalid"),
            (token.access_token, "wrong_token_type"),
        ):
            spent = (RenewalRefused, reason, 401)
            assert await refusal(play.renew(replace(token, refresh_token=text))) == spent
        play.clock.advance(timedelta(days=183))
        assert await refusal(play.renew(token)) == (RenewalRefused, "refresh_expired", 401)
        fresh = await play.login()
        play.fake.change_secret()
        assert await refusal(play.renew(fresh)) == (RenewalRefused, "token_invalid", 401)
        definite = (CredentialRefused, "token_invalid", 401)
        given = play.login(password=None, refresh_token=fresh.refresh_token)
        assert await refusal(given) == definite


ODD_ANSWERS: list[tuple[Kind, type[PlatformError]]] = [
    (html_page(), Malformed),
    (says(201, "{}"), NoToken),
    (says(201, '{"accessToken": null}'), NoToken),
    (says(201, ""), NoToken),
    (says(201, "[["), NoToken),
    (says(403, "<h1>Forbidden</h1>"), Malformed),
    (says(404, '{"error": 404, "message": "HTTP 404 Not Found"}'), Malformed),
    (bad_gateway(), ServerFailed),
    (says(500, ""), ServerFailed),
    (says(504, ""), AnswerLost),
    (cut(20), AnswerLost),
    (throttle(timedelta(minutes=5)), Throttled),
]


@pytest.mark.parametrize(("kind", "error"), ODD_ANSWERS)
async def test_an_odd_answer_to_a_token_call_judges_no_credential(
    kind: Kind, error: type[PlatformError]
) -> None:
    async with playing() as play:
        token = await play.login()
        given = token.refresh_token
        for path, asked in (
            ("/token", play.login()),
            ("/token/refresh", play.renew(token)),
            ("/token/refresh", play.login(refresh_token=given, password=None)),
        ):
            play.befall(f"POST /auth/rest{path}", kind)
            with pytest.raises(error) as caught:
                await asked
            assert type(caught.value) is error
            assert token.access_token not in str(caught.value)
        assert await play.read(await play.login())
        assert play.fake.violations == []


@pytest.mark.parametrize(
    ("kind", "error"),
    [(bad_gateway(), ServerFailed), (html_page(), Malformed), (cut(9), AnswerLost)],
)
async def test_a_login_whose_narrowing_fails_for_now_is_no_login(
    kind: Kind, error: type[PlatformError]
) -> None:
    async with playing() as play:
        play.befall("/token/create", kind)
        with pytest.raises(error):
            await play.login()
        assert payload((await play.login()).access_token)["a"] == READER


@pytest.mark.parametrize("end", [None, 0, "soon", "1772620200000", millis(NOW) // 1000, 1e300])
async def test_an_end_that_cannot_be_read_is_not_known(end: object) -> None:
    async with playing() as play:
        text = signed({"u": 1, "a": READER, "n": [], "dt": [], "e": end}, "devicehive", 0)
        play.befall("POST ", says(201, f'{{"accessToken": "{text}", "refreshToken": "{text}"}}'))
        assert await play.login() == Token(text, None, text, None)


async def test_tokens_that_are_no_jwt_are_used_until_they_are_refused() -> None:
    async with playing() as play:
        play.befall("POST ", says(201, '{"accessToken": "opaque", "refreshToken": "other"}'))
        token = await play.login()
        assert token == Token("opaque", None, "other", None)
        with pytest.raises(Unauthorized):
            await play.read(token)


async def test_a_platform_whose_clock_is_an_hour_behind_has_ends_that_are_not_known() -> None:
    async with playing(Switches(clock_skew=timedelta(hours=-1))) as play:
        token = await play.login()
        assert token.expires_at is None
        assert token.refresh_expires_at == NOW + timedelta(days=182, hours=-1)
        assert await play.read(token)
