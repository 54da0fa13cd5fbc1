"""How long an account goes on without a person, as far as that is known. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from harvester.auth.held import Held


@dataclass(frozen=True, slots=True)
class Outlook:
    """What an account has to go on with.

    `logs_in` is whether it logs in by itself, with a client or a password that was not refused.
    A reusable refresh token stays the same, and so does its end.
    """

    logs_in: bool
    renewable: bool
    reusable: bool
    expires_at: datetime | None
    refresh_ends_at: datetime | None
    ends_at: datetime | None

    @classmethod
    def of(cls, held: Held, *, logs_in: bool, reusable: bool) -> Outlook:
        """Of a token in hand."""
        return cls(
            logs_in=logs_in,
            renewable=held.token.refresh_token is not None,
            reusable=reusable,
            expires_at=held.token.expires_at,
            refresh_ends_at=held.refresh_ends_at,
            ends_at=held.ends_at,
        )

    @property
    def session_ends_at(self) -> datetime | None:
        """When a person has to log in, however often the token is renewed."""
        if self.logs_in:
            return None
        if not self.renewable:
            return self.expires_at
        return self.refresh_ends_at if self.reusable else self.ends_at

    @property
    def unattended_until(self) -> datetime | None:
        """When what is held ends, if nothing renews it from now on."""
        return self.refresh_ends_at if self.renewable else self.expires_at
