"""When a token is due, and how long nobody asks again: pure functions of the hour."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.auth.held import (
    FIRST_BACKOFF,
    LARGEST_MARGIN,
    LONGEST_BACKOFF,
    MOST_PATIENCE,
    Account,
    Held,
    Trouble,
)
from harvester.errors import (
    CredentialRefused,
    Malformed,
    PlatformError,
    ServerFailed,
    Throttled,
    TokenError,
)
from harvester.model import FOREVER, Credentials, Token

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
DOWN = ServerFailed("down")


def held(life: timedelta | None) -> Held:
    return Held(Token("access", NOW + life if life is not None else None), NOW, 1)


@pytest.mark.parametrize(
    ("life", "used"),
    [
        (timedelta(hours=24), timedelta(hours=23, minutes=55)),
        (timedelta(minutes=25), timedelta(minutes=20)),
        (timedelta(minutes=5), timedelta(minutes=4)),
        (timedelta(seconds=60), timedelta(seconds=48)),
    ],
)
def test_a_token_is_due_before_its_end_by_a_margin_that_fits(
    life: timedelta, used: timedelta
) -> None:
    assert not held(life).due(NOW + used - timedelta(microseconds=1))
    assert held(life).due(NOW + used)


@given(st.timedeltas(timedelta(seconds=1), timedelta(days=400)))
def test_most_of_a_life_is_used_and_a_due_token_still_lives(life: timedelta) -> None:
    token = held(life)
    assert not token.due(NOW + life * 0.79)
    due_at = NOW + life - min(LARGEST_MARGIN, life / 5)
    assert token.due(due_at) and token.lives(due_at)
    assert not token.lives(NOW + life)


def test_a_token_of_unknown_end_is_used_until_it_is_refused() -> None:
    assert not held(None).due(NOW + timedelta(days=999))
    assert held(None).lives(NOW + timedelta(days=999))


@pytest.mark.parametrize("life", [timedelta(), timedelta(seconds=-1), timedelta(days=-1)])
def test_a_token_that_ended_before_it_came_is_due(life: timedelta) -> None:
    assert held(life).due(NOW) and not held(life).lives(NOW)


def test_pauses_grow_to_a_limit_while_trouble_goes_on() -> None:
    trouble, pauses, now = None, [], NOW
    for _ in range(9):
        trouble = Trouble.after(trouble, DOWN, now)
        assert trouble.until == now + trouble.pause
        pauses.append(trouble.pause / SECOND)
        now = trouble.until
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300, 300]


def test_trouble_after_a_quiet_time_begins_anew() -> None:
    first = Trouble.after(None, DOWN, NOW)
    soon = first.until + LONGEST_BACKOFF - SECOND
    assert Trouble.after(first, DOWN, soon).pause == 2 * FIRST_BACKOFF
    assert Trouble.after(first, DOWN, soon + SECOND).pause == FIRST_BACKOFF


@pytest.mark.parametrize(
    ("asked", "waited"),
    [
        (None, FIRST_BACKOFF),
        (timedelta(), FIRST_BACKOFF),
        (timedelta(minutes=7), timedelta(minutes=7)),
        (timedelta(days=9), MOST_PATIENCE),
    ],
)
def test_what_a_platform_asks_for_is_granted_within_reason(
    asked: timedelta | None, waited: timedelta
) -> None:
    trouble = Trouble.after(None, Throttled("wait", asked), NOW)
    assert trouble.until == NOW + waited
    assert trouble.pause == FIRST_BACKOFF


@pytest.mark.parametrize("error", [DOWN, Malformed("html"), TokenError("elsewhere", "held")])
def test_only_a_refused_credential_is_given_up(error: PlatformError) -> None:
    assert Trouble.after(None, error, NOW).until == NOW + FIRST_BACKOFF
    refused = CredentialRefused("wrong password")
    trouble = Trouble.after(Trouble.after(None, error, NOW), refused, NOW)
    assert trouble.until == FOREVER
    with pytest.raises(CredentialRefused):
        trouble.check(NOW + timedelta(days=9999))


def test_the_error_is_raised_anew_until_the_pause_is_over() -> None:
    trouble = Trouble.after(None, DOWN, NOW)
    for _ in range(3):
        with pytest.raises(ServerFailed) as error:
            trouble.check(trouble.until - SECOND)
        assert len(error.traceback) == 2
    trouble.check(trouble.until)


@pytest.mark.parametrize(
    ("user", "name"), [("ana@acme.example", "acme/ana@acme.example"), (None, "acme/(client)")]
)
def test_an_account_is_named_without_its_password(user: str | None, name: str) -> None:
    account = Account(1, "acme", "mydevices", Credentials(user, "hunter2"), "deployment", "owner")
    assert account.name == name
    assert "hunter2" not in repr(account)
