"""Where an account's credential stands in its life, and what may be tried next. Pure: no I/O.

A refresh token that serves once is sent, at most, twice without knowing what came of it. A login is
tried with secrets that were refused only now and then, and never more often than MOST_TRIES times.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from harvester.errors import (
    AnswerLost,
    ClientRefused,
    CredentialRefused,
    NoToken,
    PlatformError,
    RenewalRefused,
)
from harvester.model import BEGINNING

ACTIVE = "active"
RENEWING = "renewing"
ANSWER_LOST = "answer_lost"
QUARANTINED = "quarantined"
NEEDS_LOGIN = "needs_login"

RENEWAL = "refresh_token"
"""The grant of a renewal; every other one is a login."""
NO_PASSWORD = "no_password"  # noqa: S105  a reason, and no password
LOGGED_OUT = "logged_out"

MOST_TRIES = 5
"""Logins that gave no token; the strictest platform that we know locks an account at ten."""
MOST_ASKED = 8
"""So many where a person asks for each: programs that reload by themselves must not lock it."""
TRY_AGAIN = timedelta(hours=1)
"""After so many of them whose outcome is not known: crashes, not refusals."""
PROBE_EVERY = timedelta(hours=12)
"""What was refused may have been mended at the platform: it is looked so rarely."""


@dataclass(frozen=True, slots=True)
class Life:
    """Where the credential stands: the state columns of `vault.credential`."""

    state: str = ACTIVE
    reason: str | None = None
    since: datetime = BEGINNING
    asked_grant: str | None = None
    asked_at: datetime | None = None
    doubt: int = 0
    spent: str | None = None
    tries: int = 0
    refused: str | None = None
    judged: str | None = field(default=None, repr=False)

    @property
    def is_stopped(self) -> bool:
        """Whether nothing is tried until something changes."""
        return self.state in (QUARANTINED, NEEDS_LOGIN)

    def known_with(self, digest: str) -> Life:
        """With secrets that were never judged, what was said of others counts no more."""
        if self.judged in (None, digest):
            return self
        state, reason = (ACTIVE, None) if self.state == QUARANTINED else (self.state, self.reason)
        return replace(
            self, state=state, reason=reason, spent=None, tries=0, refused=None, judged=None
        )

    def interrupted(self, now: datetime) -> Life:
        """A crash broke the call of this intent off: nobody knows what came of it."""
        return self._become(ANSWER_LOST, None, now) if self.state == RENEWING else self

    def asking(self, grant: str, means: Means, now: datetime) -> Life:
        """The intent of a token call, to be committed before it is sent."""
        doubt = self.doubt + (grant == RENEWAL and not means.reusable)
        tries = self.tries + (grant != RENEWAL)
        began = self._become(RENEWING, None, now)
        return replace(began, asked_grant=grant, asked_at=now, doubt=doubt, tries=tries)

    def obtained(self, now: datetime) -> Life:
        """The call of this intent gave a token. A renewal does not prove the password good."""
        active = replace(self._become(ACTIVE, None, now), doubt=0, spent=None)
        if self.asked_grant == RENEWAL:
            return active
        return replace(active, tries=0, refused=None, judged=None)

    def failed(self, before: Life, error: PlatformError, means: Means, now: datetime) -> Life:
        """The call of this intent gave none; `before` is what stood before the intent."""
        known = replace(before, asked_grant=self.asked_grant, asked_at=self.asked_at)
        if self.asked_grant == RENEWAL:
            return self._renewal_failed(known, before, error, means, now)
        if is_lost(error):
            return replace(known, tries=self.tries)  # it may have been refused
        if not isinstance(error, CredentialRefused | RenewalRefused):
            return replace(known, asked_at=before.asked_at)  # the secret was not judged
        known = replace(known, refused=error.reason, judged=means.digest)
        if isinstance(error, ClientRefused):  # no user's secret was judged: no lock comes nearer
            return known._become(QUARANTINED, error.reason, now)
        return replace(known, tries=self.tries)

    def _renewal_failed(
        self, known: Life, before: Life, error: PlatformError, means: Means, now: datetime
    ) -> Life:
        if isinstance(error, RenewalRefused) and error.is_sure:
            return replace(known, doubt=0, spent=error.reason, judged=means.digest)
        if isinstance(error, CredentialRefused):
            stopped = replace(known, judged=means.digest)
            return stopped._become(QUARANTINED, error.reason, now)
        if is_lost(error) and not means.reusable:
            return replace(known, doubt=self.doubt)._become(ANSWER_LOST, None, now)
        if isinstance(error, RenewalRefused) and before.is_stopped:
            return known  # a probe that was answered, by whomever: the next one has its time
        return replace(known, asked_at=before.asked_at)

    def stopped(self, means: Means, now: datetime) -> Life:
        """No way is left: left alone after a refusal, or a person has to log in."""
        if means.has_login and self.refused:
            return self._become(QUARANTINED, self.refused, now)
        if self.state == QUARANTINED or self.reason == LOGGED_OUT:
            return self
        lost = ANSWER_LOST if self.doubt else None
        return self._become(NEEDS_LOGIN, self.refused or self.spent or lost or NO_PASSWORD, now)

    def logged_out(self, now: datetime) -> Life:
        """A person erased the token; what was refused stays refused."""
        erased = replace(self, doubt=0, spent=None)
        if self.state == QUARANTINED:
            return erased
        return erased._become(NEEDS_LOGIN, LOGGED_OUT, now)

    def _become(self, state: str, reason: str | None, now: datetime) -> Life:
        same = (state, reason) == (self.state, self.reason)
        return replace(self, state=state, reason=reason, since=self.since if same else now)


def is_lost(error: PlatformError) -> bool:
    """Whether the platform may have done what was asked all the same."""
    return isinstance(error, AnswerLost | NoToken)


@dataclass(frozen=True, slots=True)
class Means:
    """What there is to get a token with. `digest` stands for the configured secrets.

    `login_first` is for a login that is to be made anew while its refresh token still serves.
    `has_ended` is said of the refresh token by our clock, which may be wrong.
    """

    has_refresh: bool
    has_login: bool
    reusable: bool
    digest: str = field(repr=False)
    login_grant: str
    login_first: bool = False
    has_ended: bool = False


def ways(life: Life, means: Means, now: datetime, *, asked: bool = False) -> list[str]:
    """The grants that may be tried now, in their order; none where all must rest.

    `asked` is whether a person wants it tried again, as by a reload.
    """
    again = asked or passed(life.asked_at, PROBE_EVERY, now)
    if life.state == QUARANTINED and not again:
        return []
    renews = means.has_refresh and (means.reusable or life.doubt < 2)
    found = [RENEWAL] if renews and (life.spent is None or asked) else []
    most = MOST_ASKED if asked else MOST_TRIES
    if not means.has_login or not _may_log_in(life, most, again, now):
        return found
    if means.has_ended:
        return [means.login_grant]
    found.append(means.login_grant)
    return found[::-1] if means.login_first else found


def _may_log_in(life: Life, most: int, again: bool, now: datetime) -> bool:
    if life.refused is not None:
        return life.tries < most and again
    return life.tries < most or passed(life.asked_at, TRY_AGAIN, now)


def must_wait(life: Life, means: Means) -> bool:
    """Whether it is only for a while that nothing may be tried: after crashes, not refusals."""
    return means.has_login and life.refused is None and life.tries >= MOST_TRIES


def tries_left(life: Life) -> int:
    """Logins that may still be refused before the secrets are tried no more."""
    return max(0, MOST_TRIES - life.tries)


def passed(since: datetime | None, span: timedelta, now: datetime) -> bool:
    """Whether so much time went by. A clock that was set back proves nothing: it did."""
    return since is None or not since <= now < since + span
