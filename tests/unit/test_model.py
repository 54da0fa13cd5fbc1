"""The few shapes that promise more than to hold their fields."""

from datetime import UTC, datetime, timedelta

import pytest

from harvester.model import Counts, Credentials, Token, Window

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("length", [timedelta(0), timedelta(microseconds=-1)])
def test_a_window_is_never_empty(length: timedelta) -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        Window(NOON, NOON + length)


def test_windows_sort_by_when_they_begin_then_by_when_they_end() -> None:
    second = timedelta(seconds=1)
    short, long = Window(NOON, NOON + second), Window(NOON, NOON + 3 * second)
    later = Window(NOON + second, NOON + 2 * second)
    assert sorted([later, long, short]) == [short, long, later]


def test_no_secret_is_seen_where_a_token_or_credentials_are_printed() -> None:
    token = Token("SECRET", expires_at=NOON, refresh_token="SECRET", refresh_expires_at=NOON)
    shown = f"{token} {token!r} {Credentials('ann', 'SECRET')}"
    assert "SECRET" not in shown
    assert "ann" in shown


def test_pulled_is_the_sum_of_what_became_of_the_samples() -> None:
    both = Counts(stored=1, corrected=2, unchanged=3, rejected=4) + Counts(10, 20, 30, 40)
    assert both == Counts(stored=11, corrected=22, unchanged=33, rejected=44)
    assert both.pulled == 110
