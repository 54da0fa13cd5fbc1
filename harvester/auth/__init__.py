"""The token life cycle of one account: had once, shared by all who ask, renewed before it ends.

A renewal is single flight: in this process by a lock, across processes by the account's lease. The
answer is in the vault before anybody uses its access token.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Awaitable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

import structlog

from harvester import metrics
from harvester.auth.calls import in_time, to_its_end
from harvester.auth.held import Account, Held, Trouble, renewable
from harvester.auth.sealed import Vault, elsewhere
from harvester.auth.standing import Standing
from harvester.clock import Clock
from harvester.errors import (
    CredentialRefused,
    PlatformError,
    RenewalRefused,
    TokenError,
    Unauthorized,
)
from harvester.logs import Failures
from harvester.model import BEGINNING, Token
from harvester.platforms.base import Exchange, Params, Platform
from harvester.vault import KeyRing

if TYPE_CHECKING:
    from harvester.store.pool import Pool

__all__ = ["REASONS", "Account", "AccountApi", "Keeper"]

NO_PASSWORD = "no_password"  # noqa: S105
REFUSED_ANEW = "unauthorized_after_refresh"
REASONS = (NO_PASSWORD, REFUSED_ANEW)
"""Why there is no token, beside what the platforms' errors say."""
LOOK_EVERY = timedelta(seconds=30)
"""How often the vault is looked at, by who asks, for a login that mends a refused credential."""

_log = structlog.stdlib.get_logger(__name__)


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
        self._generation = 0
        """What the vault held when a token was last asked for."""
        self._look_at = BEGINNING
        self._standing = Standing(account)
        self._failures = Failures(_log)

    def leave(self) -> None:
        """Give up the account's place in `harvester_accounts`: call it before `metrics.forget`."""
        self._standing.become(None)

    async def token(self) -> Token:
        """A token that will last for a request, or as long as it can be had.

        Raises CredentialRefused (definite, until somebody logs in or a restart), TokenError or
        another PlatformError (for now; asked again only after a pause), StoreUnavailable.
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
        error = TokenError("a token that was just renewed is refused", REFUSED_ANEW)
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
                await self._look(self._trouble, now)
            if self._trouble:
                self._trouble.check(now)
            return await to_its_end(self._renew(used, now))

    async def _look(self, trouble: Trouble, now: datetime) -> None:
        """End a definite trouble where somebody logged in since (`harvester login`)."""
        if not trouble.is_definite or now < self._look_at:
            return
        self._look_at = now + LOOK_EVERY
        held = await self._vault.load()
        if held and held.is_usable and held.generation > self._generation:
            self._trouble = None
            for grant in metrics.GRANTS:
                self._failures.well(f"{self._account.name} {grant}")

    async def _renew(self, used: Token | None, now: datetime) -> Token:
        try:
            self._held = await self._obtain(used, now)
        except PlatformError as error:
            self._trouble = Trouble.after(self._trouble, error, now)
            self._standing.become("quarantined" if self._trouble.is_definite else "failing")
            raise
        self._standing.become("active")
        return self._held.token

    async def _obtain(self, used: Token | None, now: datetime) -> Held:
        async with self._vault.lease() as fence:
            held = await self._vault.load()
            self._generation = held.generation if held else 0
            if held and not held.due(now) and not _same(held.token, used):
                return held  # from before a restart, or renewed by another instance
            if fence is None:
                raise elsewhere()
            token = await self._ask(held.token if held else None, now)
            held = Held(token, now, self._generation + 1)
            await self._vault.save(fence, held)
            return held

    async def _ask(self, last: Token | None, now: datetime) -> Token:
        if last and renewable(last, now):
            renewal = self._adapter.renew(self._exchange, last, now)
            try:
                return await self._counted("refresh_token", renewal)
            except RenewalRefused:
                _log.info("logging in again", account=self._account.name)
        return await self._counted(self._login_grant, self._login(now))

    async def _login(self, now: datetime) -> Token:
        credentials = self._account.credentials
        if credentials.user and credentials.password is None:
            credentials = replace(credentials, password=await self._vault.password())
        if credentials.user and credentials.password is None:
            command = shlex.join(["harvester", "login", self._account.tenant, credentials.user])
            raise CredentialRefused(
                f"{self._account.name} has no usable token, and no password to log in with: "
                f"run {command}, or give the account a password in the configuration",
                reason=NO_PASSWORD,
            )
        return await self._adapter.login(self._exchange, credentials, now)

    @property
    def _login_grant(self) -> str:
        return "password" if self._account.credentials.user else "client_credentials"

    async def _counted(self, grant: str, asked: Awaitable[Token]) -> Token:
        account = self._account
        metrics.TOKEN_REQUESTS.labels(account.tenant, account.platform, grant).inc()
        try:
            token = await in_time(asked)
        except PlatformError as error:
            self._count(grant, error)
            self._failures.failing(f"{account.name} {grant}", error.reason, error=str(error))
            raise
        self._failures.well(f"{account.name} {grant}")
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


def _same(one: Token, other: Token | None) -> bool:
    return other is not None and one.access_token == other.access_token
