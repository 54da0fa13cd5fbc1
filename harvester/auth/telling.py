"""What is told of token calls: counted, logged once, kept in the audit trail; never a secret."""

from __future__ import annotations

import shlex
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

from harvester import metrics
from harvester.auth.held import Account
from harvester.auth.life import QUARANTINED, Life, is_lost
from harvester.clock import Clock
from harvester.errors import (
    ClientRefused,
    CredentialRefused,
    PlatformError,
    RenewalRefused,
    TokenError,
)
from harvester.logs import Failures
from harvester.store.credentials import Event

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Telling:
    """Of one account."""

    account: Account
    clock: Clock
    failures: Failures

    async def counted(self, grant: str, asked: Awaitable[_T]) -> _T:
        """A token call. Raises what it raises."""
        account, client = self.account, f"{self.account.tenant} client"
        what = f"{account.name} {grant}"
        metrics.TOKEN_REQUESTS.labels(account.tenant, account.platform, grant).inc()
        try:
            came = await asked
        except PlatformError as error:
            self.count(grant, error)
            if isinstance(error, ClientRefused):  # a fault of the tenant, whichever account met it
                what = client
            self.failures.failing(what, error.reason, error=str(error))
            raise
        self.failures.well(what)
        self.failures.well(client)
        return came

    def without_call(self, grant: str, error: PlatformError) -> None:
        """Nothing could be called with, or nothing may be called yet."""
        self.count(grant, error)
        self.failures.failing(self.account.name, error.reason, error=str(error))

    def left_alone(self, life: Life) -> None:
        """Nothing is tried of it any more, which is told once, and also after a restart."""
        what = self.account.name
        self.failures.failing(what, life.reason or life.state, error=told(self.account, life))

    def count(self, grant: str, error: PlatformError) -> None:
        """A login or a renewal gave no token that serves."""
        labels = (self.account.tenant, self.account.platform, grant, error.reason)
        metrics.TOKEN_FAILURES.labels(*labels).inc()

    def event(self, grant: str, outcome: str, reason: str | None = None) -> Event:
        """For the audit trail: a call that gave a token, or one that nobody knows the end of."""
        return Event(self.clock.now(), grant, outcome, reason, None, None, self.account.owner)

    def failed(self, grant: str, error: PlatformError) -> Event:
        """For the audit trail: a call that gave none, as the platform said it."""
        known = error if isinstance(error, TokenError) else None
        status, code = (known.status, known.code or None) if known else (None, None)
        return Event(
            self.clock.now(),
            grant,
            _outcome(error),
            error.reason,
            code,
            status,
            self.account.owner,
        )


def _outcome(error: PlatformError) -> str:
    if isinstance(error, CredentialRefused):
        return "definite"
    if isinstance(error, RenewalRefused):
        return "renewable"
    return "answer_lost" if is_lost(error) else "transient"


def told(account: Account, life: Life) -> str:
    """Why an account is left alone, and what to do."""
    mends = remedy(account.tenant, account.credentials.user, life.state)
    if life.state == QUARANTINED or account.credentials.user is None:
        return f"{account.name} is left alone, {life.reason}: {mends}"
    return (
        f"{account.name} has no usable token, and no password to log in with, {life.reason}: "
        f"{mends}"
    )


def remedy(tenant: str, user: str | None, state: str) -> str:
    """What a person does about an account that is left alone."""
    if user is None:
        return "mend its id and secret, and reload"
    if state == QUARANTINED:
        return f"mend that and reload, or run {login_command(tenant, user)}"
    return f"run {login_command(tenant, user)}, or give the account a password in the configuration"


def login_command(tenant: str, user: str) -> str:
    """As it is typed in a shell."""
    return shlex.join(["harvester", "login", tenant, user])
