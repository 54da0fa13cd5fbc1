"""Coiote's adapter through the real client against the fake: each grant, refusal, odd answer."""

import json
from datetime import timedelta

import pytest
from pydantic import SecretStr
from simulated_coiote import LOGIN, NOW, REALM, Play, playing

from harvester.errors import (
    AnswerLost,
    ClientRefused,
    CredentialRefused,
    Malformed,
    NoToken,
    PlatformError,
    RenewalRefused,
    ServerFailed,
    Throttled,
    TokenError,
    Unreachable,
)
from harvester.model import Credentials, Token
from harvester.platforms.coiote import Adapter
from harvester.simulator import faults
from harvester.simulator.coiote_quirks import QUIRKS, Switches, instead, page
from harvester.simulator.faults import Fault, Kind

LIFE = timedelta(seconds=300)
ASSUMED = timedelta(seconds=240)
OWN = Credentials(None)


def adapters(play: Play) -> list[tuple[Adapter, Credentials]]:
    """Each way in that is a call, with who goes it."""
    ana = Credentials(play.ana.name, play.ana.password)
    return [(play.adapter(), ana), (play.adapter(), OWN), (play.exchanging(), OWN)]


async def refusal(play: Play, adapter: Adapter, credentials: Credentials) -> TokenError:
    with pytest.raises(TokenError) as caught:
        await play.login(adapter, credentials)
    assert play.ana.password not in str(caught.value)
    assert play.tenant.admin_client.secret not in str(caught.value)
    return caught.value


async def test_each_way_in_gives_a_token_that_is_good() -> None:
    async with playing() as play:
        for adapter, credentials in adapters(play):
            token = await play.login(adapter, credentials)
            assert (token.expires_at, token.refresh_token) == (NOW + LIFE, None)
            assert await play.status(token.access_token) == 200
        assert [*play.fake.token_calls.values()] == [1, 1, 1]
        assert play.fake.violations == []


@pytest.mark.parametrize("quirk", QUIRKS)
async def test_no_token_is_believed_in_beyond_its_end_in_any_way_of_the_platform(
    quirk: str,
) -> None:
    async with playing(QUIRKS[quirk]) as play:
        for adapter, credentials in adapters(play):
            token = await play.login(adapter, credentials)
            assert token.expires_at
            play.clock.set(max(play.clock.now(), token.expires_at - timedelta(seconds=1)))
            assert await play.status(token.access_token) == 200
            assert token.refresh_token is None


async def test_every_password_arrives_as_it_is() -> None:
    async with playing() as play:
        for user in play.tenant.users:
            await play.login(credentials=Credentials(user.name, user.password))


async def test_a_base_that_ends_in_api_reaches_the_same_place() -> None:
    async with playing() as play:
        for end in ("/api", "/api/", "/"):
            await play.login(play.adapter(base_url=play.fake.url + end))
        assert play.fake.token_calls == {"password": 3}


async def test_a_token_made_by_hand_is_taken_without_a_call_until_it_says_it_ended() -> None:
    async with playing() as play:
        text = play.fake.token_by_hand(play.ana.name, timedelta(days=30))
        by_hand = Credentials(play.ana.name, access_token=text)
        play.clock.advance(timedelta(days=29))
        token = await play.login(credentials=by_hand)
        assert token == Token(text, NOW + timedelta(days=30))
        assert await play.status(text) == 200
        play.clock.advance(timedelta(days=1))
        refused = await refusal(play, play.adapter(), by_hand)
        assert (type(refused), refused.reason) == (CredentialRefused, "access_expired")
        assert play.fake.token_calls == {}


async def test_a_token_without_a_told_life_is_given_less_than_the_usual_one() -> None:
    async with playing(Switches(expires_in="word", jwt=False)) as play:
        assert (await play.login()).expires_at == NOW + ASSUMED
    async with playing(Switches(expires_in="zero", lifetime=60)) as play:
        assert (await play.login()).expires_at == NOW + timedelta(seconds=60)  # its own word


async def test_nothing_is_renewed_even_where_a_refresh_token_came() -> None:
    async with playing(Switches(refresh_token=True)) as play:
        with pytest.raises(RenewalRefused):
            await play.adapter().renew(play.client, await play.login(), NOW)
        assert play.fake.token_calls == {"password": 1}


ERRORS = [
    Switches(),
    Switches(errors="error", refused_login=400),
    Switches(errors="empty"),
    Switches(errors="html"),
]


@pytest.mark.parametrize("switches", ERRORS)
async def test_a_bad_password_is_told_whatever_the_form_of_the_refusal(switches: Switches) -> None:
    async with playing(switches) as play:
        error = await refusal(play, play.adapter(), Credentials(play.ana.name, "typo"))
        assert (type(error), error.reason) == (CredentialRefused, "bad_credentials")
        assert (error.status, error.code) == (
            switches.refused_login,
            "4010" if switches == Switches() else "",
        )


async def test_a_locked_account_is_refused_until_the_lock_ends() -> None:
    async with playing(Switches(lock_after=5)) as play:
        for typo in "abcde":
            await play.post(play.login_form(password=typo))
        ana = Credentials(play.ana.name, play.ana.password)
        assert (await refusal(play, play.adapter(), ana)).reason == "bad_credentials"
        play.clock.advance(timedelta(seconds=900))
        await play.login()


async def test_a_wrong_service_account_is_the_tenants_fault_and_no_users() -> None:
    async with playing() as play:
        for wrong in ({"client_secret": SecretStr("no")}, {"client_id": "no"}, {"realm": "no"}):
            error = await refusal(play, play.adapter(**wrong), OWN)
            assert (type(error), error.reason) == (ClientRefused, "client_rejected")
        for field in ("client_secret", "subject_token", "grant_type"):
            error = await refusal(play, play.exchanging(**{field: "no"}), OWN)
            assert (type(error), error.reason) == (ClientRefused, "exchange_rejected")
        assert await play.login(play.adapter(client_secret=SecretStr("no")))  # a user's


async def test_who_is_forbidden_is_told_so() -> None:
    async with playing() as play:
        play.fake.faults.add(Fault("POST", faults.refuse(403), times=None))
        kinds = [type(await refusal(play, *each)) for each in adapters(play)]
        assert kinds == [CredentialRefused, ClientRefused, ClientRefused]
        assert (await refusal(play, *adapters(play)[0])).reason == "forbidden"


NO_TOKEN = ("", "{}", "[]", "null", "7", '{"error": "x"}', '{"access_token": ""}')
NO_JSON = ('{"access_token": ', "[[[", "eyJ.a.b")  # though it is called so
ODD: list[tuple[Kind, type[PlatformError]]] = [
    (faults.html_page(), Malformed),
    *((instead(text), NoToken) for text in (*NO_TOKEN, *NO_JSON)),
    *((page(status), Malformed) for status in (302, 400, 403, 404, 407)),
    (instead('{"message": "Forbidden"}', 403), Malformed),
    (faults.throttle(timedelta(seconds=9)), Throttled),
    *((faults.refuse(status), ServerFailed) for status in (500, 502, 503)),
    (page(503), ServerFailed),
    (faults.cut(10), AnswerLost),
]


@pytest.mark.parametrize(("kind", "error"), ODD)
async def test_what_says_nothing_of_the_credential_is_asked_again_later(
    kind: Kind, error: type[PlatformError]
) -> None:
    async with playing() as play:
        play.fake.faults.add(Fault("POST", kind, times=None))
        for adapter, credentials in adapters(play):
            with pytest.raises(PlatformError) as caught:
                await play.login(adapter, credentials)
            assert type(caught.value) is error
            assert play.ana.password not in str(caught.value)


async def test_a_patience_that_is_asked_for_is_told() -> None:
    async with playing() as play:
        play.fake.faults.add(Fault(LOGIN, faults.throttle(timedelta(seconds=9))))
        with pytest.raises(Throttled) as caught:
            await play.login()
        assert caught.value.retry_after == timedelta(seconds=9)


async def test_a_token_in_any_wording_of_its_life_is_read() -> None:
    async with playing() as play:
        for said in (300, "300", 300.0, " 300 "):
            text = json.dumps({"access_token": "a", "expires_in": said})
            play.fake.faults.add(Fault(LOGIN, instead(text)))
            assert await play.login() == Token("a", NOW + LIFE)


async def test_a_server_that_is_not_there_is_no_fault_of_the_account() -> None:
    async with playing() as play:
        adapter = play.adapter()
    async with playing() as other:
        with pytest.raises(Unreachable):
            await other.login(adapter)


async def test_a_logout_ends_the_token_where_the_platform_can() -> None:
    async with playing() as play:
        ana = Credentials(play.ana.name, play.ana.password)
        token, other = await play.login(), await play.login()
        assert await play.adapter().revoke(play.client, ana, token)
        assert await play.status(token.access_token) == 401
        assert await play.status(other.access_token) == 200
        assert not await play.adapter().revoke(play.client, OWN, other)
        play.fake.faults.add(Fault("invalidate_token", faults.html_page()))
        assert not await play.adapter().revoke(play.client, ana, other)
    async with playing(Switches(invalidates=False)) as play:
        assert not await play.adapter().revoke(play.client, ana, await play.login())


async def test_the_token_calls_go_where_the_adapter_says() -> None:
    async with playing() as play:
        (user, ana), (service, _), (exchange, _) = adapters(play)
        realm = play.fake.url + REALM.format("acme")
        assert user.token_url(ana) == play.fake.url + LOGIN
        assert service.token_url(OWN) == exchange.token_url(OWN) == realm
