"""What a harvest is told of its tenant."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from harvester import windows
from harvester.model import Credentials, Stream
from harvester.platforms.base import Api, Platform

STREAM: Stream = "readings"


@dataclass(frozen=True, slots=True)
class Seat:
    """One account as the corridor sees it: who it is, and what it can read."""

    account_id: int
    credentials: Credentials
    api: Api


@dataclass(frozen=True, slots=True)
class Work:
    """A tenant: its platform, its accounts, and how it wants its feeds pulled.

    `history` is how far back a new feed is wanted.
    """

    tenant: str
    platform: Platform
    seats: Mapping[int, Seat]
    history: timedelta
    rules: windows.Rules

    def account_of(self, user: str) -> int | None:
        """The account of a user, whom platforms spell in either case."""
        for seat in self.seats.values():
            if (seat.credentials.user or "").casefold() == user.casefold():
                return seat.account_id
        return None
