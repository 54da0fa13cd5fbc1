"""Coiote: what is sent for a token, how the answer is read, and what a refusal means."""

from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from json import dumps
from typing import Any

import pytest
from pydantic import SecretStr
from told import Told, ToldExchange

from harvester.errors import (
    ClientRefused,
    CredentialRefused,
    Malformed,
    NoToken,
    RenewalRefused,
    RequestRefused,
    ServerFailed,
    Throttled,
    TokenError,
)
from harvester.model import Credentials, Token
from harvester.platforms.coiote import Adapter

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANA = Credentials("ana@acme.example", "p&w+%")
OWN = Credentials(None)
DOCUMENTED = {"access_token": "qp82", "token_type": "Bearer", "expires_in": "300"}
SERVICE = {"realm": "acme/1", "client_id": "robot", "client_secret": SecretStr("s3cr3t")}
EXCHANGE = {
    "token_exchange_url": "https://iam.example/token",
    "token_exchange_form": {"grant_type": "urn:x", "subject_token": SecretStr("sub")},
}


def adapter(**options: Any) -> Adapter:
    settings = {"base_url": "https://eu.iot.example"} | options
    return Adapter(Adapter.Options.model_validate(settings))  # type: ignore[arg-type]


def jwt(**said: object) -> str:
    return f"e30.{urlsafe_b64encode(dumps(said).encode()).rstrip(b'=').decode()}.sig"


async def login(told: Told, credentials: Credentials = ANA, **options: Any) -> Token:
    return await adapter(**options).login(ToldExchange(told), credentials, NOW)


async def test_a_user_logs_in_with_the_password_grant_and_no_client() -> None:
    exchange = ToldExchange(DOCUMENTED)
    token = await adapter().login(exchange, ANA, NOW)
    assert exchange.url == "https://eu.iot.example/api/auth/oauth_password"
    assert exchange.form == {
        "grant_type": "password",
        "username": "ana@acme.example",
        "password": "p&w+%",
    }
    assert token == Token("qp82", NOW + timedelta(seconds=300))


@pytest.mark.parametrize("end", ["", "/", "/api", "/api/"])
async def test_the_base_may_be_written_with_the_api_or_without(end: str) -> None:
    options = Adapter.Options.model_validate({"base_url": f"https://eu.iot.example:8087{end}"})
    assert options.base_url == "https://eu.iot.example:8087"


async def test_a_service_account_logs_in_at_its_realm() -> None:
    exchange = ToldExchange({"access_token": "a", "expires_in": 60})
    token = await adapter(**SERVICE).login(exchange, OWN, NOW)
    assert exchange.url == (
        "https://eu.iot.example/iam/realms/acme%2F1/protocol/openid-connect/token"
    )
    assert exchange.form == {
        "grant_type": "client_credentials",
        "client_id": "robot",
        "client_secret": "s3cr3t",
    }
    assert token == Token("a", NOW + timedelta(seconds=60))


async def test_an_exchange_sends_the_configured_fields_and_nothing_else() -> None:
    exchange = ToldExchange(DOCUMENTED)
    token = await adapter(**EXCHANGE).login(exchange, OWN, NOW)
    assert exchange.url == "https://iam.example/token"
    assert exchange.form == {"grant_type": "urn:x", "subject_token": "sub"}
    assert token == Token("qp82", NOW + timedelta(seconds=300))


async def test_a_configured_token_costs_no_call_and_ends_when_it_says() -> None:
    exchange = ToldExchange(RuntimeError("no call"))
    ends = NOW + timedelta(hours=1)
    told = jwt(iat=0, exp=ends.timestamp())
    for text, end in ((told, ends), ("qp82", None), (jwt(exp="x"), None), (jwt(exp=True), None)):
        by_hand = Credentials("ana@acme.example", access_token=text)
        assert await adapter().login(exchange, by_hand, NOW) == Token(text, end)
    assert exchange.posted == []


async def test_a_configured_token_at_its_end_is_refused_without_a_call() -> None:
    by_hand = Credentials("ana@acme.example", access_token=jwt(exp=NOW.timestamp()))
    with pytest.raises(CredentialRefused, match="ended at 2026-03-01 12:00 UTC") as caught:
        await login(RuntimeError("no call"), by_hand)
    assert caught.value.reason == "access_expired"


ODD_LIVES: list[object] = [0, -1, "soon", "", None, True, [], 1e300, 10**400, "nan", "inf"]
LIVES: list[tuple[object, float]] = [
    ("300", 300),
    (300, 300),
    (1.5, 1.5),
    *((odd, 240) for odd in ODD_LIVES),
]


@pytest.mark.parametrize(("said", "seconds"), LIVES)
async def test_a_life_is_read_however_it_is_told_and_else_assumed(
    said: object, seconds: float
) -> None:
    for credentials in (ANA, OWN):
        token = await login({"access_token": "a", "expires_in": said}, credentials, **SERVICE)
        assert token == Token("a", NOW + timedelta(seconds=seconds))


async def test_without_a_life_a_jwt_tells_its_own() -> None:
    access = jwt(iat=100, exp=160)
    assert await login({"access_token": access}) == Token(access, NOW + timedelta(seconds=60))
    assert await login({"access_token": "a"}) == Token("a", NOW + timedelta(seconds=240))


async def test_a_refresh_token_is_dropped_and_nothing_is_renewed() -> None:
    fork = DOCUMENTED | {"refresh_token": "r", "refresh_expires_in": 1800}
    token = await login(fork)
    assert (token.refresh_token, token.refresh_expires_at) == (None, None)
    with pytest.raises(RenewalRefused):
        await adapter().renew(ToldExchange(fork), token, NOW)


@pytest.mark.parametrize(
    "answer", [{}, [], None, "token", {"access_token": None}, {"access_token": ""}, {"error": "x"}]
)
async def test_an_answer_without_an_access_token_is_malformed(answer: object) -> None:
    for credentials in (ANA, OWN):
        with pytest.raises(NoToken):
            await login(answer, credentials, **SERVICE)


def refused(status: int, body: object) -> RequestRefused:
    return RequestRefused("POST x: no", status, body)


def numbered(status: int) -> RequestRefused:
    return refused(status, {"message": "hunter2", "code": status * 10})


def worded(status: int, error: str = "invalid_grant") -> RequestRefused:
    return refused(status, {"error": error, "error_description": "hunter2"})


async def refusal(told: Told, credentials: Credentials = ANA, **options: Any) -> TokenError:
    with pytest.raises(TokenError) as caught:
        await login(told, credentials, **options)
    assert "hunter2" not in str(caught.value)
    return caught.value


DEFINITE = [
    (numbered(401), "bad_credentials", "4010"),
    (refused(401, {"error": "Bad credentials"}), "bad_credentials", ""),
    (refused(401, None), "bad_credentials", ""),
    (numbered(400), "bad_credentials", "4000"),
    (worded(400), "bad_credentials", "invalid_grant"),
    (numbered(403), "forbidden", "4030"),
    (refused(403, {"error": "No permission"}), "forbidden", ""),
]


@pytest.mark.parametrize(("told", "reason", "code"), DEFINITE)
async def test_a_refused_user_is_told_by_the_status(
    told: RequestRefused, reason: str, code: str
) -> None:
    error = await refusal(told)
    assert type(error) is CredentialRefused
    assert (error.reason, error.status, error.code) == (reason, told.status, code)


OF_THE_CLIENT = [
    (worded(401, "invalid_client"), "rejected"),
    (worded(400, "unauthorized_client"), "rejected"),
    (worded(400, "invalid_token"), "rejected"),
    (refused(401, None), "rejected"),
    (numbered(403), "forbidden"),
    (refused(404, {"error": "Realm does not exist"}), "client_rejected"),
]


@pytest.mark.parametrize(("told", "reason"), OF_THE_CLIENT)
async def test_a_refusal_of_the_tenants_own_is_no_users_fault(
    told: RequestRefused, reason: str
) -> None:
    for options, kind in ((SERVICE, "client_"), (EXCHANGE, "exchange_")):
        error = await refusal(told, OWN, **options)
        assert isinstance(error, ClientRefused)
        assert (error.reason, error.status) == (
            kind + reason if reason == "rejected" else reason,
            told.status,
        )


NOT_ITS_OWN = [
    *(refused(status, None) for status in (302, 400, 403, 404, 407, 415)),
    refused(400, {"message": "Bad Request"}),
    refused(403, {"message": "Forbidden"}),
    refused(400, [1]),
    numbered(404),
    numbered(409),
    refused(0, None),
]


@pytest.mark.parametrize("told", NOT_ITS_OWN)
async def test_what_something_in_between_says_judges_nobody(told: RequestRefused) -> None:
    for credentials, options in ((ANA, {}), (OWN, SERVICE), (OWN, EXCHANGE)):
        with pytest.raises(Malformed):
            await login(told, credentials, **options)


@pytest.mark.parametrize("told", [Throttled("slow", timedelta(seconds=9)), ServerFailed("no")])
async def test_what_passes_is_handed_on_as_it_is(told: Exception) -> None:
    with pytest.raises(type(told)) as caught:
        await login(told)
    assert caught.value is told


async def test_the_reasons_are_known_beforehand() -> None:
    assert {reason for _, reason, _ in DEFINITE} - {"bad_credentials"} <= {*Adapter.token_reasons}
    assert {"client_rejected", "exchange_rejected", "access_expired"} < {*Adapter.token_reasons}


async def test_a_users_token_is_invalidated_without_proof_of_who_asks() -> None:
    exchange = ToldExchange(None)
    assert await adapter().revoke(exchange, ANA, Token("qp82"))
    url = "https://eu.iot.example/api/auth/invalidate_token"
    assert exchange.posted == [(url, {"token": "qp82"}, None)]


@pytest.mark.parametrize("told", [refused(404, None), numbered(401), Malformed("a page")])
async def test_an_installation_without_invalidation_is_told_as_such(told: Exception) -> None:
    assert not await adapter().revoke(ToldExchange(told), ANA, Token("qp82"))


async def test_a_token_of_the_tenants_own_is_not_invalidated() -> None:
    exchange = ToldExchange(None)
    assert not await adapter(**SERVICE).revoke(exchange, OWN, Token("a"))
    assert exchange.posted == []
    with pytest.raises(ServerFailed):
        await adapter().revoke(ToldExchange(ServerFailed("no")), ANA, Token("a"))
