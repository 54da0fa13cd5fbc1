"""The token of one account, shared by all who ask for it, and renewed before it ends."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from harvester.auth.calls import Calls, to_its_end
from harvester.auth.held import LONGEST_BACKOFF, Account, Held, Trouble
from harvester.auth.life import ANSWER_LOST, QUARANTINED, RENEWAL, tries_left
from harvester.auth.outlook import Outlook
from harvester.auth.record import Record
from harvester.auth.renewal import BUDGET, Renewals
from harvester.auth.sealed import SEAL_BROKEN, Keys, Vault
from harvester.auth.shared import Shared
from harvester.auth.spill import UNREADABLE, Spill
from harvester.auth.tally import Tally
from harvester.auth.telling import Telling
from harvester.clock import Clock
from harvester.errors import ClientRefused, PlatformError, StoreUnavailable, TokenError
from harvester.logs import Failures
from harvester.model import Credentials, Token
from harvester.platforms.base import SHARE, Access

if TYPE_CHECKING:
    from harvester.store.pool import Pool

REFUSED_ANEW = "unauthorized_after_refresh"
_WITHOUT_CALL = (BUDGET, SEAL_BROKEN, UNREADABLE)
"""Why nothing is asked for now. What was asked for is told where it is."""


class Keeper:
    """The one who asks for an account's tokens. Callers are many; a renewal is one."""

    def __init__(
        self,
        account: Account,
        adapter: Access,
        calls: Calls,
        pool: Pool,
        keys: Keys,
        clock: Clock,
        shared: Shared,
        spills: Path,
    ) -> None:
        self._clock = clock
        self._shared = shared
        failures = Failures(structlog.stdlib.get_logger(__name__))
        telling = Telling(account, clock, failures)
        spill = Spill(spills, account, keys, failures)
        record = Record(Vault(account, pool, keys), spill, telling)
        self._renewals = Renewals(account, adapter, calls, record, shared, clock, telling)
        self._lock = asyncio.Lock()
        self._held: Held | None = None
        self._trouble: Trouble | None = None
        self._distrusted: Trouble | None = None
        """Of renewing a token because it was refused."""
        self._asked = False
        self._tally = Tally(account)
        # Where the platform forgets, a pause longer than one between two polls would cost data.
        kept = adapter.retention
        self._longest_backoff = min(LONGEST_BACKOFF, kept / SHARE) if kept else LONGEST_BACKOFF

    @property
    def adapter(self) -> Access:
        """Whose tokens they are."""
        return self._renewals.adapter

    @property
    def credentials(self) -> Credentials:
        return self._renewals.account.credentials

    @property
    def held(self) -> Held | None:
        """The token as it was last handed out."""
        return self._held

    @property
    def session_ends_at(self) -> datetime | None:
        """When a person has to log in, however often the token is renewed, as far as is known."""
        renewals = self._renewals
        if self._held is None:
            return None
        logs_in = renewals.has_password and renewals.record.life.refused is None
        reusable = renewals.adapter.reuses_refresh_tokens
        return Outlook.of(self._held, logs_in=logs_in, reusable=reusable).session_ends_at

    @property
    def tries_left(self) -> int:
        """Logins that may still be refused before the secrets are tried no more."""
        return tries_left(self._renewals.record.life)

    def leave(self) -> None:
        """Give up the account's place in `harvester_accounts`: call it before `metrics.forget`."""
        self._tally.become(None)

    def try_again(self) -> None:
        """A person wants it tried once more, as by a reload, whatever was refused before."""
        self._asked, self._trouble = True, None
        self._shared.retry()

    async def token(self) -> Token:
        """A token that will last for a request, or as long as it can be had.

        Raises CredentialRefused (definite, until something changes), TokenError or another
        PlatformError (for now; asked again only after a pause), StoreUnavailable.
        """
        held = self._held
        if held and not held.due(self._clock.now()):
            return held.token
        try:
            return await self._next(held.token if held else None)
        except (PlatformError, StoreUnavailable):
            # The margin is for this: a pause within it costs no reading.
            if held and held.lives(self._clock.now()):
                return held.token
            raise

    async def replace(self, refused: Token) -> Token:
        """A newer token than this one, which the platform refused. Raises as `token` does."""
        if self._distrusted and self._held and self._held.token is refused:
            self._distrusted.check(self._clock.now())
        return await self._next(refused)

    def distrust(self) -> TokenError:
        """What to raise where a token just renewed is refused too: the fault is not the token's.

        For a pause no refusal leads to a renewal; who is not refused goes on with this token.
        """
        error = TokenError("a token that was just renewed is refused", REFUSED_ANEW)
        now, last = self._clock.now(), self._distrusted
        if last is None or last.is_over(now):
            self._distrusted = Trouble.after(last, error, now)
            self._renewals.telling.count(self._renewals.record.life.asked_grant or RENEWAL, error)
        return error

    async def keep(self) -> None:
        """Renew what would die before anybody asks for it. Raises as `token` does."""
        held, now = self._held, self._clock.now()
        if held is None:
            await self.token()
        elif self._renewals.record.is_unsettled:
            await self.settle()
        elif held.fades(now) or self._renewals.wants_login(held):
            await self._next(held.token)

    async def settle(self) -> None:
        """Bring a token that waits for the database there. Raises TokenError, StoreUnavailable."""
        async with self._lock:
            if self._renewals.record.is_unsettled:
                await to_its_end(self._renewals.settle())

    async def _next(self, used: Token | None) -> Token:
        found = self._held
        async with self._lock:
            now, held = self._clock.now(), self._held
            if held and held.token is not used and (held is not found or not held.due(now)):
                return held.token  # renewed while we waited, however short its life is
            if self._trouble:
                self._trouble.check(now)
            return await to_its_end(self._renew(used))

    async def _renew(self, used: Token | None) -> Token:
        try:
            self._held = await self._renewals.obtain(used, asked=self._asked)
        except PlatformError as error:
            self._failed(error, self._clock.now())
            raise
        self._trouble, self._asked = None, False
        self._tally.become("active")
        self._renewals.telling.failures.well(self._renewals.account.name)
        return self._held.token

    def _failed(self, error: PlatformError, now: datetime) -> None:
        life = self._renewals.record.life
        if life.is_stopped and self._trouble and isinstance(self._trouble.error, ClientRefused):
            error = self._trouble.error  # as it was told
        if isinstance(error, ClientRefused) or (life.is_stopped and isinstance(error, TokenError)):
            self._stopped(error, now)
            return
        if error.reason in _WITHOUT_CALL:
            grant = self._renewals.adapter.grant(self._renewals.account.credentials)
            self._renewals.telling.without_call(grant, error)
        self._trouble = Trouble.after(self._trouble, error, now, self._longest_backoff)
        self._tally.become(ANSWER_LOST if life.state == ANSWER_LOST else "failing")

    def _stopped(self, error: PlatformError, now: datetime) -> None:
        life = self._renewals.record.life
        self._trouble = Trouble.stopped(error, now)
        self._asked = False
        self._tally.become(life.state if life.is_stopped else QUARANTINED)
        if life.is_stopped and not isinstance(error, ClientRefused):  # that was told
            self._renewals.telling.left_alone(life)
