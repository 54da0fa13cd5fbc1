"""What a harvest is told of its tenant."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from harvester import windows
from harvester.model import Credentials, Stream
from harvester.platforms.base import SHARE, Platform, SocketApi

ASKED_IN_TIME = 0.998
"""Of what is kept, the part that is still kept when it is first asked for: of 30 days all but an
hour and a half."""


@dataclass(frozen=True, slots=True)
class Seat:
    """One account as the corridor sees it: who it is, and what it can read."""

    account_id: int
    credentials: Credentials
    api: SocketApi


@dataclass(frozen=True, slots=True)
class Work:
    """One stream of a tenant: its platform, its accounts, and how it wants its feeds pulled.

    `history` is how far back a new feed is wanted, `follow_up` how long a report of a task that
    is not over is asked for again.
    """

    tenant: str
    stream: Stream
    platform: Platform
    seats: Mapping[int, Seat]
    history: timedelta
    follow_up: timedelta
    rules: windows.Rules

    def wanted_since(self, now: datetime) -> datetime:
        """From when on a feed is wanted that is found at `now`, both by its axis.

        What the platform will have forgotten before it can be asked is not wanted, and so not
        lost. Where it forgets within a sweep or two, what came since the last discovery is all that
        can be new.
        """
        if (kept := self.rules.retention) is None:
            return now - self.history
        return now - min(self.history, kept / SHARE if self.rules.whole else kept * ASKED_IN_TIME)

    def account_of(self, user: str) -> int | None:
        """The account of a user, whom platforms spell in either case."""
        for seat in self.seats.values():
            if (seat.credentials.user or "").casefold() == user.casefold():
                return seat.account_id
        return None
