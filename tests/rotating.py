"""A platform that rotates refresh tokens and revokes a session when a used one comes again.

It is a model: no socket, and each call goes as it was told to. It keeps what was sent to it.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from harvester.errors import (
    AnswerLost,
    CredentialRefused,
    NoToken,
    RenewalRefused,
    ServerFailed,
)
from harvester.model import Credentials, Token
from harvester.platforms.base import Access, Exchange, Options

Outcome = Literal["fine", "down", "lost before", "lost after", "empty"]
Ways = Literal["strict", "lenient", "same"]
"""A refresh token serves once; each answer has a new one and the old ones serve; one serves on."""

ACCESS, REFRESH = timedelta(hours=1), timedelta(hours=48)
RIGHT, WRONG = "right", "wrong"


@dataclass(slots=True)
class Session:
    """One login. `newest` is the refresh token that it gave last."""

    newest: str
    ends: datetime
    is_live: bool = True


@dataclass(slots=True)
class Platform:
    """What is there. `now` is its own clock, which nobody jumps with."""

    ways: Ways
    now: datetime
    password: str = RIGHT
    is_disabled: bool = False
    sessions: dict[str, Session] = field(default_factory=dict)
    made: int = 0

    def log_in(self, password: str | None, now: datetime) -> Token:
        if self.is_disabled:
            raise CredentialRefused("no", "account_disabled")
        if password != self.password:
            raise CredentialRefused("no", "bad_credentials")
        return self._give(Session("", self.now + REFRESH), now)

    def renew(self, refresh: str, now: datetime) -> Token:
        if self.is_disabled:
            raise CredentialRefused("no", "account_disabled")
        session = self.sessions[refresh]
        if self.ways == "strict" and session.newest != refresh:
            session.is_live = False
        if not self.would_renew(refresh):
            raise RenewalRefused("no", "revoked")
        return self._give(session, now)

    def would_renew(self, refresh: str | None, later: timedelta = timedelta()) -> bool:
        session = self.sessions.get(refresh or "")
        if session is None or self.is_disabled:
            return False
        serves = self.ways != "strict" or session.newest == refresh
        return serves and session.is_live and self.now + later < session.ends

    def happen(self, what: str) -> None:
        """The user is disabled or not, is logged out everywhere, or has that password now."""
        if what in ("on", "off"):
            self.is_disabled = what == "off"
        elif what == "log out":
            for session in self.sessions.values():
                session.is_live = False
        else:
            self.password = what

    def _give(self, session: Session, now: datetime) -> Token:
        self.made += 1
        if not session.newest or self.ways != "same":
            session.newest = f"refresh {self.made}"
        session.ends = self.now + REFRESH
        self.sessions[session.newest] = session
        return Token(f"access {self.made}", now + ACCESS, session.newest, now + REFRESH)


@dataclass(slots=True)
class Sent:
    """What was sent to it, and how far it is known what came of that."""

    renewals: Counter[str] = field(default_factory=Counter)
    """By refresh token: calls that may have used it up."""
    stale: set[str] = field(default_factory=set)
    """Refresh tokens that were replaced by one that somebody was given."""
    refused: int = 0
    """Logins that it refused since the last that it took, or since another secret was tried."""
    heard: int = 0
    """Those of which it is known here."""
    told: int = 0
    """Those of the last calls."""
    logins: int = 0
    """Logins since the last that gave a token: refused, or unheard of."""
    unharmed: list[str] = field(default_factory=list)
    """Refresh tokens that the last calls were told of that they are not used up."""


class Adapter(Access):
    """The way to it. `outcomes` are those of the next calls; after them all is well."""

    Options = Options

    def __init__(self, platform: Platform, point: Callable[[str], None]) -> None:
        self.platform = platform
        self.point = point
        self.outcomes: list[Outcome] = []
        self.sent = Sent()

    def token_url(self, credentials: Credentials) -> str:
        return f"http://127.0.0.1/{credentials.user}"

    async def answers(self, url: str) -> bool:
        return url.startswith("http")

    async def post_once(self, url: str, **_: object) -> object:
        raise AssertionError(f"{url}: there is no socket")

    async def login(self, exchange: Exchange, credentials: Credentials, now: datetime) -> Token:
        assert exchange is self
        outcome = self._sent()
        self.sent.logins += 1
        self._reach(outcome)
        try:
            token = self.platform.log_in(credentials.password, now)
        except CredentialRefused:
            self.sent.refused += 1
            self._come(outcome)
            self.sent.told += 1
            raise
        self.sent.refused = self.sent.heard = 0
        return self._given(token, outcome)

    async def renew(self, exchange: Exchange, token: Token, now: datetime) -> Token:
        assert exchange is self
        refresh, outcome = token.refresh_token or "", self._sent()
        assert refresh not in self.sent.stale, "a token that was replaced is sent"
        self.sent.renewals[refresh] += 1
        self._reach(outcome)
        try:
            renewed = self.platform.renew(refresh, now)
        except CredentialRefused:
            self._come(outcome)
            self.sent.unharmed.append(refresh)
            raise
        return self._given(renewed, outcome)

    def _sent(self) -> Outcome:
        self.point("call")
        outcome = self.outcomes.pop(0) if self.outcomes else "fine"
        if outcome == "down":
            raise ServerFailed("down")
        return outcome

    def _reach(self, outcome: Outcome) -> None:
        if outcome == "lost before":
            raise AnswerLost("lost")

    def _come(self, outcome: Outcome) -> None:
        self.point("answer")
        if outcome == "lost after":
            raise AnswerLost("lost")

    def _given(self, token: Token, outcome: Outcome) -> Token:
        self._come(outcome)
        if outcome == "empty":
            raise NoToken("empty")
        return token
