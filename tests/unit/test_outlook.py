"""How long an account goes on without a person, by what it has."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from harvester.auth.held import Held
from harvester.auth.outlook import Outlook
from harvester.model import Token

NOW = datetime(2026, 3, 4, 10, tzinfo=UTC)
ACCESS, REFRESH, SESSION = (NOW + timedelta(hours=hours) for hours in (1, 48, 30))
ROLLING = Outlook(
    logs_in=False,
    renewable=True,
    reusable=False,
    expires_at=ACCESS,
    refresh_ends_at=REFRESH,
    ends_at=None,
)


@pytest.mark.parametrize(
    ("outlook", "session", "unattended"),
    [
        (ROLLING, None, REFRESH),
        (replace(ROLLING, refresh_ends_at=SESSION, ends_at=SESSION), SESSION, SESSION),
        (replace(ROLLING, reusable=True), REFRESH, REFRESH),
        (replace(ROLLING, renewable=False, refresh_ends_at=None), ACCESS, ACCESS),
        (replace(ROLLING, renewable=False, refresh_ends_at=None, logs_in=True), None, ACCESS),
        (replace(ROLLING, reusable=True, logs_in=True), None, REFRESH),
        (replace(ROLLING, refresh_ends_at=None), None, None),
    ],
)
def test_what_ends_when(
    outlook: Outlook, session: datetime | None, unattended: datetime | None
) -> None:
    assert (outlook.session_ends_at, outlook.unattended_until) == (session, unattended)


def test_a_token_in_hand_is_seen_as_it_is() -> None:
    held = Held(Token("a", ACCESS, "r", REFRESH), NOW, 1, ends_at=SESSION)
    seen = Outlook.of(held, logs_in=False, reusable=False)
    assert seen == replace(ROLLING, refresh_ends_at=SESSION, ends_at=SESSION)
    without = replace(held, token=Token("a", ACCESS), ends_at=None)
    assert not Outlook.of(without, logs_in=False, reusable=False).renewable
