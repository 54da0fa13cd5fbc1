"""DeviceHive: of a login only a token is kept that can read, where there is a way to have one."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs
from told import Told, ToldExchange

from harvester.errors import Malformed, RequestRefused, ServerFailed, TransientError
from harvester.model import Credentials, Token
from harvester.platforms.devicehive import Adapter
from harvester.platforms.devicehive.options import DeviceHiveOptions
from harvester.simulator.devicehive_jwt import signed

NOW = datetime(2026, 3, 4, 10, 30, tzinfo=UTC)
MILLIS = 1_772_620_200_000
CLIENT = [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 15, 16, 17]
READS = ["GetNetwork", "GetDevice", "GetDeviceNotification", "GetDeviceCommand", "GetDeviceType"]
ANA = Credentials("ana", "p&w")
CREATE = "https://dh.example/auth/rest/token/create"


def jwt(**payload: object) -> str:
    """A token of a client in two networks, unless `payload` says more."""
    return signed({"u": 42, "a": CLIENT, "n": ["7", "9"], "dt": ["*"]} | payload, "secret", 0)


WIDE = {"accessToken": jwt(e=MILLIS + 1_800_000), "refreshToken": jwt(e=MILLIS + 86_400_123, t=0)}
NARROW = {
    "accessToken": jwt(e=MILLIS + 1_800_000, a=[2, 3, 4, 5, 17]),
    "refreshToken": jwt(e=MILLIS + 86_400_123, a=[2, 3, 4, 5, 17], t=0),
}


def adapter() -> Adapter:
    return Adapter(
        DeviceHiveOptions(
            base_url="https://dh.example/api/rest", auth_url="https://dh.example/auth/rest"
        )
    )


def told(wide: dict[str, str], create: Told) -> ToldExchange:
    """A platform that logs in with a wide token and answers `create` to what asks for another."""
    return ToldExchange(lambda asked: create if "userId" in asked else wide)


def given(**payload: object) -> dict[str, str]:
    return {"accessToken": jwt(**payload), "refreshToken": jwt(**payload)}


async def test_only_the_narrowed_tokens_of_a_login_are_kept() -> None:
    exchange = told(WIDE, NARROW)
    token = await adapter().login(exchange, ANA, NOW)
    assert (token.access_token, token.refresh_token) == tuple(NARROW.values())
    assert token.expires_at == NOW + timedelta(minutes=30)
    assert token.refresh_expires_at == NOW + timedelta(days=1, milliseconds=123)


async def test_a_token_is_narrowed_to_reading_what_the_login_sees_and_for_no_longer() -> None:
    exchange = told(WIDE, NARROW)
    await adapter().login(exchange, ANA, NOW)
    url, asked, bearer = exchange.posted[1]
    assert (url, bearer) == (CREATE, WIDE["accessToken"])
    assert asked == {
        "userId": 42,
        "actions": READS,
        "networkIds": ["7", "9"],
        "deviceTypeIds": ["*"],
        "refreshExpiration": "2026-03-05T10:30:00.123",
    }


async def test_an_end_that_is_not_known_is_left_to_the_platform() -> None:
    exchange = told(given(e=None), NARROW)
    await adapter().login(exchange, ANA, NOW)
    assert "refreshExpiration" not in exchange.json


@pytest.mark.parametrize(
    ("actions", "asked"),
    [
        ([0], READS),
        ([], READS),
        ([3, 5, 7, 15], ["GetDevice", "GetDeviceCommand"]),
    ],
)
async def test_a_token_is_never_widened(actions: list[int], asked: list[str]) -> None:
    exchange = told(given(a=actions, n=["*"]), NARROW)
    await adapter().login(exchange, ANA, NOW)
    assert (exchange.json["actions"], exchange.json["networkIds"]) == (asked, ["*"])


async def test_a_token_that_can_only_read_is_kept_without_a_word() -> None:
    wide = given(a=[3, 4])
    with capture_logs() as logs:
        token = await adapter().login(exchange := told(wide, NARROW), ANA, NOW)
    assert (token.access_token, len(exchange.posted), logs) == (wide["accessToken"], 1, [])


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({"a": [2, 3, 4, 5, 6]}, "not_allowed"),  # no action 15
        ({"a": [10, 15]}, "not_allowed"),  # of nothing to read, "no actions" would mean all
        ({"u": None}, "unreadable"),
        ({"a": ["*"]}, "unreadable"),
        ({"n": None}, "unreadable"),
    ],
)
async def test_where_no_other_token_can_be_asked_for_the_logins_own_serves(
    payload: dict[str, Any], reason: str
) -> None:
    wide, asked = given(**payload), adapter()
    with capture_logs() as logs:
        for _ in range(2):
            token = await asked.login(exchange := told(wide, NARROW), ANA, NOW)
    assert (token.access_token, len(exchange.posted)) == (wide["accessToken"], 1)
    assert [(each["what"], each["reason"]) for each in logs] == [
        ("ana narrowing the token to reading", reason)
    ]


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_where_no_other_token_is_given_the_logins_own_serves(status: int) -> None:
    exchange, asked = told(WIDE, RequestRefused("no", status)), adapter()
    with capture_logs() as logs:
        tokens = [await asked.login(exchange, ANA, NOW) for _ in range(2)]
        await asked.login(told(WIDE, NARROW), ANA, NOW)
    assert {each.access_token for each in tokens} == {WIDE["accessToken"]}
    assert {each.refresh_token for each in tokens} == {WIDE["refreshToken"]}
    assert [each["event"] for each in logs] == ["failing", "well again"]
    assert (logs[0]["reason"], logs[0]["status"]) == ("refused", status)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (ServerFailed("502"), TransientError),
        (Malformed("HTML"), Malformed),
        ({"error": "none"}, Malformed),
    ],
)
async def test_a_login_whose_narrowing_fails_for_now_is_made_again_later(
    answer: Told, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await adapter().login(told(WIDE, answer), ANA, NOW)


async def test_a_configured_refresh_token_is_narrowed_too() -> None:
    refresh = jwt(e=MILLIS + 86_400_000, t=0)
    exchange = told({"accessToken": WIDE["accessToken"]}, NARROW)
    token = await adapter().login(exchange, Credentials("ana", refresh_token=refresh), NOW)
    assert token.refresh_token == NARROW["refreshToken"]
    assert exchange.json["refreshExpiration"] == "2026-03-05T10:30:00.000"


async def test_a_configured_refresh_token_that_cannot_be_narrowed_is_used_as_it_is() -> None:
    refresh = jwt(e=MILLIS + 86_400_000, t=0, a=[2, 3, 4, 5, 6])
    access = jwt(e=MILLIS + 1_800_000, a=[2, 3, 4, 5, 6])
    exchange = told({"accessToken": access}, NARROW)
    token = await adapter().login(exchange, Credentials("ana", refresh_token=refresh), NOW)
    end = NOW + timedelta(days=1)
    assert token == Token(access, NOW + timedelta(minutes=30), refresh, end)
