"""What each call leaves behind of a credential's life, and what may be tried after it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from harvester.auth.life import (
    ACTIVE,
    ANSWER_LOST,
    MOST_TRIES,
    NEEDS_LOGIN,
    PROBE_EVERY,
    QUARANTINED,
    RENEWAL,
    RENEWING,
    TRY_AGAIN,
    Life,
    Means,
    must_wait,
    passed,
    tries_left,
    ways,
)
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
    Unreachable,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
BOTH = Means(has_refresh=True, has_login=True, reusable=False, digest="one", login_grant="password")
NO_LOGIN = replace(BOTH, has_login=False)
NO_REFRESH = replace(BOTH, has_refresh=False)
BAD = CredentialRefused("no", "bad_credentials")
LOST = AnswerLost("cut")

NOTHING_HAPPENED = [ServerFailed("503"), Throttled("429"), Unreachable("away"), Malformed("<html>")]


def asked(life: Life, grant: str, error: PlatformError, means: Means = BOTH) -> Life:
    """What a call that gave no token leaves behind."""
    return life.asking(grant, means, NOW).failed(life, error, means, NOW)


def test_an_intent_counts_before_anything_is_sent() -> None:
    life = Life().asking(RENEWAL, BOTH, NOW)
    assert (life.state, life.doubt, life.tries) == (RENEWING, 1, 0)
    assert (life.asked_grant, life.asked_at) == (RENEWAL, NOW)
    life = Life().asking("password", BOTH, NOW)
    assert (life.state, life.doubt, life.tries) == (RENEWING, 0, 1)


def test_the_refresh_token_goes_first_and_the_login_where_it_is_to_be_made_anew() -> None:
    assert ways(Life(), BOTH, NOW) == [RENEWAL, "password"]
    assert ways(Life(), replace(BOTH, login_first=True), NOW) == ["password", RENEWAL]
    assert ways(Life(), NO_LOGIN, NOW) == [RENEWAL]
    assert ways(Life(), NO_REFRESH, NOW) == ["password"]


def test_an_end_by_our_clock_counts_where_there_is_a_login_and_only_there() -> None:
    ended = replace(BOTH, has_ended=True)
    assert ways(Life(), ended, NOW) == ["password"]
    assert ways(Life(), replace(ended, has_login=False), NOW) == [RENEWAL]
    refused = replace(Life(), refused="bad_credentials", asked_at=NOW)
    assert ways(refused, ended, NOW) == [RENEWAL]


@pytest.mark.parametrize("error", [LOST, NoToken("{}")])
def test_a_lost_answer_allows_one_retry_and_no_third(error: PlatformError) -> None:
    once = asked(Life(), RENEWAL, error)
    assert (once.state, once.doubt) == (ANSWER_LOST, 1)
    assert ways(once, NO_LOGIN, NOW) == [RENEWAL]
    twice = asked(once, RENEWAL, error)
    assert twice.doubt == 2
    assert ways(twice, BOTH, NOW) == ["password"]
    assert ways(twice, NO_LOGIN, NOW) == ways(twice, NO_LOGIN, NOW, asked=True) == []
    needs = twice.stopped(NO_LOGIN, NOW)
    assert (needs.state, needs.reason) == (NEEDS_LOGIN, ANSWER_LOST)


def test_one_that_serves_again_and_again_is_never_in_doubt() -> None:
    means, life = replace(BOTH, reusable=True), Life()
    for _ in range(9):
        life = asked(life, RENEWAL, LOST, means)
        assert ways(life, means, NOW)[0] == RENEWAL


@pytest.mark.parametrize("error", NOTHING_HAPPENED)
@pytest.mark.parametrize("grant", [RENEWAL, "password"])
def test_what_was_not_looked_at_leaves_all_as_it_was(error: PlatformError, grant: str) -> None:
    before = replace(Life(), doubt=1, tries=3, state=ANSWER_LOST)
    after = asked(before, grant, error)
    assert replace(after, asked_grant=None, asked_at=None) == before


def test_a_crash_is_a_call_that_nobody_knows_the_end_of() -> None:
    life = Life()
    for _ in range(2):
        life = life.asking(RENEWAL, BOTH, NOW).interrupted(NOW)
    assert (life.state, life.doubt) == (ANSWER_LOST, 2)
    assert Life().interrupted(NOW) == Life()


def test_a_token_settles_every_doubt_but_a_renewal_proves_no_password() -> None:
    wrong = asked(replace(Life(), doubt=1), "password", BAD)
    renewed = wrong.asking(RENEWAL, BOTH, NOW).obtained(NOW)
    assert (renewed.state, renewed.doubt, renewed.tries) == (ACTIVE, 0, 1)
    assert renewed.refused == "bad_credentials"
    logged_in = renewed.asking("password", BOTH, NOW).obtained(NOW)
    assert (logged_in.tries, logged_in.refused, logged_in.judged) == (0, None, None)


def test_a_spent_refresh_token_leaves_the_login_and_without_one_says_why() -> None:
    spent = asked(Life(), RENEWAL, RenewalRefused("no", "session_gone"))
    assert ways(spent, BOTH, NOW) == ["password"]
    assert ways(spent, NO_LOGIN, NOW + DAY) == []
    needs = spent.stopped(NO_LOGIN, NOW)
    assert (needs.state, needs.reason) == (NEEDS_LOGIN, "session_gone")


def test_a_refused_password_rests_until_the_probe() -> None:
    life = asked(Life(), "password", BAD, NO_REFRESH).stopped(NO_REFRESH, NOW)
    assert (life.state, life.reason) == (QUARANTINED, "bad_credentials")
    assert ways(life, NO_REFRESH, NOW + PROBE_EVERY - SECOND) == []
    assert ways(life, NO_REFRESH, NOW + PROBE_EVERY) == ["password"]
    assert ways(life, NO_REFRESH, NOW, asked=True) == ["password"]


def test_a_user_whose_renewal_is_refused_for_good_is_not_logged_in_either() -> None:
    life = asked(Life(), RENEWAL, CredentialRefused("no", "account_disabled"))
    assert (life.state, life.reason) == (QUARANTINED, "account_disabled")
    assert ways(life, BOTH, NOW + PROBE_EVERY - SECOND) == []
    assert ways(life, BOTH, NOW + PROBE_EVERY) == [RENEWAL, "password"]


def test_the_tries_of_a_refused_password_end() -> None:
    life, now = Life(), NOW
    for _ in range(MOST_TRIES):
        assert ways(life, NO_REFRESH, now) == ["password"]
        life = life.asking("password", NO_REFRESH, now).failed(life, BAD, NO_REFRESH, now)
        now += PROBE_EVERY
    assert tries_left(life) == 0
    assert ways(life, NO_REFRESH, now + 999 * DAY) == []
    assert not must_wait(life, NO_REFRESH)


def test_logins_that_nobody_heard_of_are_made_hourly_once_their_tries_are_used() -> None:
    life = Life()
    for _ in range(MOST_TRIES):
        life = asked(life, "password", LOST, NO_REFRESH)
    assert life.tries == MOST_TRIES and must_wait(life, NO_REFRESH)
    assert ways(life, NO_REFRESH, NOW + TRY_AGAIN - SECOND) == []
    assert ways(life, NO_REFRESH, NOW + TRY_AGAIN) == ["password"]


def test_a_refused_client_stops_the_account_and_costs_no_try_of_its_user() -> None:
    life = asked(Life(), "password", ClientRefused("no"), NO_REFRESH)
    assert (life.state, life.reason, life.tries) == (QUARANTINED, "client_rejected", 0)
    assert ways(life, NO_REFRESH, NOW + PROBE_EVERY - SECOND) == []


def test_other_secrets_are_tried_at_once_and_the_same_are_not() -> None:
    life = asked(Life(), "password", BAD, NO_REFRESH).stopped(NO_REFRESH, NOW)
    assert life.known_with("one") is life
    anew = life.known_with("another")
    assert (anew.state, anew.tries, anew.refused) == (ACTIVE, 0, None)
    assert ways(anew, NO_REFRESH, NOW) == ["password"]


def test_other_secrets_make_no_doubted_refresh_token_good() -> None:
    lost = asked(asked(Life(), RENEWAL, LOST), RENEWAL, LOST)
    refused = asked(lost, "password", BAD)
    assert refused.known_with("another").doubt == 2


def test_a_refusal_that_a_proxy_may_have_said_spends_no_token() -> None:
    unsure = RenewalRefused("no")
    unsure.is_sure = False
    life = asked(replace(Life(), doubt=1), RENEWAL, unsure)
    assert (life.spent, life.doubt) == (None, 1)
    assert ways(life, NO_LOGIN, NOW) == [RENEWAL]


def test_a_logout_says_so_and_lets_no_refused_secret_in() -> None:
    out = replace(Life(), doubt=2, spent="revoked").logged_out(NOW)
    assert (out.state, out.reason, out.doubt, out.spent) == (NEEDS_LOGIN, "logged_out", 0, None)
    refused = asked(Life(), "password", BAD, NO_REFRESH).stopped(NO_REFRESH, NOW).logged_out(NOW)
    assert (refused.state, refused.reason) == (QUARANTINED, "bad_credentials")


def test_a_state_that_goes_on_keeps_its_beginning() -> None:
    life = asked(Life(), RENEWAL, LOST)
    later = life.asking(RENEWAL, BOTH, NOW + DAY).failed(life, LOST, BOTH, NOW + DAY)
    assert later.since == life.since == NOW


@given(st.timedeltas(-DAY, DAY), st.timedeltas(SECOND, DAY))
def test_a_clock_that_was_set_back_makes_nobody_wait_longer(
    since: timedelta, span: timedelta
) -> None:
    assert passed(NOW - since, span, NOW) == (since < timedelta() or since >= span)
    assert passed(None, span, NOW)
