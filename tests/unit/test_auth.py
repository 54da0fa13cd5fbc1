"""When a token is due, and how long nobody asks again: pure functions of the hour."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from harvester.auth.held import (
    FIRST_BACKOFF,
    LARGEST_MARGIN,
    LONGEST_BACKOFF,
    LOOK_EVERY,
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
from harvester.model import Credentials, Token

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND, MICROSECOND = timedelta(seconds=1), timedelta(microseconds=1)
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
        assert trouble.pause * 0.8 <= trouble.lasts <= trouble.pause
        pauses.append(trouble.pause / SECOND)
        now += trouble.lasts
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300, 300]


def test_trouble_after_a_quiet_time_begins_anew() -> None:
    first = Trouble.after(None, DOWN, NOW)
    soon = NOW + first.lasts + LONGEST_BACKOFF - SECOND
    assert Trouble.after(first, DOWN, soon).pause == 2 * FIRST_BACKOFF
    assert Trouble.after(first, DOWN, soon + SECOND).pause == FIRST_BACKOFF


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [
        (None, FIRST_BACKOFF * 0.8, FIRST_BACKOFF),
        (timedelta(), FIRST_BACKOFF * 0.8, FIRST_BACKOFF),
        (timedelta(minutes=7), timedelta(minutes=7), timedelta(minutes=7)),
        (timedelta(days=9), MOST_PATIENCE, MOST_PATIENCE),
    ],
)
def test_what_a_platform_asks_for_is_granted_within_reason(
    asked: timedelta | None, least: timedelta, most: timedelta
) -> None:
    trouble = Trouble.after(None, Throttled("wait", asked), NOW)
    assert least <= trouble.lasts <= most
    assert trouble.pause == FIRST_BACKOFF


@pytest.mark.parametrize("error", [DOWN, Malformed("html"), TokenError("elsewhere", "held")])
def test_no_two_accounts_ask_again_at_the_same_moment(error: PlatformError) -> None:
    assert len({Trouble.after(None, error, NOW).lasts for _ in range(9)}) > 1


def test_what_nothing_can_mend_here_is_looked_at_now_and_then() -> None:
    trouble = Trouble.stopped(CredentialRefused("wrong password"), NOW)
    with pytest.raises(CredentialRefused):
        trouble.check(NOW + LOOK_EVERY - SECOND)
    trouble.check(NOW + LOOK_EVERY)


def test_the_error_is_raised_anew_until_the_pause_is_over() -> None:
    trouble = Trouble.after(None, DOWN, NOW)
    for _ in range(3):
        with pytest.raises(ServerFailed) as error:
            trouble.check(NOW + trouble.lasts - MICROSECOND)
        assert len(error.traceback) == 2
    trouble.check(NOW + trouble.lasts)


@pytest.mark.parametrize("back", [MICROSECOND, timedelta(days=9)])
def test_a_clock_that_is_set_back_makes_no_pause_longer(back: timedelta) -> None:
    Trouble.after(None, DOWN, NOW).check(NOW - back)


@pytest.mark.parametrize(
    ("user", "name"), [("ana@acme.example", "acme/ana@acme.example"), (None, "acme/(client)")]
)
def test_an_account_is_named_without_its_password(user: str | None, name: str) -> None:
    account = Account(1, "acme", "mydevices", Credentials(user, "hunter2"), "deployment", "owner")
    assert account.name == name
    assert "hunter2" not in repr(account)


def test_a_platform_that_forgets_is_asked_for_a_token_again_before_it_does() -> None:
    trouble, now = None, NOW
    for _ in range(9):
        trouble = Trouble.after(trouble, DOWN, now, timedelta(seconds=40))
        assert trouble.lasts <= timedelta(seconds=40)
        now += trouble.lasts
