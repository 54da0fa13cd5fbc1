"""Usergrid: what is sent for a token, how the answer is read, and what a refusal means."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError
from told import Told, ToldExchange

from harvester.errors import (
    AnswerLost,
    ClientRefused,
    CredentialRefused,
    Malformed,
    PlatformError,
    RenewalRefused,
    RequestRefused,
    ServerFailed,
    Throttled,
    TokenError,
)
from harvester.model import Credentials, Token
from harvester.platforms.usergrid import Adapter, tokens

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANA = Credentials("ana@acme.example", "p&w€")
CLIENT = Credentials(None)
OWN = {"client_id": "YXA6NAD7EM0MEeJ989xIxPRxEg", "client_secret": SecretStr("YXA6s3cr3t")}
ACCESS = "YWMtG04oui-hEe650QJCrBIAAgAAAYnJ3DgAqge4pSmHmdYfOlFpYuL5gLXx4f0"
GRANTED = {"access_token": ACCESS, "expires_in": 86400, "user": {"type": "user"}}
# As the vendor's page has it: a layout of 2011, and colons in the text.
OF_2011 = {"access_token": "5wuGd-lcEeCUBwBQVsAACA:F8zeMOlcEeCUBwBQVsAACA:YXU6AAABMq0hdy4"}


def adapter(**options: Any) -> Adapter:
    settings = {
        "base_url": "https://usergrid.example/",
        "organization": "acme",
        "application": "plant 7/b",
        "notifications": True,
    }
    return Adapter(Adapter.Options.model_validate(settings | options))  # type: ignore[arg-type]


async def asked(credentials: Credentials, **options: Any) -> tuple[str, dict[str, Any], str | None]:
    """The one call of a login: where to, what with, and with which token."""
    exchange = ToldExchange(GRANTED)
    await adapter(**options).login(exchange, credentials, NOW)
    assert exchange.form == {}, "a form's text is read as whatever the container takes it for"
    (posted,) = exchange.posted
    return posted


APPLICATION = "https://usergrid.example/acme/plant%207%2Fb/token"
MANAGEMENT = "https://usergrid.example/management/token"


@pytest.mark.parametrize(
    ("level", "url"), [("application", APPLICATION), ("management", MANAGEMENT)]
)
async def test_users_and_clients_of_each_level_log_in_at_its_url_without_a_token(
    level: str, url: str
) -> None:
    password = {"grant_type": "password", "username": ANA.user, "password": ANA.password}
    assert await asked(ANA, level=level) == (url, password, None)
    client = {
        "grant_type": "client_credentials",
        "client_id": "YXA6NAD7EM0MEeJ989xIxPRxEg",
        "client_secret": "YXA6s3cr3t",
    }
    assert await asked(CLIENT, level=level, **OWN) == (url, client, None)
    for credentials in (ANA, CLIENT):
        assert adapter(level=level).token_url(credentials) == url


@pytest.mark.parametrize("credentials", [ANA, CLIENT])
async def test_a_ttl_is_asked_for_in_milliseconds_and_only_if_configured(
    credentials: Credentials,
) -> None:
    _, with_ttl, _ = await asked(credentials, ttl_seconds=3600, **OWN)
    _, without, _ = await asked(credentials, **OWN)
    assert with_ttl == without | {"ttl": 3_600_000}


ODD_LIFETIMES: list[object] = [0, -1, "soon", "", None, True, [], 1e300, 2**63 // 1000, 10**400]


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        (604_800, 604_800),
        (1, 1),
        (1.5, 1.5),
        ("3600", 3600),
        *((odd, None) for odd in ODD_LIFETIMES),
    ],
)
async def test_lifetimes_are_read_however_they_are_said(
    said: object, seconds: float | None
) -> None:
    told = ToldExchange(GRANTED | {"expires_in": said})
    end = None if seconds is None else NOW + timedelta(seconds=seconds)
    assert await adapter().login(told, ANA, NOW) == Token(ACCESS, end)


async def test_a_token_is_a_text_of_any_layout_and_its_end_is_not_read_out_of_it() -> None:
    for text in (ACCESS, OF_2011["access_token"], "no.jwt.at all", "+/=%"):
        told = ToldExchange({"access_token": text, "application": "a uuid", "token_type": None})
        assert await adapter().login(told, ANA, NOW) == Token(text)


async def test_there_is_no_renewal_even_where_an_answer_holds_a_refresh_token() -> None:
    told = ToldExchange(GRANTED | {"refresh_token": "r", "refresh_expires_in": 9})
    token = await adapter().login(told, ANA, NOW)
    assert (token.refresh_token, token.refresh_expires_at) == (None, None)
    with pytest.raises(RenewalRefused):
        await adapter().renew(told, token, NOW)


@pytest.mark.parametrize("answer", [{}, [], None, "token", {"access_token": ""}, {"error": "x"}])
async def test_an_answer_without_a_token_is_malformed(answer: object) -> None:
    with pytest.raises(Malformed):
        await adapter().login(ToldExchange(answer), ANA, NOW)


def oauth(description: str, status: int = 400) -> RequestRefused:
    body = {"error": "invalid_grant", "error_description": description}
    return RequestRefused("", status, body)


def api(status: int, error: str, description: str = "") -> RequestRefused:
    body = {"error": error, "timestamp": 1691308801000, "duration": 0, "exception": "java.x"}
    return RequestRefused("", status, body | {"error_description": description})


TOO_OLD = "Your token age cannot be more than the maximum age of 604800000 milliseconds"
ELSEWHERE = "External SSO integration is enabled, admin users must login via provider: usergrid"
OF_THE_USER = [
    (oauth("invalid username or password"), "bad_credentials"),
    (oauth("something new"), "bad_credentials"),
    (oauth("user not activated"), "account_disabled"),
    (oauth("user disabled"), "account_disabled"),
    (oauth("User must be confirmed to authenticate", 403), "account_not_confirmed"),
]
OF_THE_TENANT = [
    (api(404, "organization_application_not_found"), "application_not_found"),
    (api(400, "illegal_argument", TOO_OLD), "ttl_rejected"),
    (api(400, "illegal_argument", "ttl must be a number >= 0"), "ttl_rejected"),
    (api(400, "illegal_argument", ELSEWHERE), "external_login_only"),
    (oauth(ELSEWHERE), "external_login_only"),
    (api(401, "invalid_client"), "client_rejected"),
    (api(401, "auth_invalid_credentials"), "client_rejected"),
]
NOT_OF_THE_CREDENTIAL = [
    *(api(401, code) for code in (*sorted(tokens.DEAD), "unauthorized")),
    api(400, "illegal_argument", "something new"),
    api(400, "json_parse"),
    api(403, "forbidden_service_operation"),
    api(404, "service_resource_not_found"),
    api(405, "not_allowed"),
    api(415, "not_supported"),
    *(RequestRefused("", status, None) for status in (302, 400, 401, 403, 404)),
    RequestRefused("", 400, {"error": ["invalid_grant"]}),
]


async def refusal(told: Told, credentials: Credentials) -> TokenError:
    with pytest.raises(TokenError) as caught:
        await adapter(**OWN).login(ToldExchange(told), credentials, NOW)
    return caught.value


@pytest.mark.parametrize(("told", "reason"), OF_THE_USER)
async def test_a_refused_user_is_told_by_the_words(told: RequestRefused, reason: str) -> None:
    found = await refusal(told, ANA)
    assert (type(found), found.reason) == (CredentialRefused, reason)
    assert (found.status, found.code) == (told.status, "invalid_grant")


@pytest.mark.parametrize(("told", "reason"), OF_THE_TENANT)
async def test_a_fault_of_the_tenant_is_told_as_one_with_what_to_do(
    told: RequestRefused, reason: str
) -> None:
    for credentials in (ANA, CLIENT):
        found = await refusal(told, credentials)
        assert (type(found), found.reason) == (ClientRefused, reason)
        assert str(found).endswith(tokens.REMEDIES[reason])


async def test_a_refused_client_is_a_fault_of_the_tenant_in_the_words_for_a_password() -> None:
    found = await refusal(oauth("invalid username or password"), CLIENT)
    assert (type(found), found.reason) == (ClientRefused, "client_rejected")
    assert "ttl_seconds too large reads the same" in str(found)


@pytest.mark.parametrize("told", NOT_OF_THE_CREDENTIAL)
async def test_what_is_not_said_of_the_credential_condemns_none(told: RequestRefused) -> None:
    for credentials in (ANA, CLIENT):
        with pytest.raises(Malformed):
            await adapter(**OWN).login(ToldExchange(told), credentials, NOW)


@pytest.mark.parametrize("told", [Throttled("slow down"), ServerFailed("500"), AnswerLost("cut")])
async def test_what_passes_is_handed_on_as_it_is(told: PlatformError) -> None:
    with pytest.raises(PlatformError) as caught:
        await adapter().login(ToldExchange(told), ANA, NOW)
    assert caught.value is told


async def test_a_refusal_repeats_no_word_of_the_platform_and_each_reason_is_announced() -> None:
    for told, _ in (*OF_THE_USER, *OF_THE_TENANT):
        body = told.body | {"message": "hunter2"}  # type: ignore[operator]
        found = await refusal(RequestRefused("", told.status, body), ANA)
        assert "hunter2" not in str(found) and "milliseconds" not in str(found)
        assert found.reason in {*Adapter.token_reasons, "bad_credentials"}


@pytest.mark.parametrize("level", ["application", "management"])
async def test_a_users_token_is_ended_alone_and_by_itself(level: str) -> None:
    exchange = ToldExchange({"action": "revoked user token"})
    assert await adapter(level=level).revoke(exchange, ANA, Token("a+b:c"))
    place = {"application": "acme/plant%207%2Fb", "management": "management"}[level]
    url = f"https://usergrid.example/{place}/users/me/revoketoken?token=a%2Bb%3Ac"
    assert exchange.posted == [(url, {}, "a+b:c")]


@pytest.mark.parametrize("code", sorted(tokens.DEAD))
async def test_a_token_that_has_ended_already_is_as_good_as_revoked(code: str) -> None:
    assert await adapter().revoke(ToldExchange(api(401, code)), ANA, Token(ACCESS))


UNKNOWN: list[object] = ["auth_disabled_appuser", "", None, 401, ["expired_token"], {}]


@pytest.mark.parametrize(
    ("said", "about"),
    [
        *((code, True) for code in sorted(tokens.DEAD)),
        ("unauthorized", False),
        *((odd, None) for odd in UNKNOWN),
    ],
)
def test_a_refused_read_is_the_tokens_fault_by_its_code(said: object, about: bool | None) -> None:
    assert adapter().is_about_token({"error": said, "timestamp": 1691308801000}) is about


@pytest.mark.parametrize("body", [None, [], "unauthorized", 7, {}, {"message": "expired_token"}])
def test_what_is_not_in_the_platforms_form_tells_nothing_of_the_token(body: object) -> None:
    assert adapter().is_about_token(body) is None


@pytest.mark.parametrize(
    ("level", "credentials", "path"),
    [
        ("application", ANA, "/acme/plant%207%2Fb/users/me"),
        ("management", ANA, "/acme/plant%207%2Fb"),
        ("application", CLIENT, "/acme/plant%207%2Fb"),
        ("management", CLIENT, "/acme/plant%207%2Fb"),
    ],
)
def test_what_a_good_token_always_reads_follows_from_whose_it_is(
    level: str, credentials: Credentials, path: str
) -> None:
    assert adapter(level=level, **OWN).probe(credentials) == path


async def test_who_may_not_revoke_is_told_and_a_clients_token_is_left_alone() -> None:
    exchange = ToldExchange(api(401, "unauthorized"))
    with pytest.raises(RequestRefused):
        await adapter().revoke(exchange, ANA, Token(ACCESS))
    exchange.posted.clear()
    assert not await adapter(**OWN).revoke(exchange, CLIENT, Token(ACCESS))
    assert exchange.posted == []


@pytest.mark.parametrize("missing", OWN)
def test_half_a_client_is_refused_in_a_sentence(missing: str) -> None:
    with pytest.raises(ValidationError, match="give both or none"):
        adapter(**{key: value for key, value in OWN.items() if key != missing})


@pytest.mark.parametrize(
    "wrong", [{"organization": ""}, {"level": "admin"}, {"ttl_seconds": 0}, {"application": None}]
)
def test_options_that_lead_nowhere_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        adapter(**wrong)


def test_only_a_tenant_with_a_client_has_one_and_each_login_has_its_grant() -> None:
    assert adapter(**OWN).own_client
    assert not adapter().own_client
    assert [adapter().grant(each) for each in (ANA, CLIENT)] == ["password", "client_credentials"]
