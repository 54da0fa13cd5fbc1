"""Whose token it is, how long it serves, and what is in the way of a new one. No I/O."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import BaseModel, SecretStr

from harvester.errors import PlatformError, Throttled
from harvester.model import Credentials, Token

LARGEST_MARGIN = timedelta(minutes=5)
"""A token is renewed this long before its end, or in the last fifth of its life if that is less."""
FIRST_BACKOFF = timedelta(seconds=5)
LONGEST_BACKOFF = timedelta(minutes=5)
MOST_PATIENCE = timedelta(hours=1)
"""A platform that asks for more is asked again after this."""
LOOK_EVERY = timedelta(seconds=30)
"""How often it is looked, by who asks, whether something changed of what nothing can mend here."""
SHORTEST_LESSON = timedelta(minutes=1)
"""Of two answers nearer than that nobody can tell whether an end moves."""
UNKNOWN_KEPT = timedelta(days=7)
"""A refresh token of unknown end is renewed this often."""
LARGEST_NOTICE = timedelta(days=1)
"""So long before an end that no renewal moves it is logged in anew, or in the last quarter."""


@dataclass(frozen=True, slots=True)
class Account:
    """Whose token it is. `deployment` binds what is sealed; `owner` names this instance.

    `digest` stands for all that is configured of it, secrets too.
    """

    account_id: int
    tenant: str
    platform: str
    credentials: Credentials
    deployment: str
    owner: str
    digest: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        return account_name(self.tenant, self.credentials.user)


def account_name(tenant: str, user: str | None) -> str:
    """As logs and commands name it; a user of None is the tenant's own client."""
    return f"{tenant}/{user or '(client)'}"


def digest(options: BaseModel, credentials: Credentials) -> str:
    """Another one where anything changed of what a login is made with."""
    secrets = (credentials.password, credentials.refresh_token, credentials.access_token)
    told = json.dumps([options.model_dump(), secrets], default=_revealed, sort_keys=True)
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()


def _revealed(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


@dataclass(frozen=True, slots=True)
class Held:
    """A token as we have it: since when, and its place in the account's line of tokens.

    `ends_at` is an end of its refresh token that no renewal moves, where one was recognized.
    """

    token: Token
    since: datetime
    generation: int
    logged_in_at: datetime | None = None
    ends_at: datetime | None = None

    def renewed(self, token: Token, now: datetime) -> Held:
        """The token that a renewal of this one gave."""
        ends_at = self._learned(token.refresh_expires_at, now)
        return Held(token, now, self.generation + 1, self.logged_in_at, ends_at)

    def _learned(self, end: datetime | None, now: datetime) -> datetime | None:
        """A refresh token that gets shorter from answer to answer ends absolutely."""
        last, passed = self.token.refresh_expires_at, now - self.since
        if last is None or end is None or passed < SHORTEST_LESSON:
            return self.ends_at
        return end if end - last < passed / 2 else None

    def due(self, now: datetime) -> bool:
        """Whether it may end within a request. A token of unknown end is used until refused."""
        end = self.token.expires_at
        return end is not None and now >= end - min(LARGEST_MARGIN, (end - self.since) / 5)

    def lives(self, now: datetime) -> bool:
        """Whether the platform takes it still, as far as its end tells."""
        return self.token.expires_at is None or now < self.token.expires_at

    @property
    def refresh_ends_at(self) -> datetime | None:
        """When the refresh token is of no more use, as far as that is known."""
        ends = [end for end in (self.token.refresh_expires_at, self.ends_at) if end is not None]
        return min(ends, default=None)

    def fades(self, now: datetime) -> bool:
        """Whether the refresh token should be renewed for its own sake: half its life is over."""
        if self.token.refresh_token is None or self.ends_at is not None:
            return False
        end = self.token.refresh_expires_at
        return now >= self.since + ((end - self.since) / 2 if end else UNKNOWN_KEPT)

    def has_ended(self, now: datetime) -> bool:
        """Whether the refresh token is of no more use, by a clock that may be wrong."""
        return self.refresh_ends_at is not None and now >= self.refresh_ends_at

    def wants_login(self, now: datetime, lasts: timedelta | None) -> bool:
        """Whether a new login should come before the next renewal."""
        began = self.logged_in_at or self.since
        if lasts is not None and now >= began + lasts:
            return True
        if self.ends_at is None:
            return False
        return now >= self.ends_at - min(LARGEST_NOTICE, (self.ends_at - began) / 4)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why there is no token, and for how long nobody asks again."""

    error: PlatformError
    pause: timedelta
    since: datetime
    lasts: timedelta

    @classmethod
    def after(
        cls,
        last: Trouble | None,
        error: PlatformError,
        now: datetime,
        longest: timedelta = LONGEST_BACKOFF,
    ) -> Trouble:
        """What goes on is asked ever more rarely, and never by all at the same moment."""
        goes_on = last is not None and now < last.since + last.lasts + LONGEST_BACKOFF
        pause = min(last.pause * 2, longest) if last and goes_on else FIRST_BACKOFF
        asked = error.retry_after if isinstance(error, Throttled) else None
        error.__cause__ = error.__context__ = None  # the answer, and the frames that read it
        jittered = pause * random.uniform(0.8, 1)  # noqa: S311  no secret
        return cls(error, pause, now, max(jittered, min(asked or jittered, MOST_PATIENCE)))

    @classmethod
    def stopped(cls, error: PlatformError, now: datetime) -> Trouble:
        """Nothing is tried; now and then it is looked whether something changed."""
        error.__cause__ = error.__context__ = None
        return cls(error, LONGEST_BACKOFF, now, LOOK_EVERY)

    def is_over(self, now: datetime) -> bool:
        """Whether the pause has passed; a clock that was set back ends it too."""
        return not self.since <= now < self.since + self.lasts

    def check(self, now: datetime) -> None:
        """Raise the error anew while the pause lasts."""
        if not self.is_over(now):
            # The trace of each raise would be kept for as long as the error is.
            raise self.error.with_traceback(None)
