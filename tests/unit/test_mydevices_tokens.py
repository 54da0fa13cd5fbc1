"""myDevices: what is sent for a token, how the answer is read, and what a refusal means."""

from collections.abc import Awaitable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError
from told import Told, ToldExchange, reply

from harvester.errors import (
    ClientRefused,
    CredentialRefused,
    Malformed,
    RenewalRefused,
    RequestRefused,
    Throttled,
    TokenError,
)
from harvester.model import Credentials, Token
from harvester.platforms.mydevices import Adapter

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANA = Credentials("ana@acme.example", "p&w")
CLIENT = Credentials(None)
OLD = Token("old access", NOW, "old refresh", NOW + timedelta(hours=5))
ADMIN = {
    "realm": "acme/1",
    "admin_client_id": "acme-admin",
    "admin_client_secret": SecretStr("admin s3cr3t"),
}


def adapter(**options: Any) -> Adapter:
    settings = {"client_id": "acme-user", "client_secret": SecretStr("s3cr3t")}
    return Adapter(Adapter.Options.model_validate(settings | options))  # type: ignore[arg-type]


async def test_a_user_logs_in_with_the_password_grant() -> None:
    exchange = ToldExchange(reply("mydevices/token"))
    token = await adapter().login(exchange, ANA, NOW)
    assert exchange.url == "https://api.mydevices.com/v1.0/oauth/token"
    assert exchange.form == {
        "grant_type": "password",
        "client_id": "acme-user",
        "client_secret": "s3cr3t",
        "username": "ana@acme.example",
        "password": "p&w",
    }
    assert token.access_token == token.refresh_token == reply("mydevices/token")["access_token"]
    assert token.expires_at == NOW + timedelta(days=1)
    assert token.refresh_expires_at == NOW + timedelta(days=2)


async def test_a_public_client_sends_no_secret() -> None:
    exchange = ToldExchange(reply("mydevices/token"))
    await adapter(client_secret=None).login(exchange, ANA, NOW)
    assert "client_secret" not in exchange.form


async def test_the_admin_client_logs_in_at_its_realm_and_is_never_renewed() -> None:
    exchange = ToldExchange(reply("mydevices/token"))
    token = await adapter(**ADMIN).login(exchange, CLIENT, NOW)
    assert exchange.url == (
        "https://auth.mydevices.com/auth/realms/acme%2F1/protocol/openid-connect/token"
    )
    assert exchange.form == {
        "grant_type": "client_credentials",
        "client_id": "acme-admin",
        "client_secret": "admin s3cr3t",
    }
    assert (token.refresh_token, token.refresh_expires_at) == (None, None)
    with pytest.raises(RenewalRefused):
        await adapter(**ADMIN).renew(exchange, token, NOW)


async def test_a_token_is_renewed_with_its_refresh_token() -> None:
    exchange = ToldExchange(reply("mydevices/token"))
    token = await adapter().renew(exchange, OLD, NOW)
    assert exchange.url == "https://api.mydevices.com/v1.0/oauth/token"
    assert exchange.form == {
        "grant_type": "refresh_token",
        "client_id": "acme-user",
        "client_secret": "s3cr3t",
        "refresh_token": "old refresh",
    }
    assert token.refresh_token == reply("mydevices/token")["refresh_token"]


async def test_an_answer_without_a_refresh_token_keeps_the_old_one() -> None:
    answer = reply("mydevices/token_without_refresh")
    renewed = await adapter().renew(ToldExchange(answer), OLD, NOW)
    assert renewed == replace(
        OLD, access_token=answer["access_token"], expires_at=NOW + timedelta(days=1)
    )
    first = await adapter().login(ToldExchange(answer), ANA, NOW)
    assert (first.refresh_token, first.refresh_expires_at) == (None, None)


ODD_LIFETIMES: list[object] = [0, -1, "soon", "", None, True, [], 1e300, 10**400, "nan", "inf"]


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        (86399, 86399),
        (1.5, 1.5),
        ("3600", 3600),
        (" 60.0 ", 60),
        *((odd, None) for odd in ODD_LIFETIMES),
    ],
)
async def test_lifetimes_are_read_however_they_are_said(
    said: object, seconds: float | None
) -> None:
    answer = {
        "access_token": "a",
        "expires_in": said,
        "refresh_token": "r",
        "refresh_expires_in": said,
    }
    token = await adapter().login(ToldExchange(answer), ANA, NOW)
    end = None if seconds is None else NOW + timedelta(seconds=seconds)
    assert token == Token("a", end, "r", end)


@pytest.mark.parametrize(
    "answer", [{}, [], None, "token", {"access_token": None}, {"access_token": ""}, {"error": "x"}]
)
async def test_an_answer_without_an_access_token_is_malformed(answer: object) -> None:
    with pytest.raises(Malformed):
        await adapter().login(ToldExchange(answer), ANA, NOW)


def keycloak(status: int, error: str, description: str) -> RequestRefused:
    return RequestRefused("", status, {"error": error, "error_description": description})


def boom(status: int, message: str) -> RequestRefused:
    said = reply("mydevices/error") | {"statusCode": status, "message": message}
    return RequestRefused("", status, said)


async def refusal(asked: Awaitable[Token]) -> tuple[type[TokenError], str]:
    with pytest.raises(TokenError) as caught:
        await asked
    return type(caught.value), caught.value.reason


OF_THE_CLIENT = [
    ("invalid_client", "Invalid client or Invalid client credentials"),
    ("invalid_client", "Invalid client credentials"),
    ("invalid_client", "Missing client_id parameter"),
    ("invalid_client", "Client requires user consent"),
    ("unauthorized_client", "Invalid client secret"),
    ("unauthorized_client", "Client secret not provided in request"),
    ("unauthorized_client", "Client not allowed for direct access grants"),
    ("access_denied", "Realm not enabled"),
    ("invalid_request", "HTTPS required"),
]
OF_THE_USER = [
    ("Invalid user credentials", "bad_credentials"),
    ("Account disabled", "account_disabled"),
    ("User disabled", "account_disabled"),
    ("Account temporarily disabled", "account_locked"),
    ("Account is not fully set up", "account_not_set_up"),
]
OF_THE_REFRESH_TOKEN = [
    ("Token is not active", "refresh_expired"),
    ("Refresh token expired", "refresh_expired"),
    ("Session not active", "session_gone"),
    ("Client session not active", "session_gone"),
    ("Offline user session not found", "session_gone"),
    ("Offline session not active", "session_gone"),
    ("Stale token", "revoked"),
    ("Stale refresh token", "revoked"),
    ("Maximum allowed refresh token reuse exceeded", "reuse_detected"),
    ("Session doesn't have required client", "reuse_detected"),
    ("Invalid refresh token", "token_mismatch"),
    (
        "Invalid refresh token. Token client and authorized client don't match",
        "token_mismatch",
    ),
    ("Unmatching clients", "token_mismatch"),
    ("Invalid token issuer. Expected 'https://a'", "token_mismatch"),
    ("something new", "refresh_expired"),
]


@pytest.mark.parametrize(("words", "reason"), [*OF_THE_USER, ("something new", "bad_credentials")])
@pytest.mark.parametrize("status", [400, 401])
async def test_a_refused_user_is_told_by_the_words_whatever_the_status(
    words: str, reason: str, status: int
) -> None:
    told = ToldExchange(keycloak(status, "invalid_grant", words))
    assert await refusal(adapter().login(told, ANA, NOW)) == (CredentialRefused, reason)


@pytest.mark.parametrize(("error", "words"), OF_THE_CLIENT)
async def test_a_refused_client_is_not_taken_for_a_bad_password(error: str, words: str) -> None:
    expected = (ClientRefused, "client_rejected")
    for told in (keycloak(401, error, words), keycloak(400, error, words), boom(401, words)):
        assert await refusal(adapter().login(ToldExchange(told), ANA, NOW)) == expected
        assert await refusal(adapter().renew(ToldExchange(told), OLD, NOW)) == expected


@pytest.mark.parametrize(("words", "reason"), OF_THE_REFRESH_TOKEN)
async def test_a_spent_refresh_token_leaves_the_password_to_try(words: str, reason: str) -> None:
    for told in (keycloak(400, "invalid_grant", words), boom(401, words)):
        renewing = adapter().renew(ToldExchange(told), OLD, NOW)
        assert await refusal(renewing) == (RenewalRefused, reason)


@pytest.mark.parametrize(("words", "reason"), OF_THE_USER[1:])
async def test_a_user_disabled_meanwhile_is_not_logged_in_again(words: str, reason: str) -> None:
    told = ToldExchange(keycloak(400, "invalid_grant", words))
    assert await refusal(adapter().renew(told, OLD, NOW)) == (CredentialRefused, reason)


async def test_a_401_of_the_gateway_blames_the_one_who_asked() -> None:
    told = ToldExchange(boom(401, "Invalid credentials"))
    assert await refusal(adapter().login(told, ANA, NOW)) == (CredentialRefused, "bad_credentials")
    admin = adapter(**ADMIN).login(told, CLIENT, NOW)
    assert await refusal(admin) == (ClientRefused, "client_rejected")
    assert await refusal(adapter().renew(told, OLD, NOW)) == (RenewalRefused, "refresh_expired")


async def test_an_unknown_realm_is_a_mistake_in_the_configuration() -> None:
    told = ToldExchange(RequestRefused("", 404, {"error": "Realm does not exist"}))
    refused = refusal(adapter(**ADMIN).login(told, CLIENT, NOW))
    assert await refused == (ClientRefused, "client_rejected")


@pytest.mark.parametrize("status", [400, 403, 404])
async def test_a_proxys_page_says_nothing_of_a_credential(status: int) -> None:
    told = ToldExchange(RequestRefused("POST x: no", status, None))
    for asked in (adapter().login(told, ANA, NOW), adapter().renew(told, OLD, NOW)):
        with pytest.raises(Malformed):
            await asked


@pytest.mark.parametrize(
    "told", [boom(403, "Forbidden"), boom(400, "Limit Exceeded"), boom(404, "Not Found")]
)
async def test_a_gateways_own_refusal_says_nothing_of_the_credential(told: Told) -> None:
    exchange = ToldExchange(told)
    for asked in (adapter().login(exchange, ANA, NOW), adapter().renew(exchange, OLD, NOW)):
        with pytest.raises(Malformed):
            await asked


async def test_what_passes_is_handed_on_as_it_is() -> None:
    told = Throttled("slow down", timedelta(seconds=9))
    with pytest.raises(Throttled) as caught:
        await adapter().login(ToldExchange(told), ANA, NOW)
    assert caught.value is told


@pytest.mark.parametrize("told", [keycloak(400, "invalid_grant", "hunter2"), boom(401, "hunter2")])
async def test_a_refusal_repeats_no_word_of_the_platform(told: Told) -> None:
    exchange = ToldExchange(told)
    for asked in (adapter().login(exchange, ANA, NOW), adapter().renew(exchange, OLD, NOW)):
        with pytest.raises(TokenError) as caught:
            await asked
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("missing", ADMIN)
def test_half_an_admin_client_is_refused_in_a_sentence(missing: str) -> None:
    with pytest.raises(ValidationError, match="give all three or none"):
        adapter(**{key: value for key, value in ADMIN.items() if key != missing})


def test_only_a_whole_admin_client_finds_users_and_things() -> None:
    assert adapter(**ADMIN).own_client
    assert not adapter().own_client
