"""An account's rows in the vault, sealed and opened, and the lease under which they are written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from harvester.auth.held import Account, Held
from harvester.errors import Fenced, SealBroken, StoreUnavailable, TokenError
from harvester.logs import Failures
from harvester.model import BEGINNING, Token
from harvester.store import leases, tokens
from harvester.vault import Context, KeyRing, Sealed

if TYPE_CHECKING:
    from harvester.store.pool import Pool

RENEWAL_LASTS = timedelta(minutes=6)
"""Longer than a renewal and a login: another instance may take the account's lease after it."""


class Vault:
    """The token and the kept password of one account."""

    def __init__(self, account: Account, pool: Pool, ring: KeyRing) -> None:
        self._account = account
        self._pool = pool
        self._ring = ring
        self._failures = Failures(structlog.stdlib.get_logger(__name__))

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
        """The newest token, where there is one; of one that cannot be used only its generation."""
        row = await tokens.load(self._pool, self._account.account_id)
        if row is None:
            return None
        access = self._open(row.key_id, row.access_token, "access_token")
        if access is None:
            return Held(Token("", BEGINNING), row.saved_at, row.generation)
        refresh = self._open(row.key_id, row.refresh_token, "refresh_token")
        token = Token(access, row.expires_at, refresh, row.refresh_expires_at)
        return Held(token, row.saved_at, row.generation)

    async def password(self) -> str | None:
        """The kept password, where there is one that our keys open."""
        row = await tokens.load_password(self._pool, self._account.account_id)
        return self._open(row.key_id, row.password, "password") if row else None

    async def save(self, fence: int, held: Held) -> None:
        """Raises TokenError where another instance was faster, as `save_login` and `forget` do."""
        with self._told():
            await tokens.save(self._pool, self._account.account_id, fence, self._sealed(held))

    async def save_login(self, fence: int, held: Held, password: str | None) -> None:
        """Save a person's login; from then on the account's kept password is this one, or none."""
        kept = None
        if password is not None:
            sealed = self._seal(password, "password")
            kept = tokens.SealedPassword(sealed.key_id, sealed.data)
        row, account_id = self._sealed(held), self._account.account_id
        with self._told():
            await tokens.save_login(self._pool, account_id, fence, row, kept)

    async def forget(self, fence: int) -> bool:
        """Erase token and kept password; whether there was any."""
        with self._told():
            return await tokens.forget(self._pool, self._account.account_id, fence)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except Fenced as error:
            # The account's fence: it says nothing of the tenant, which we may well hold.
            raise elsewhere() from error

    def _sealed(self, held: Held) -> tokens.SealedToken:
        token = held.token
        access = self._seal(token.access_token, "access_token")
        refresh = None
        if token.refresh_token is not None:
            refresh = self._seal(token.refresh_token, "refresh_token").data
        return tokens.SealedToken(
            generation=held.generation,
            key_id=access.key_id,
            access_token=access.data,
            expires_at=token.expires_at,
            refresh_token=refresh,
            refresh_expires_at=token.refresh_expires_at,
            saved_at=held.since,
        )

    def _open(self, key_id: str, data: bytes | None, field: str) -> str | None:
        """What was sealed; None where nothing was, or where our keys do not open it."""
        if data is None:
            return None
        what = f"{self._account.name} kept {field}"
        try:
            text = opened(self._ring, self._account, key_id, data, field)
        except SealBroken as error:
            self._failures.failing(what, "seal_broken", error=str(error))
            return None
        self._failures.well(what)
        return text

    def _seal(self, text: str, field: str) -> Sealed:
        return self._ring.seal(text, _context(self._account, field))


def opened(ring: KeyRing, account: Account, key_id: str, data: bytes, field: str) -> str:
    """What lies sealed in a field of an account's rows. Raises SealBroken."""
    return ring.open(Sealed(key_id, data), _context(account, field))


def _context(account: Account, field: str) -> Context:
    return Context(account.deployment, account.tenant, account.credentials.user or "", field)


def elsewhere() -> TokenError:
    return TokenError("the account's token is being renewed by another instance", "held")
