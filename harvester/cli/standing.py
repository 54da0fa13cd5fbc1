"""Accounts in words: how each stands, since when, why, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from harvester import platforms, shown
from harvester.auth import life
from harvester.auth.held import account_name
from harvester.auth.outlook import Outlook
from harvester.auth.telling import login_command, remedy
from harvester.config import Tenant
from harvester.model import Credentials
from harvester.service.credentials import credentials_of
from harvester.store.accounts import AccountState

DAYS_AHEAD = timedelta(days=7)
"""So long before it a session's end is told."""
MOST_TOLD = 10
"""Accounts of a tenant."""
UNPROVEN = "unproven"
_ORDER = (
    life.NEEDS_LOGIN,
    life.QUARANTINED,
    life.ANSWER_LOST,
    life.RENEWING,
    life.ACTIVE,
    UNPROVEN,
)
"""Of what is told: first what somebody has to do something about."""


@dataclass(frozen=True, slots=True)
class AccountStanding:
    """A configured account, and how it was last seen."""

    credentials: Credentials
    seen: AccountState
    session_ends_at: datetime | None

    def told(self, now: datetime) -> str | None:
        """None where it is simply active."""
        since = shown.duration(now - self.seen.since) if self.seen.since else ""
        tenant, user = self.seen.tenant, self.credentials.user
        match self.seen.state:
            case life.NEEDS_LOGIN | life.QUARANTINED as state:
                what = "left alone" if state == life.QUARANTINED else "needs a login"
                return f"{what} for {since}, {self.seen.reason}: {remedy(tenant, user, state)}"
            case life.ANSWER_LOST:
                return f"a token call was not answered, {since} ago; it is tried again by itself"
            case life.RENEWING:
                return f"a token call is under way, or was broken off; it began {since} ago"
            case life.ACTIVE:
                return self._ending(now)
        return self._unproven()

    def row(self) -> dict[str, Any]:
        """For programs: the columns of harvester.accounts, and when a person has to log in."""
        return asdict(self.seen) | {"session_ends_at": self.session_ends_at}

    def _unproven(self) -> str:
        if self.credentials.is_empty:
            command = login_command(self.seen.tenant, self.credentials.user or "")
            return f"has neither a token nor a password: {command}"
        return "not logged in yet; harvester run does it"

    def _ending(self, now: datetime) -> str | None:
        end = self.session_ends_at
        if end is None or end > now + DAYS_AHEAD:
            return None
        command = login_command(self.seen.tenant, self.credentials.user or "")
        ends = f"ends in {shown.duration(end - now)}" if end > now else "has ended"
        return f"its session {ends}, and no renewal moves that: {command}"


def account_standings(tenant: Tenant, states: Iterable[AccountState]) -> list[AccountStanding]:
    """The tenant's accounts as configured; who was never seen is unproven."""
    adapter = platforms.adapter(tenant.platform)(tenant.options)
    seen = {each.user: each for each in states if each.tenant == tenant.name}
    found = []
    for credentials in credentials_of(tenant, adapter):
        state = seen.get(credentials.user) or AccountState(tenant.name, credentials.user)
        end = _outlook(credentials, state, reusable=adapter.reuses_refresh_tokens).session_ends_at
        found.append(AccountStanding(credentials, state, end))
    return found


def lines(tenant: Tenant, found: list[AccountStanding], now: datetime) -> Iterator[str]:
    """A line for each account that is not simply active, the most urgent first."""
    told = [
        f"{account_name(tenant.name, each.credentials.user)}: {words}"
        for each in sorted(found, key=lambda each: _ORDER.index(each.seen.state))
        if (words := each.told(now))
    ]
    yield from told[:MOST_TOLD]
    if more := told[MOST_TOLD:]:
        yield f"{tenant.name}: {len(more)} more accounts are not simply active; --json has all"


def _outlook(credentials: Credentials, seen: AccountState, *, reusable: bool) -> Outlook:
    has_password = credentials.password is not None or seen.keeps_password
    return Outlook(
        logs_in=credentials.user is None or (has_password and seen.refused is None),
        renewable=seen.renewable,
        reusable=reusable,
        expires_at=seen.expires_at,
        refresh_ends_at=seen.refresh_expires_at,
        ends_at=seen.ends_at,
    )
