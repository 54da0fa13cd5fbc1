"""The token life cycle of one account: had once, shared by all who ask, renewed before it ends.

A renewal is single flight: in this process by a lock, across processes by the account's lease. The
answer is in the vault before anybody uses its access token.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

import structlog

from harvester import metrics
from harvester.clock import Clock
from harvester.errors import (
    CredentialRefused,
    PlatformError,
    RenewalRefused,
    TokenError,
    Unauthorized,
)
from harvester.logs import Failures
from harvester.model import FOREVER, Credentials, Token
from harvester.platforms.base import Exchange, Params, Platform
from harvester.store import leases, tokens
from harvester.vault import Context, KeyRing, SealBroken, Sealed

if TYPE_CHECKING:
    from harvester.store.pool import Pool

LARGEST_MARGIN = timedelta(minutes=5)
"""A token is renewed this long before its end, or in the last fifth of its life if that is less."""
RENEWAL_LASTS = timedelta(minutes=2)
"""Longer than any token call: another instance may take the account's lease after it."""
FIRST_BACKOFF = timedelta(seconds=5)
LONGEST_BACKOFF = timedelta(minutes=5)

_log = structlog.stdlib.get_logger(__name__)
_failures = Failures(_log)


@dataclass(frozen=True, slots=True)
class Account:
    """Whose token it is. `deployment` binds what is sealed; `owner` names this instance."""

    account_id: int
    tenant: str
    platform: str
    credentials: Credentials
    deployment: str
    owner: str

    @property
    def name(self) -> str:
        return f"{self.tenant}/{self.credentials.user or '(client)'}"


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
        self._vault = _Vault(account, pool, ring)
        self._clock = clock
        self._lock = asyncio.Lock()
        self._held: _Held | None = None
        self._trouble: _Trouble | None = None

    async def token(self) -> Token:
        """A token that will last for a request.

        Raises CredentialRefused (definite, until restart), TokenError or another PlatformError
        (for now; asked again only after a pause), StoreUnavailable.
        """
        if self._held and not self._held.due(self._clock.now()):
            return self._held.token
        return await self._next(self._held.token if self._held else None)

    async def replace(self, refused: Token) -> Token:
        """A newer token than this one, which the platform refused. Raises as `token` does."""
        return await self._next(refused)

    async def _next(self, used: Token | None) -> Token:
        async with self._lock:
            if self._held and self._held.token is not used:
                return self._held.token  # renewed while we waited
            now = self._clock.now()
            if self._trouble and now < self._trouble.until:
                raise self._trouble.error
            try:
                self._held = await self._obtain(used, now)
            except PlatformError as error:
                self._trouble = _Trouble.after(self._trouble, error, now)
                raise
            self._trouble = None
            return self._held.token

    async def _obtain(self, used: Token | None, now: datetime) -> _Held:
        fence = await self._vault.take()
        held = await self._vault.load()
        if held and not held.due(now) and not _same(held.token, used):
            return held  # from before a restart, or renewed by another instance
        token = await self._ask(held.token if held else None, now)
        held = _Held(token, now, held.generation + 1 if held else 1)
        await self._vault.save(fence, held)
        return held

    async def _ask(self, last: Token | None, now: datetime) -> Token:
        if last and _renewable(last, now):
            try:
                return await self._counted(
                    "refresh_token", self._adapter.renew(self._exchange, last, now)
                )
            except RenewalRefused:
                _log.info("logging in again", account=self._account.name)
        credentials = self._account.credentials
        if credentials.user and credentials.password is None:
            raise CredentialRefused(
                f"{self._account.name} has no usable token, and no password to log in with: "
                "give the account a password in the configuration",
                reason="no_password",
            )
        grant = "password" if credentials.user else "client_credentials"
        return await self._counted(grant, self._adapter.login(self._exchange, credentials, now))

    async def _counted(self, grant: str, asked: Awaitable[Token]) -> Token:
        labels = (self._account.tenant, self._account.platform, grant)
        metrics.TOKEN_REQUESTS.labels(*labels).inc()
        try:
            token = await asked
        except PlatformError as error:
            metrics.TOKEN_FAILURES.labels(*labels, error.reason).inc()
            _failures.failing(f"{self._account.name} {grant}", error.reason, error=str(error))
            raise
        _failures.well(f"{self._account.name} {grant}")
        return token


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
            raise TokenError(
                "a token that was just renewed is refused", reason="unauthorized_after_refresh"
            ) from error


class Reads(Protocol):
    """One GET with a bearer token, as `client` offers it."""

    async def get(self, url_or_path: str, params: Params | None, bearer: str) -> object: ...


@dataclass(frozen=True, slots=True)
class _Held:
    token: Token
    since: datetime
    generation: int

    def due(self, now: datetime) -> bool:
        """Whether it may end within a request. A token of unknown end is used until refused."""
        end = self.token.expires_at
        return end is not None and now >= end - min(LARGEST_MARGIN, (end - self.since) / 5)


@dataclass(frozen=True, slots=True)
class _Trouble:
    error: PlatformError
    pause: timedelta
    until: datetime

    @classmethod
    def after(cls, last: _Trouble | None, error: PlatformError, now: datetime) -> _Trouble:
        """A definite refusal is asked no more; anything else ever more rarely."""
        if isinstance(error, CredentialRefused):
            return cls(error, LONGEST_BACKOFF, FOREVER)
        pause = min(last.pause * 2, LONGEST_BACKOFF) if last else FIRST_BACKOFF
        return cls(error, pause, now + pause)


class _Vault:
    """The account's row in the vault, sealed and opened."""

    def __init__(self, account: Account, pool: Pool, ring: KeyRing) -> None:
        self._account = account
        self._pool = pool
        self._ring = ring

    async def take(self) -> int:
        account = self._account
        fence = await leases.take_account(
            self._pool, account.account_id, account.owner, RENEWAL_LASTS
        )
        if fence is None:
            raise TokenError(f"{account.name} is being renewed by another instance", "held")
        return fence

    async def load(self) -> _Held | None:
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
        return _Held(token, row.saved_at, row.generation)

    async def save(self, fence: int, held: _Held) -> None:
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
        await tokens.save(self._pool, self._account.account_id, fence, row)

    def _open(self, key_id: str, data: bytes | None, field: str) -> str | None:
        return None if data is None else self._ring.open(Sealed(key_id, data), self._context(field))

    def _context(self, field: str) -> Context:
        account = self._account
        return Context(account.deployment, account.tenant, account.credentials.user or "", field)


def _same(one: Token, other: Token | None) -> bool:
    return other is not None and one.access_token == other.access_token


def _renewable(token: Token, now: datetime) -> bool:
    if token.refresh_token is None:
        return False
    return token.refresh_expires_at is None or now < token.refresh_expires_at
