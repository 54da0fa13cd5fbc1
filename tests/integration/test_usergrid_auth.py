"""The real adapter of Usergrid through the real client before the fake: tokens come and go."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from harvester.client import Client
from harvester.errors import (
    AnswerLost,
    ClientRefused,
    CredentialRefused,
    Malformed,
    RenewalRefused,
    RequestRefused,
    ServerFailed,
    Throttled,
    TokenError,
    Unauthorized,
)
from harvester.model import Credentials, Token
from harvester.platforms.usergrid import Adapter
from harvester.simulator import usergrid
from harvester.simulator.clock import HandClock
from harvester.simulator.fakes import Secret
from harvester.simulator.faults import Fault, Kind, cut, html_page, refuse, throttle
from harvester.simulator.tenants import User
from harvester.simulator.usergrid import FakeUsergrid
from harvester.simulator.usergrid_logins import organization_client
from harvester.simulator.usergrid_quirks import (
    AS_DOCUMENTED,
    QUIRKS,
    Switches,
    inner_failure,
    unauthorized,
    without_token,
)
from harvester.simulator.world import World

NOW = datetime(2026, 3, 4, 10, 30, tzinfo=UTC)
WEEK = timedelta(days=7)
OF_CLIENT = Credentials(None)
ME, APPLICATION, ADMIN = "acme/plant7/users/me", "acme/plant7", "management/me"
MANAGED: dict[str, Any] = {"level": "management"}


@dataclass(slots=True)
class Play:
    """The fake, and one tenant's client; `options` are those that reach it."""

    fake: FakeUsergrid
    clock: HandClock
    client: Client
    options: dict[str, object]

    @property
    def ana(self) -> User:
        return self.fake.world.tenants["acme"].users[0]

    def adapter(self, **changes: object) -> Adapter:
        secrets = {k: SecretStr(v) for k, v in self.options.items() if isinstance(v, Secret)}
        settings = self.options | secrets | changes
        return Adapter(Adapter.Options.model_validate(settings))  # type: ignore[arg-type]

    async def login(self, credentials: Credentials | None = None, **options: object) -> Token:
        given = credentials or Credentials(self.ana.name, self.ana.password)
        return await self.adapter(**options).login(self.client, given, self.clock.now())

    async def refusal(
        self, credentials: Credentials | None = None, **options: object
    ) -> tuple[type[TokenError], str, int | None]:
        with pytest.raises(TokenError) as caught:
            await self.login(credentials, **options)
        assert self.ana.password not in str(caught.value)
        return type(caught.value), caught.value.reason, caught.value.status

    async def revoke(self, token: Token, **options: object) -> bool:
        given = Credentials(self.ana.name)
        return await self.adapter(**options).revoke(self.client, given, token)

    async def serves(self, token: Token, path: str = ME) -> bool:
        async def bearer() -> str:
            return token.access_token

        try:
            return await self.client.get(path, None, bearer) is not None
        except Unauthorized:
            return False

    def befall(self, kind: Kind) -> None:
        self.fake.faults.add(Fault("POST ", kind))


@asynccontextmanager
async def playing(switches: Switches = AS_DOCUMENTED) -> AsyncIterator[Play]:
    clock = HandClock(NOW)
    world = World(7, clock, NOW - timedelta(days=2))
    async with usergrid.serve(world, switches=switches) as fake:
        options = dict(usergrid.options(world.tenants["acme"], fake.url))
        client = Client(fake.url, clock, tenant="acme", platform="usergrid", concurrency=4)
        async with client:
            yield Play(fake, clock, client, options)
        assert fake.violations == []


async def test_each_of_the_four_levels_gets_a_token_that_serves() -> None:
    async with playing() as play:
        organization = organization_client(play.fake.world.tenants["acme"])
        own = {"client_id": organization.id, "client_secret": SecretStr(organization.secret)}
        assert await play.serves(await play.login(), ME)
        assert await play.serves(await play.login(OF_CLIENT), APPLICATION)
        assert await play.serves(await play.login(**MANAGED), ADMIN)
        assert await play.serves(await play.login(OF_CLIENT, **MANAGED, **own), APPLICATION)
        assert play.fake.token_calls == {"password": 2, "client_credentials": 2}


async def test_every_user_logs_in_by_name_address_or_uuid_whatever_the_password_is_made_of() -> (
    None
):
    async with playing() as play:
        for user in play.fake.world.tenants["acme"].users:
            for name in (user.name, user.name.partition("@")[0], user.id):
                assert await play.serves(await play.login(Credentials(name, user.password)))


@pytest.mark.parametrize("quirk", QUIRKS)
async def test_a_login_succeeds_at_every_installation(quirk: str) -> None:
    async with playing(QUIRKS[quirk]) as play:
        for given in (None, OF_CLIENT):
            token = await play.login(given)
            assert await play.serves(token, ME if given is None else APPLICATION)
            assert token.refresh_token is None


@pytest.mark.parametrize(
    ("switches", "ends"),
    [
        (AS_DOCUMENTED, NOW + WEEK),
        (Switches(accesstokenttl=1000), NOW + timedelta(seconds=1)),
        (Switches(accesstokenttl=0), None),
        (Switches(expires_in_as="float"), NOW + WEEK),
        (Switches(expires_in_as="string"), NOW + WEEK),
        (Switches(expires_in_as="zero"), None),
        (Switches(expires_in_as="null"), None),
        (Switches(expires_in_as="absent"), None),
        (Switches(clock_skew=timedelta(hours=5)), NOW + WEEK),
    ],
)
async def test_the_end_of_a_token_is_by_our_clock_or_unknown(
    switches: Switches, ends: datetime | None
) -> None:
    async with playing(switches) as play:
        assert (await play.login()).expires_at == ends


async def test_a_token_serves_until_its_end_and_is_had_again_by_a_login_alone() -> None:
    async with playing() as play:
        token = await play.login(ttl_seconds=60)
        assert token.expires_at == NOW + timedelta(minutes=1)
        play.clock.set(token.expires_at)
        assert await play.serves(token)
        play.clock.advance(timedelta(milliseconds=1))
        assert not await play.serves(token)
        with pytest.raises(RenewalRefused):
            await play.adapter().renew(play.client, token, play.clock.now())
        assert await play.serves(await play.login())
        assert play.fake.token_calls == {"password": 2}


async def test_a_wrong_password_is_refused_and_so_is_an_unknown_user() -> None:
    async with playing() as play:
        expected = (CredentialRefused, "bad_credentials", 400)
        assert await play.refusal(Credentials(play.ana.name, "typo")) == expected
        assert await play.refusal(Credentials("eve", "p")) == expected
        assert await play.refusal(Credentials("eve", "q"), **MANAGED) == expected
        # Nothing in the answer tells that the server failed within.
        play.befall(inner_failure())
        assert await play.refusal() == expected


async def test_who_is_disabled_or_not_confirmed_is_told_from_a_wrong_password() -> None:
    async with playing() as play:
        play.fake.unconfirm(play.ana.name)
        assert await play.refusal(**MANAGED) == (CredentialRefused, "account_not_confirmed", 403)
        for befall in (play.fake.disable, play.fake.deactivate):
            befall(play.ana.name)
            assert await play.refusal() == (CredentialRefused, "account_disabled", 400)


CONFIGURED_WRONG: list[tuple[Credentials | None, dict[str, Any], str, int]] = [
    (None, {"application": "other"}, "application_not_found", 404),
    (OF_CLIENT, {"organization": "other"}, "application_not_found", 404),
    (None, {"ttl_seconds": 604_801}, "ttl_rejected", 400),
    (None, {"ttl_seconds": 10**30}, "ttl_rejected", 400),
    (OF_CLIENT, {"ttl_seconds": 604_801}, "client_rejected", 400),
    (OF_CLIENT, {"client_id": "YXA6nobody"}, "client_rejected", 400),
    (OF_CLIENT, {"client_secret": SecretStr("guess")}, "client_rejected", 400),
]


@pytest.mark.parametrize(("credentials", "options", "reason", "status"), CONFIGURED_WRONG)
async def test_what_is_configured_wrong_is_a_fault_of_the_tenant(
    credentials: Credentials | None, options: dict[str, Any], reason: str, status: int
) -> None:
    async with playing() as play:
        assert await play.refusal(credentials, **options) == (ClientRefused, reason, status)


@pytest.mark.parametrize("how", ["illegal_argument", "invalid_grant"])
async def test_admin_users_that_log_in_elsewhere_are_a_fault_of_the_tenant(how: Any) -> None:
    async with playing(Switches(external_login=how)) as play:
        expected = (ClientRefused, "external_login_only", 400)
        assert await play.refusal(**MANAGED) == expected
        assert await play.serves(await play.login())


@pytest.mark.parametrize("code", ["invalid_client", "auth_invalid_credentials"])
async def test_a_client_refused_before_the_login_is_a_fault_of_the_tenant(code: str) -> None:
    async with playing() as play:
        play.befall(unauthorized(code))
        assert await play.refusal(OF_CLIENT) == (ClientRefused, "client_rejected", 401)


NO_TOKEN: list[tuple[Kind, type[Exception]]] = [
    (html_page(), Malformed),
    (without_token(), Malformed),
    (unauthorized("auth_unverified_oath"), Malformed),
    (unauthorized("unauthorized"), Malformed),
    (refuse(403), Malformed),
    (refuse(404), Malformed),
    (refuse(500), ServerFailed),
    (refuse(503), ServerFailed),
    (throttle(timedelta(seconds=9)), Throttled),
    (cut(5), AnswerLost),
]


@pytest.mark.parametrize(("kind", "error"), NO_TOKEN)
async def test_an_answer_that_is_not_the_token_endpoints_condemns_no_account(
    kind: Kind, error: type[Exception]
) -> None:
    async with playing() as play:
        play.befall(kind)
        with pytest.raises(error):
            await play.login()
        assert play.fake.token_calls == {"password": 1}  # and nothing was repeated
        assert await play.serves(await play.login())


@pytest.mark.parametrize(("options", "path"), [({}, ME), (MANAGED, ADMIN)])
async def test_a_users_token_is_revoked_and_the_users_others_are_not(
    options: dict[str, Any], path: str
) -> None:
    async with playing() as play:
        token, other = await play.login(**options), await play.login(**options)
        assert await play.revoke(token, **options)
        assert [await play.serves(each, path) for each in (token, other)] == [False, True]
        assert await play.revoke(token, **options)  # has ended already


@pytest.mark.parametrize("switches", [QUIRKS["tokens of old"], Switches(server="2.1.0")])
async def test_tokens_of_other_versions_are_revoked_as_well(switches: Switches) -> None:
    async with playing(switches) as play:
        token = await play.login()
        assert await play.revoke(token) and not await play.serves(token)
        assert await play.revoke(Token("rubbish"))


async def test_a_token_that_cannot_be_revoked_goes_on() -> None:
    async with playing(QUIRKS["guarded"]) as play:
        token = await play.login()
        with pytest.raises(RequestRefused) as caught:
            await play.revoke(token)
        assert token.access_token not in str(caught.value)
        assert await play.serves(token)
        own = await play.login(OF_CLIENT)
        assert not await play.adapter().revoke(play.client, OF_CLIENT, own)
        assert await play.serves(own, APPLICATION)
