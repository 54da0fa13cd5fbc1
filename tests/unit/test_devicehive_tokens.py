"""DeviceHive: what is sent for a token, how the answer is read, and what a refusal means."""

from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from told import ToldExchange

from harvester.errors import (
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
from harvester.platforms.devicehive import Adapter
from harvester.platforms.devicehive.options import DeviceHiveOptions
from harvester.simulator.devicehive_jwt import signed

NOW = datetime(2026, 3, 4, 10, 30, tzinfo=UTC)
MILLIS = 1_772_620_200_000
READER = [2, 3, 4, 5, 17]
ANA = Credentials("ana", "p&w")
REFRESH = Credentials("ana", refresh_token="by hand")
API = "https://dh.example/api/rest"


def jwt(**payload: object) -> str:
    """A token of somebody who can only read, unless `payload` says more."""
    return signed({"u": 42, "a": READER, "n": ["7"], "dt": ["*"]} | payload, "secret", 0)


OLD = Token("old access", NOW, jwt(t=0, e=MILLIS + 5_000), NOW + timedelta(seconds=5))


def adapter(**options: str) -> Adapter:
    return Adapter(DeviceHiveOptions.model_validate({"base_url": API, **options}))


def pair(end: object) -> dict[str, object]:
    return {"accessToken": jwt(t=1, e=end), "refreshToken": jwt(t=0, e=end)}


async def test_a_user_logs_in_with_the_password_and_without_a_bearer() -> None:
    answer = pair(MILLIS + 1_800_000)
    exchange = ToldExchange(answer)
    token = await adapter().login(exchange, ANA, NOW)
    assert exchange.posted == [(f"{API}/token", {"login": "ana", "password": "p&w"}, None)]
    assert exchange.form == {}
    assert (token.access_token, token.refresh_token) == tuple(answer.values())
    assert token.expires_at == token.refresh_expires_at == NOW + timedelta(minutes=30)


async def test_a_token_is_renewed_without_a_bearer_and_keeps_its_refresh_token() -> None:
    access = jwt(t=1, e=MILLIS + 1_800_000)
    exchange = ToldExchange({"accessToken": access})
    token = await adapter().renew(exchange, OLD, NOW)
    asked = {"refreshToken": OLD.refresh_token}
    assert exchange.posted == [(f"{API}/token/refresh", asked, None)]
    end = NOW + timedelta(minutes=30)
    assert token == Token(access, end, OLD.refresh_token, OLD.refresh_expires_at)


async def test_a_new_refresh_token_would_take_the_place_of_the_old_one() -> None:
    token = await adapter().renew(ToldExchange(pair(MILLIS + 60_000)), OLD, NOW)
    assert token.refresh_token == jwt(t=0, e=MILLIS + 60_000)
    assert token.refresh_expires_at == NOW + timedelta(minutes=1)


@pytest.mark.parametrize("auth_url", ["https://dh.example/auth/rest", "https://x.example/rest/"])
async def test_the_auth_service_may_be_another_place(auth_url: str) -> None:
    exchange = ToldExchange(pair(None))
    await adapter(auth_url=auth_url).login(exchange, ANA, NOW)
    assert exchange.url == f"{auth_url.rstrip('/')}/token"
    assert adapter(auth_url=auth_url).token_url(REFRESH) == f"{exchange.url}/refresh"


async def test_without_a_refresh_token_there_is_nothing_to_renew_with() -> None:
    exchange = ToldExchange(pair(None))
    with pytest.raises(RenewalRefused):
        await adapter().renew(exchange, Token("access"), NOW)
    assert exchange.posted == []


ODD_ENDS: list[object] = [0, -1, None, True, str(MILLIS + 9), [], {}, 1e300, 10**400]


@pytest.mark.parametrize(
    ("end", "seconds"),
    [
        *((odd, None) for odd in ODD_ENDS),
        (MILLIS + 1_800_000, 1_800),
        (MILLIS + 1_800_000.5, 1_800.0005),
        (MILLIS + 1, 0.001),
        (MILLIS // 1000 + 1_800, None),  # seconds, which the platform never says
        (1000 * (MILLIS + 1_800_000), None),
        (MILLIS, None),
        (MILLIS + 20 * 365 * 86_400_000, None),
    ],
)
async def test_an_end_is_read_in_milliseconds_or_not_at_all(
    end: object, seconds: float | None
) -> None:
    token = await adapter().login(ToldExchange(pair(end)), ANA, NOW)
    expected = None if seconds is None else NOW + timedelta(seconds=seconds)
    assert (token.expires_at, token.refresh_expires_at) == (expected, expected)


@pytest.mark.parametrize("text", ["opaque", "a.b.c", "..", "a.W10.c", "a.bnVsbA.c", "a.Iw.c"])
async def test_a_token_that_is_no_jwt_has_no_known_end(text: str) -> None:
    exchange = ToldExchange({"accessToken": text, "refreshToken": text})
    assert await adapter().login(exchange, ANA, NOW) == Token(text, None, text, None)
    assert len(exchange.posted) == 1


UNUSABLE: list[object] = [None, "", 7, {}, "line\nbreak", "smörgås"]
ODD_ANSWERS: list[object] = [
    *({}, [], None, "token", 7, {"access_token": "a"}, {"refreshToken": "r"}),
    *({"accessToken": each} for each in UNUSABLE),
]


@pytest.mark.parametrize("answer", ODD_ANSWERS)
async def test_an_answer_without_a_usable_access_token_is_none(answer: object) -> None:
    exchange = ToldExchange(answer)
    for asked in (
        adapter().login(exchange, ANA, NOW),
        adapter().login(exchange, REFRESH, NOW),
        adapter().renew(exchange, OLD, NOW),
    ):
        with pytest.raises(NoToken):
            await asked


async def test_a_configured_refresh_token_logs_in_without_a_password() -> None:
    given = Credentials("ana", refresh_token=jwt(t=0, e=MILLIS + 86_400_000))
    access = jwt(t=1, e=MILLIS + 1_800_000)
    exchange = ToldExchange({"accessToken": access})
    token = await adapter().login(exchange, given, NOW)
    asked = {"refreshToken": given.refresh_token}
    assert exchange.posted == [(f"{API}/token/refresh", asked, None)]
    ends = (NOW + timedelta(minutes=30), NOW + timedelta(days=1))
    assert token == Token(access, ends[0], given.refresh_token, ends[1])


async def test_a_configured_access_token_is_taken_without_a_call() -> None:
    exchange = ToldExchange(None)
    for end, expected in ((MILLIS + 60_000, NOW + timedelta(minutes=1)), (MILLIS, NOW)):
        given = Credentials("ana", access_token=jwt(t=1, e=end))
        token = await adapter().login(exchange, given, NOW)
        assert token == Token(given.access_token or "", expected)
    assert exchange.posted == []


def test_what_a_login_does_is_named_by_what_is_configured() -> None:
    asked = adapter()
    assert asked.grant(Credentials("ana", "p", "r", "a")) == "password"
    assert asked.grant(Credentials("ana", None, "r", "a")) == "configured"
    assert asked.grant(Credentials("ana")) == "password", "one that is kept from a login by hand"
    given = Credentials("ana", access_token="a")
    assert (asked.grant(given), asked.token_url(given)) == ("configured", f"{API}/token")
    assert asked.takes == {"password", "refresh_token", "access_token"}
    assert asked.reuses_refresh_tokens and asked.login_lasts == timedelta(days=1)


def own(status: int, message: str) -> RequestRefused:
    return RequestRefused("", status, {"error": status, "message": message})


def container(message: str = "") -> RequestRefused:
    body = {"timestamp": 1, "status": 401, "error": "Unauthorized", "message": message}
    return RequestRefused("", 401, body)


WITHOUT_WORDS = [container(), container("No message available"), RequestRefused("", 401, None)]
OF_THE_USER = [
    (own(401, "Invalid credentials"), "bad_credentials"),
    (own(401, "User with login = ana not found or bad password"), "bad_credentials"),
    (own(401, "User is locked or disabled"), "account_locked"),
    (own(400, "Invalid or empty authorization request parameters"), "bad_credentials"),
    *((each, "bad_credentials") for each in [*WITHOUT_WORDS, own(401, "hunter2")]),
]
OF_THE_REFRESH_TOKEN = [
    (own(401, "Token has expired"), "refresh_expired"),
    (own(400, "Token has expired"), "refresh_expired"),
    (own(401, "Invalid token type"), "wrong_token_type"),
    (own(400, "Token is not valid"), "wrong_token_type"),
    *((each, "token_invalid") for each in [*WITHOUT_WORDS, own(401, "hunter2")]),
]
OF_SOMETHING_ELSE = [
    *(RequestRefused("POST x: no", status, None) for status in (302, 400, 403, 404, 405, 415)),
    own(400, "Invalid request parameters"),
    own(404, "HTTP 404 Not Found"),
    own(403, "Access is denied"),
]


async def refusal(asked: Awaitable[Token]) -> tuple[type[TokenError], str]:
    with pytest.raises(TokenError) as caught:
        await asked
    assert "hunter2" not in str(caught.value)
    return type(caught.value), caught.value.reason


@pytest.mark.parametrize(("told", "reason"), OF_THE_USER)
async def test_a_refused_login_is_definite(told: RequestRefused, reason: str) -> None:
    asked = adapter().login(ToldExchange(told), ANA, NOW)
    assert await refusal(asked) == (CredentialRefused, reason)
    assert reason in adapter().token_reasons


@pytest.mark.parametrize(("told", "reason"), OF_THE_REFRESH_TOKEN)
async def test_a_spent_refresh_token_leaves_the_password_to_try(
    told: RequestRefused, reason: str
) -> None:
    exchange = ToldExchange(told)
    assert await refusal(adapter().renew(exchange, OLD, NOW)) == (RenewalRefused, reason)
    without = adapter().login(exchange, REFRESH, NOW)
    assert await refusal(without) == (CredentialRefused, reason)
    assert reason in adapter().token_reasons


@pytest.mark.parametrize("told", WITHOUT_WORDS)
async def test_a_refresh_token_tells_itself_that_it_has_expired(told: RequestRefused) -> None:
    later, exchange = NOW + timedelta(seconds=5), ToldExchange(told)
    renewed = adapter().renew(exchange, OLD, later)
    assert await refusal(renewed) == (RenewalRefused, "refresh_expired")
    given = Credentials("ana", refresh_token=OLD.refresh_token)
    without = adapter().login(exchange, given, later)
    assert await refusal(without) == (CredentialRefused, "refresh_expired")


@pytest.mark.parametrize("told", OF_SOMETHING_ELSE)
async def test_what_no_token_endpoint_says_judges_no_credential(told: RequestRefused) -> None:
    exchange = ToldExchange(told)
    for asked in (
        adapter().login(exchange, ANA, NOW),
        adapter().login(exchange, REFRESH, NOW),
        adapter().renew(exchange, OLD, NOW),
    ):
        with pytest.raises(Malformed):
            await asked


async def test_a_refusal_bears_the_platforms_status_and_code() -> None:
    for told, code in ((own(401, "Invalid credentials"), ""), (container(), "Unauthorized")):
        with pytest.raises(CredentialRefused) as caught:
            await adapter().login(ToldExchange(told), ANA, NOW)
        assert (caught.value.status, caught.value.code) == (401, code)


@pytest.mark.parametrize("told", [Throttled("", timedelta(seconds=9)), ServerFailed("502")])
async def test_what_passes_is_handed_on_as_it_is(told: Any) -> None:
    exchange = ToldExchange(told)
    for asked in (adapter().login(exchange, ANA, NOW), adapter().renew(exchange, OLD, NOW)):
        with pytest.raises(type(told)) as caught:
            await asked
        assert caught.value is told
