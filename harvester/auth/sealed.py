"""An account's row in the vault, sealed and opened, and the lease under which it is written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import astuple, dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from harvester.auth.held import Account, Held
from harvester.auth.life import Life
from harvester.errors import Fenced, SealBroken, StoreUnavailable, TokenError
from harvester.model import BEGINNING, Token
from harvester.store import credentials, leases
from harvester.store.credentials import Event, SealedLife, SealedPassword, SealedToken
from harvester.vault import Context, Sealed

if TYPE_CHECKING:
    from harvester.store.pool import Pool

RENEWAL_LASTS = timedelta(minutes=6)
"""Longer than a renewal and a login: another instance may take the account's lease after it."""
PATIENCE = 30.0
"""Seconds that a renewal of another instance is waited for."""
AGAIN = 0.1
SEAL_BROKEN = "seal_broken"


class Keys(Protocol):
    """What seals and opens, as `vault.Keys` does."""

    def seal(self, plaintext: str, context: Context) -> Sealed: ...

    async def open(self, sealed: Sealed, context: Context) -> str:
        """Raises SealBroken."""
        ...


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of an account, opened. Without `held` there is no token, or no more."""

    life: Life = field(default_factory=Life)
    generation: int = 0
    held: Held | None = None
    password: SealedPassword | None = None


class Vault:
    """The row of one account. What cannot be opened is an error, and stays as it is."""

    def __init__(self, account: Account, pool: Pool, keys: Keys) -> None:
        self._account = account
        self._pool = pool
        self._keys = keys

    @asynccontextmanager
    async def alone(self, waits: Callable[[], None] = lambda: None) -> AsyncIterator[int]:
        """The fence under which we alone may renew, waited for; `waits` is called once if so.

        Raises TokenError where another instance keeps it for too long, StoreUnavailable.
        """
        fence = await self._take()
        if fence is None:
            waits()
            fence = await self._awaited()
        try:
            yield fence
        finally:
            with suppress(StoreUnavailable):  # then it ends by itself
                await leases.release_account(self._pool, self._account.account_id, fence)

    async def _awaited(self) -> int:
        # On the loop's time: the lease is on the database's clock, which no test moves.
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while True:
                    await asyncio.sleep(AGAIN)
                    if (fence := await self._take()) is not None:
                        return fence
        raise elsewhere()

    async def _take(self) -> int | None:
        account = self._account
        return await leases.take_account(
            self._pool, account.account_id, account.owner, RENEWAL_LASTS
        )

    async def load(self) -> Kept:
        """What is kept. Raises TokenError where our keys do not open it, StoreUnavailable."""
        row = await credentials.load(self._pool, self._account.account_id)
        if row is None:
            return Kept()
        with self._told():
            life = await self._life(row.life)
            held = await self._held(row.token)
        return Kept(life, row.token.generation, held, row.password)

    async def load_over(self) -> Kept:
        """As `load`, for a person who is about to replace all of it: also what does not open."""
        row = await credentials.load(self._pool, self._account.account_id)
        try:
            return await self.load()
        except TokenError:
            return Kept(generation=row.token.generation if row else 0)

    async def password(self, kept: Kept) -> str | None:
        """The kept password, where there is one. Raises TokenError as `load` does."""
        if kept.password is None:
            return None
        sealed = Sealed(kept.password.key_id, kept.password.password)
        with self._told():
            return await self._keys.open(sealed, self._context("password"))

    async def stand(self, fence: int, life: Life, event: Event | None = None) -> None:
        """Raises TokenError where another instance has the account, StoreUnavailable."""
        with self._told():
            await credentials.stand(
                self._pool, self._account.account_id, fence, self._sealed_life(life), event
            )

    async def note(self, event: Event) -> None:
        """For the audit trail, where nothing else changes. Raises StoreUnavailable."""
        await credentials.note(self._pool, self._account.account_id, event)

    async def save(self, fence: int, life: Life, held: Held, event: Event) -> None:
        """Raises TokenError where another instance was faster, StoreUnavailable."""
        account_id, token = self._account.account_id, self._sealed(held)
        with self._told():
            await credentials.save(
                self._pool, account_id, fence, self._sealed_life(life), token, event
            )

    async def save_login(
        self, fence: int, life: Life, held: Held, password: str | None, event: Event
    ) -> None:
        """A person's login; from then on the account's kept password is this one, or none."""
        kept = None
        if password is not None:
            sealed = self._keys.seal(password, self._context("password"))
            kept = SealedPassword(sealed.key_id, sealed.data)
        account_id, sealed_life = self._account.account_id, self._sealed_life(life)
        with self._told():
            await credentials.save_login(
                self._pool, account_id, fence, sealed_life, self._sealed(held), kept, event
            )

    async def forget(self, fence: int, life: Life, event: Event) -> bool:
        """Erase token and kept password, also what cannot be opened; whether there was any."""
        account_id = self._account.account_id
        with self._told():
            return await credentials.forget(
                self._pool, account_id, fence, self._sealed_life(life), event
            )

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except Fenced as error:
            # The account's fence: it says nothing of the tenant, which we may well hold.
            raise elsewhere() from error
        except SealBroken as error:
            raise TokenError(str(error), SEAL_BROKEN) from error

    def _sealed_life(self, life: Life) -> SealedLife:
        *open_columns, judged = astuple(life)
        if judged is None:
            return SealedLife(*[*open_columns, None, None])
        sealed = self._keys.seal(judged, self._context("judged"))
        return SealedLife(*[*open_columns, sealed.key_id, sealed.data])

    async def _life(self, row: SealedLife) -> Life:
        *open_columns, key_id, judged = astuple(row)
        return Life(*[*open_columns, await self._open(key_id, judged, "judged")])

    def _sealed(self, held: Held) -> SealedToken:
        token = held.token
        access = self._keys.seal(token.access_token, self._context("access_token"))
        refresh = None
        if token.refresh_token is not None:
            refresh = self._keys.seal(token.refresh_token, self._context("refresh_token")).data
        return SealedToken(
            generation=held.generation,
            key_id=access.key_id,
            access_token=access.data,
            expires_at=token.expires_at,
            refresh_token=refresh,
            refresh_expires_at=token.refresh_expires_at,
            obtained_at=held.since,
            logged_in_at=held.logged_in_at,
            ends_at=held.ends_at,
        )

    async def _held(self, row: SealedToken) -> Held | None:
        access = await self._open(row.key_id, row.access_token, "access_token")
        if access is None:
            return None
        refresh = await self._open(row.key_id, row.refresh_token, "refresh_token")
        token = Token(access, row.expires_at, refresh, row.refresh_expires_at)
        since = row.obtained_at or BEGINNING
        return Held(token, since, row.generation, row.logged_in_at, row.ends_at)

    async def _open(self, key_id: str | None, data: bytes | None, field: str) -> str | None:
        if key_id is None or data is None:
            return None
        return await self._keys.open(Sealed(key_id, data), self._context(field))

    def _context(self, field: str) -> Context:
        return context(self._account, field)


def context(account: Account, field: str) -> Context:
    """The owner of a sealed field of an account."""
    return Context(account.deployment, account.tenant, account.credentials.user or "", field)


def elsewhere() -> TokenError:
    """Another instance has the account in hand."""
    return TokenError("the account's token is being renewed by another instance", "held")
