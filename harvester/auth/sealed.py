"""An account's row in the vault, sealed and opened, and the lease under which it is written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from harvester.auth.held import Account, Held
from harvester.errors import Fenced, SealBroken, StoreUnavailable, TokenError
from harvester.model import Token
from harvester.store import leases, tokens
from harvester.vault import Context, KeyRing, Sealed

if TYPE_CHECKING:
    from harvester.store.pool import Pool

RENEWAL_LASTS = timedelta(minutes=6)
"""Longer than a renewal and a login: another instance may take the account's lease after it."""

_log = structlog.stdlib.get_logger(__name__)


class Vault:
    """The row of one account."""

    def __init__(self, account: Account, pool: Pool, ring: KeyRing) -> None:
        self._account = account
        self._pool = pool
        self._ring = ring

    @asynccontextmanager
    async def lease(self) -> AsyncIterator[int | None]:
        """The fence under which we alone may renew; None where another instance does."""
        account_id, owner = self._account.account_id, self._account.owner
        fence = await leases.take_account(self._pool, account_id, owner, RENEWAL_LASTS)
        try:
            yield fence
        finally:
            if fence is not None:
                with suppress(StoreUnavailable):  # then it ends by itself
                    await leases.release_account(self._pool, account_id, fence)

    async def load(self) -> Held | None:
        """The newest token, where there is one; one that our keys do not open is long due."""
        row = await tokens.load(self._pool, self._account.account_id)
        if row is None:
            return None
        try:
            access = self._open(row.key_id, row.access_token, "access_token")
            refresh = self._open(row.key_id, row.refresh_token, "refresh_token")
        except SealBroken as error:
            _log.warning(
                "a kept login cannot be used", account=self._account.name, error=str(error)
            )
            access, refresh = "", None
        ends = row.expires_at if access else row.saved_at  # nothing to use: due at once
        token = Token(access or "", ends, refresh, row.refresh_expires_at)
        return Held(token, row.saved_at, row.generation)

    async def save(self, fence: int, held: Held) -> None:
        token = held.token
        access = self._ring.seal(token.access_token, self._context("access_token"))
        refresh = None
        if token.refresh_token is not None:
            refresh = self._ring.seal(token.refresh_token, self._context("refresh_token")).data
        row = tokens.SealedToken(
            generation=held.generation,
            key_id=access.key_id,
            access_token=access.data,
            expires_at=token.expires_at,
            refresh_token=refresh,
            refresh_expires_at=token.refresh_expires_at,
            saved_at=held.since,
        )
        try:
            await tokens.save(self._pool, self._account.account_id, fence, row)
        except Fenced as error:
            # The account's fence: it says nothing of the tenant, which we may well hold.
            raise elsewhere(self._account) from error

    def _open(self, key_id: str, data: bytes | None, field: str) -> str | None:
        return None if data is None else self._ring.open(Sealed(key_id, data), self._context(field))

    def _context(self, field: str) -> Context:
        account = self._account
        return Context(account.deployment, account.tenant, account.credentials.user or "", field)


def elsewhere(account: Account) -> TokenError:
    return TokenError(f"{account.name} is being renewed by another instance", "held")
