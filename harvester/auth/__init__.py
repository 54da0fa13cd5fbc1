"""The token life cycle of one account: had once, shared by all who ask, renewed before it ends.

A renewal is single flight: in this process by a lock, across processes by the account's lease. The
answer is in the vault before anybody uses its access token.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

import structlog

from harvester import metrics
from harvester.auth.held import Account, Held, Trouble
from harvester.auth.sealed import Vault, elsewhere
from harvester.clock import Clock
from harvester.errors import (
    CredentialRefused,
    PlatformError,
    RenewalRefused,
    TokenError,
    Unauthorized,
    Unreachable,
)
from harvester.logs import Failures
from harvester.model import Token
from harvester.platforms.base import Exchange, Params, Platform
from harvester.vault import KeyRing

if TYPE_CHECKING:
    from harvester.store.pool import Pool

__all__ = ["Account", "AccountApi", "Keeper"]

LONGEST_CALL = 150.0
"""Seconds of a login or a renewal, with its wait for a slot."""

_log = structlog.stdlib.get_logger(__name__)
_failures = Failures(_log)


class Keeper:
    """The one who asks for an account's tokens."""

    def __init__(
        self,
        account: Account,
        adapter: Platform,
        exchange: Exchange,
        pool: Pool,
        ring: KeyRing,
        clock: Clock,
    ) -> None:
        self._account = account
        self._adapter = adapter
        self._exchange = exchange
        self._vault = Vault(account, pool, ring)
        self._clock = clock
        self._lock = asyncio.Lock()
        self._held: Held | None = None
        self._trouble: Trouble | None = None
        self._doubt: Trouble | None = None
        """Of renewing a token because it was refused."""

    async def token(self) -> Token:
        """A token that will last for a request, or as long as it can be had.

        Raises CredentialRefused (definite, until restart), TokenError or another PlatformError
        (for now; asked again only after a pause), StoreUnavailable.
        """
        held = self._held
        if held and not held.due(self._clock.now()):
            return held.token
        try:
            return await self._next(held.token if held else None)
        except PlatformError:
            # The margin is for this: a pause within it costs no reading.
            if held and held.lives(self._clock.now()):
                return held.token
            raise

    async def replace(self, refused: Token) -> Token:
        """A newer token than this one, which the platform refused. Raises as `token` does."""
        if self._doubt and self._held and self._held.token is refused:
            self._doubt.check(self._clock.now())
        return await self._next(refused)

    def doubt(self, renewed: Token) -> TokenError:
        """What to raise where a token just renewed is refused too: the fault is not the token's.

        For a pause no refusal leads to a renewal; who is not refused goes on with this token.
        """
        error = TokenError("a token that was just renewed is refused", "unauthorized_after_refresh")
        now = self._clock.now()
        if self._doubt is None or now >= self._doubt.until:
            self._doubt = Trouble.after(self._doubt, error, now)
            self._count("refresh_token" if renewed.refresh_token else self._login_grant, error)
        return error

    async def _next(self, used: Token | None) -> Token:
        async with self._lock:
            now = self._clock.now()
            if self._held and self._held.token is not used and not self._held.due(now):
                return self._held.token  # renewed while we waited
            if self._trouble:
                self._trouble.check(now)
            return await _to_its_end(self._renew(used, now))

    async def _renew(self, used: Token | None, now: datetime) -> Token:
        try:
            self._held = await self._obtain(used, now)
        except PlatformError as error:
            self._trouble = Trouble.after(self._trouble, error, now)
            raise
        return self._held.token

    async def _obtain(self, used: Token | None, now: datetime) -> Held:
        async with self._vault.lease() as fence:
            held = await self._vault.load()
            if held and not held.due(now) and not _same(held.token, used):
                return held  # from before a restart, or renewed by another instance
            if fence is None:
                raise elsewhere(self._account)
            token = await self._ask(held.token if held else None, now)
            held = Held(token, now, held.generation + 1 if held else 1)
            await self._vault.save(fence, held)
            return held

    async def _ask(self, last: Token | None, now: datetime) -> Token:
        if last and _renewable(last, now):
            renewal = self._adapter.renew(self._exchange, last, now)
            try:
                return await self._counted("refresh_token", renewal)
            except RenewalRefused:
                _log.info("logging in again", account=self._account.name)
        return await self._counted(self._login_grant, self._login(now))

    async def _login(self, now: datetime) -> Token:
        credentials = self._account.credentials
        if credentials.user and credentials.password is None:
            raise CredentialRefused(
                f"{self._account.name} has no usable token, and no password to log in with: "
                "give the account a password in the configuration",
                reason="no_password",
            )
        return await self._adapter.login(self._exchange, credentials, now)

    @property
    def _login_grant(self) -> str:
        return "password" if self._account.credentials.user else "client_credentials"

    async def _counted(self, grant: str, asked: Awaitable[Token]) -> Token:
        account = self._account
        metrics.TOKEN_REQUESTS.labels(account.tenant, account.platform, grant).inc()
        try:
            token = await _in_time(asked)
        except PlatformError as error:
            self._count(grant, error)
            _failures.failing(f"{account.name} {grant}", error.reason, error=str(error))
            raise
        _failures.well(f"{account.name} {grant}")
        return token

    def _count(self, grant: str, error: PlatformError) -> None:
        labels = (self._account.tenant, self._account.platform, grant, error.reason)
        metrics.TOKEN_FAILURES.labels(*labels).inc()


class AccountApi:
    """Reads on behalf of an account: `platforms.base.Api`. A refused token is renewed once."""

    def __init__(self, keeper: Keeper, reads: Reads) -> None:
        self._keeper = keeper
        self._reads = reads

    async def get(self, path: str, params: Params | None = None) -> object:
        """The decoded answer. Raises TokenError where a token just renewed is refused too."""
        token = await self._keeper.token()
        try:
            return await self._reads.get(path, params, token.access_token)
        except Unauthorized:
            token = await self._keeper.replace(token)
        try:
            return await self._reads.get(path, params, token.access_token)
        except Unauthorized as error:
            raise self._keeper.doubt(token) from error


class Reads(Protocol):
    """One GET with a bearer token, as `client` offers it."""

    async def get(self, url_or_path: str, params: Params | None, bearer: str) -> object: ...


async def _to_its_end(asked: Coroutine[None, None, Token]) -> Token:
    """Whoever asks may be cancelled, and the call goes on: if it broke off, nobody could tell
    whether the refresh token was used up, or would learn that the password is wrong."""
    call = asyncio.create_task(asked)
    try:
        return await asyncio.shield(call)
    except asyncio.CancelledError:
        with suppress(Exception):
            await call
        raise


async def _in_time(asked: Awaitable[Token]) -> Token:
    try:
        async with asyncio.timeout(LONGEST_CALL):
            return await asked
    except TimeoutError:
        # Longer, and another instance could begin a renewal of its own.
        raise Unreachable(f"no answer within {LONGEST_CALL:.0f} s") from None


def _same(one: Token, other: Token | None) -> bool:
    return other is not None and one.access_token == other.access_token


def _renewable(token: Token, now: datetime) -> bool:
    if token.refresh_token is None:
        return False
    return token.refresh_expires_at is None or now < token.refresh_expires_at
