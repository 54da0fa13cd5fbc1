"""How long a session goes on: learned from what the answers say, and acted on ahead of it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from harvester.auth.held import (
    LARGEST_NOTICE,
    SHORTEST_LESSON,
    UNKNOWN_KEPT,
    Held,
    digest,
)
from harvester.model import Credentials, Token
from harvester.platforms.base import Options

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)


def token(refresh_ends: datetime | None) -> Token:
    return Token("access", None, "refresh", refresh_ends)


def logged_in(life: timedelta | None) -> Held:
    return Held(token(None if life is None else NOW + life), NOW, 1, logged_in_at=NOW)


@given(st.timedeltas(SHORTEST_LESSON, 3 * DAY), st.timedeltas(timedelta(), 30 * SECOND))
def test_an_end_that_stays_where_it_is_is_recognized(passed: timedelta, off: timedelta) -> None:
    """Whole seconds, and the time that an answer takes, move it a little."""
    end = NOW + 5 * DAY
    held = logged_in(5 * DAY).renewed(token(end + min(off, passed / 3)), NOW + passed)
    assert held.ends_at is not None and held.ends_at - end <= off


@given(st.timedeltas(SHORTEST_LESSON, DAY))
def test_an_end_that_moves_along_is_none(passed: timedelta) -> None:
    held = logged_in(2 * DAY).renewed(token(NOW + passed + 2 * DAY), NOW + passed)
    assert held.ends_at is None


def test_answers_that_come_close_together_teach_nothing() -> None:
    soon = NOW + SHORTEST_LESSON - SECOND
    first = logged_in(2 * DAY).renewed(token(NOW + 2 * DAY), soon)
    assert first.ends_at is None
    known = Held(token(NOW + DAY), NOW, 1, NOW, ends_at=NOW + DAY)
    assert known.renewed(token(soon + DAY), soon).ends_at == NOW + DAY


def test_an_end_that_moves_again_is_forgotten() -> None:
    known = Held(token(NOW + DAY), NOW, 1, NOW, ends_at=NOW + DAY)
    assert known.renewed(token(NOW + HOUR + DAY), NOW + HOUR).ends_at is None


def test_a_clock_that_is_set_back_teaches_no_end() -> None:
    held = logged_in(2 * DAY).renewed(token(NOW - DAY), NOW - 3 * DAY)
    assert held.ends_at is None


def test_a_renewal_is_the_same_login_and_the_next_generation() -> None:
    held = logged_in(2 * DAY).renewed(token(None), NOW + DAY)
    assert (held.logged_in_at, held.generation, held.since) == (NOW, 2, NOW + DAY)


@pytest.mark.parametrize(("life", "at"), [(2 * DAY, DAY), (HOUR, HOUR / 2), (None, UNKNOWN_KEPT)])
def test_a_refresh_token_is_renewed_for_its_own_sake_at_half_its_life(
    life: timedelta | None, at: timedelta
) -> None:
    assert not logged_in(life).fades(NOW + at - SECOND)
    assert logged_in(life).fades(NOW + at)


def test_there_is_nothing_to_keep_alive_without_one_or_where_its_end_stays() -> None:
    assert not Held(Token("access"), NOW, 1).fades(NOW + 99 * DAY)
    assert not Held(token(NOW + DAY), NOW, 1, NOW, ends_at=NOW + DAY).fades(NOW + DAY)


@pytest.mark.parametrize(
    ("life", "notice"), [(30 * DAY, LARGEST_NOTICE), (2 * DAY, DAY / 2), (HOUR, HOUR / 4)]
)
def test_before_an_end_that_stays_a_login_comes_in_time(life: timedelta, notice: timedelta) -> None:
    held = Held(token(NOW + life), NOW, 1, NOW, ends_at=NOW + life)
    assert not held.wants_login(NOW + life - notice - SECOND, None)
    assert held.wants_login(NOW + life - notice, None)


def test_where_a_newer_login_sees_more_it_comes_when_the_old_one_is_old() -> None:
    held = logged_in(30 * DAY)
    assert not held.wants_login(NOW + DAY - SECOND, DAY)
    assert held.wants_login(NOW + DAY, DAY)
    assert not held.wants_login(NOW + 29 * DAY, None)


def test_an_end_is_the_nearer_of_the_two_that_are_known() -> None:
    held = Held(token(NOW + 2 * DAY), NOW, 1, NOW, ends_at=NOW + DAY)
    assert held.refresh_ends_at == NOW + DAY
    assert not held.has_ended(NOW + DAY - SECOND) and held.has_ended(NOW + DAY)
    assert not logged_in(None).has_ended(NOW + 999 * DAY)


def test_the_digest_is_another_where_any_secret_is_and_tells_none() -> None:
    options = Options(base_url="https://one.example")
    told = [
        digest(options, Credentials("ana", "one")),
        digest(options, Credentials("ana", "two")),
        digest(options, Credentials("ana", refresh_token="one")),
        digest(options, Credentials("ana", access_token="one")),
        digest(Options(base_url="https://two.example"), Credentials("ana", "one")),
    ]
    assert len(set(told)) == len(told)
    assert digest(options, Credentials("ana", "one")) == told[0]
    assert not any("one" in each for each in told)
