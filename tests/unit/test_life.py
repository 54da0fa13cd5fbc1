"""What may be tried next, by where an account stands."""

from datetime import UTC, datetime

import pytest

from harvester.auth.life import MOST_ASKED, MOST_TRIES, PROBE_EVERY, RENEWAL, Life, Means, ways

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LOGIN = Means(has_refresh=False, has_login=True, reusable=False, digest="d", login_grant="password")
REFRESH = Means(
    has_refresh=True, has_login=False, reusable=False, digest="d", login_grant="password"
)


def refused(tries: int) -> Life:
    reason = "bad_credentials"
    return Life("quarantined", reason, tries=tries, refused=reason, asked_at=NOW)


@pytest.mark.parametrize("tries", range(1, MOST_ASKED + 3))
def test_who_asks_has_some_tries_more_than_are_made_unasked(tries: int) -> None:
    life = refused(tries)
    assert ways(life, LOGIN, NOW) == []
    assert ways(life, LOGIN, NOW + PROBE_EVERY) == ["password"] * (tries < MOST_TRIES)
    for now in (NOW, NOW + PROBE_EVERY):
        assert ways(life, LOGIN, now, asked=True) == ["password"] * (tries < MOST_ASKED)


def test_who_asks_has_a_refused_refresh_token_looked_at_but_none_in_doubt() -> None:
    spent, doubted = Life(spent="refresh_expired"), Life(doubt=2)
    assert ways(spent, REFRESH, NOW) == ways(doubted, REFRESH, NOW) == []
    assert ways(spent, REFRESH, NOW, asked=True) == [RENEWAL]
    assert ways(doubted, REFRESH, NOW, asked=True) == []
