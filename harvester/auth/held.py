"""Whose token it is, how long it serves, and what is in the way of a new one. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from harvester.errors import CredentialRefused, PlatformError, Throttled
from harvester.model import FOREVER, Credentials, Token

if TYPE_CHECKING:
    from harvester.store.tokens import SealedToken

LARGEST_MARGIN = timedelta(minutes=5)
"""A token is renewed this long before its end, or in the last fifth of its life if that is less."""
FIRST_BACKOFF = timedelta(seconds=5)
LONGEST_BACKOFF = timedelta(minutes=5)
MOST_PATIENCE = timedelta(hours=1)
"""A platform that asks for more is asked again after this."""


@dataclass(frozen=True, slots=True)
class Account:
    """Whose token it is. `deployment` binds what is sealed; `owner` names this instance."""

    account_id: int
    tenant: str
    platform: str
    credentials: Credentials
    deployment: str
    owner: str

    @property
    def name(self) -> str:
        return account_name(self.tenant, self.credentials.user)


def account_name(tenant: str, user: str | None) -> str:
    """As logs and commands name it; a user of None is the tenant's own client."""
    return f"{tenant}/{user or '(client)'}"


@dataclass(frozen=True, slots=True)
class Held:
    """A token as we have it: since when, and its place in the account's line of tokens."""

    token: Token
    since: datetime
    generation: int

    def due(self, now: datetime) -> bool:
        """Whether it may end within a request. A token of unknown end is used until refused."""
        end = self.token.expires_at
        return end is not None and now >= end - min(LARGEST_MARGIN, (end - self.since) / 5)

    @property
    def is_usable(self) -> bool:
        """Whether there is a token at all: not where the account was logged out."""
        return self.token.access_token != ""

    def lives(self, now: datetime) -> bool:
        """Whether the platform takes it still, as far as its end tells."""
        return self.token.expires_at is None or now < self.token.expires_at


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why there is no token, and until when nobody asks again."""

    error: PlatformError
    pause: timedelta
    until: datetime

    @classmethod
    def after(cls, last: Trouble | None, error: PlatformError, now: datetime) -> Trouble:
        """A definite refusal is asked no more; anything else that goes on, ever more rarely."""
        if isinstance(error, CredentialRefused):
            return cls(error, LONGEST_BACKOFF, FOREVER)
        goes_on = last is not None and now < last.until + LONGEST_BACKOFF
        pause = min(last.pause * 2, LONGEST_BACKOFF) if last and goes_on else FIRST_BACKOFF
        asked = error.retry_after if isinstance(error, Throttled) else None
        return cls(error, pause, now + max(pause, min(asked or pause, MOST_PATIENCE)))

    @property
    def is_definite(self) -> bool:
        """Whether it lasts until something changes."""
        return self.until == FOREVER

    def check(self, now: datetime) -> None:
        """Raise the error anew while the pause lasts."""
        if now < self.until:
            # The trace of each raise would be kept for as long as the error is.
            raise self.error.with_traceback(None)


def renewable(token: Token | SealedToken, now: datetime) -> bool:
    """Whether there is a refresh token, and not past its end."""
    if token.refresh_token is None:
        return False
    return token.refresh_expires_at is None or now < token.refresh_expires_at
