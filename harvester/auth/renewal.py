"""One renewal, from the account's lease to the token that is handed out.

Lease, intent committed, call with no transaction open, answer durable in a file, committed as a new
generation, handed out. A crash between any two of these burns no token: the file is adopted, or
the intent tells that an answer was lost.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from harvester.auth.calls import Calls
from harvester.auth.held import Account, Held
from harvester.auth.life import (
    MOST_TRIES,
    RENEWAL,
    TRY_AGAIN,
    Means,
    is_lost,
    must_wait,
    passed,
    ways,
)
from harvester.auth.record import Record
from harvester.auth.sealed import Kept
from harvester.auth.shared import Shared
from harvester.auth.telling import Telling, told
from harvester.clock import Clock
from harvester.errors import (
    ClientRefused,
    CredentialRefused,
    PlatformError,
    RenewalRefused,
    TokenError,
    Unreachable,
)
from harvester.model import Credentials, Token
from harvester.platforms.base import Access

BUDGET = "password_budget"
ENDED = "access_token_ended"
CONFIGURED = "configured"


@dataclass(slots=True)
class Renewals:
    """The renewals of one account, one at a time."""

    account: Account
    adapter: Access
    calls: Calls
    record: Record
    shared: Shared
    clock: Clock
    telling: Telling
    has_login: bool = False
    """Whether there is anything to log in with, as last seen."""
    has_password: bool = False
    """Whether a login of ours gives a new session: one with a configured token does not."""
    login_failed_at: datetime | None = None
    """A login that is made for what it brings beside a token is not tried on and on."""

    async def obtain(self, used: Token | None, *, asked: bool) -> Held:
        """A newer token than `used`: one that is there, or one that is asked for now.

        Raises PlatformError, StoreUnavailable.
        """
        self.record.is_asked = asked
        kept = await self._load()
        if await self.record.spilled() is None:
            if held := self._serves(kept, used):
                self.shared.mended(self.account.account_id)
                return self.record.hand_out(held)
            if kept.life.is_stopped:
                self._ways(kept, asked)
        async with self.shared.turn(self.account.account_id), self.record.vault.alone() as fence:
            kept = await self.record.settled(fence)
            held = self._serves(kept, used) or await self._ask(fence, kept, used, asked)
            return self.record.hand_out(held)

    async def settle(self) -> None:
        """Bring to the database what waits for it. Raises TokenError, StoreUnavailable."""
        async with self.record.vault.alone() as fence:
            await self.record.settled(fence)

    def wants_login(self, held: Held) -> bool:
        """Whether a login should come before the next renewal, and could."""
        now = self.clock.now()
        if self.adapter.grant(self.account.credentials) == CONFIGURED:
            return False  # a token of the configuration brings nothing newer
        rested = self.record.life.refused is None and passed(self.login_failed_at, TRY_AGAIN, now)
        return self.has_login and rested and held.wants_login(now, self.adapter.login_lasts)

    async def _load(self) -> Kept:
        kept = await self.record.load()
        credentials, keeps_password = self.account.credentials, kept.password is not None
        self.has_login = not credentials.is_empty or keeps_password
        configured = credentials.user is None or credentials.password is not None
        self.has_password = configured or keeps_password
        return kept

    def _serves(self, kept: Kept, used: Token | None) -> Held | None:
        """The kept token, from before a restart or renewed by another instance."""
        held = kept.held
        if held is None or held.due(self.clock.now()):
            return None
        same = used is not None and held.token.access_token == used.access_token
        return None if same else held

    async def _ask(self, fence: int, kept: Kept, used: Token | None, asked: bool) -> Held:
        try:
            grants = self._ways(kept, asked)
        except TokenError as error:
            if self.record.life != kept.life:
                self.telling.count(self.adapter.grant(self.account.credentials), error)
                await self.record.stand(fence, self.record.life)
            raise
        *firsts, last = grants
        for grant in firsts:
            try:
                return await self._try(fence, kept, grant, used)
            except PlatformError as error:
                if not self._leads_on(grant, error):
                    raise
                kept = replace(kept, life=self.record.life)
        try:
            return await self._try(fence, kept, last, used)
        except (CredentialRefused, RenewalRefused):
            await self._stop(fence, kept, grants)
            raise

    def _ways(self, kept: Kept, asked: bool) -> list[str]:
        """Raises TokenError where nothing may be tried; the record then tells where that leads."""
        means, now = self._means(kept), self.clock.now()
        if found := ways(kept.life, means, now, asked=asked):
            return found
        if must_wait(kept.life, means):
            raise TokenError(f"{MOST_TRIES} logins were broken off; waiting", BUDGET)
        life = self.record.life = kept.life.stopped(means, now)
        raise CredentialRefused(told(self.account, life), life.reason)

    def _means(self, kept: Kept) -> Means:
        account, held = self.account, kept.held
        return Means(
            has_refresh=held is not None and held.token.refresh_token is not None,
            has_login=self.has_login,
            reusable=self.adapter.reuses_refresh_tokens,
            digest=account.digest,
            login_grant=self.adapter.grant(account.credentials),
            login_first=held is not None and self.wants_login(held),
            has_ended=held is not None and held.has_ended(self.clock.now()),
        )

    async def _try(self, fence: int, kept: Kept, grant: str, used: Token | None) -> Held:
        """Intent, call, and what came of it, each committed before the next."""
        means, before = self._means(kept), kept.life
        if grant == RENEWAL and before.doubt:
            await self._check_answers()
        intent = before.asking(grant, means, self.clock.now())
        await self.record.intend(fence, intent, before)
        now = self.clock.now()
        try:
            held = await self.telling.counted(grant, self._call(grant, kept, now))
            self._check_new(grant, held, used)
        except PlatformError as error:
            if grant != RENEWAL:
                self.login_failed_at = now
            self._tell_client(error)
            came = intent.failed(before, error, means, self.clock.now())
            await self.record.note(fence, came, self.telling.failed(grant, error))
            raise
        self.shared.serves()
        await self.record.keep(fence, held, intent.obtained(now), grant)
        return held

    def _tell_client(self, error: PlatformError) -> None:
        if isinstance(error, ClientRefused):
            self.shared.refused(self.account.account_id, error)
        else:
            self.shared.serves()

    async def _check_answers(self) -> None:
        """A token whose last answer was lost is sent once more, and not into the void."""
        url = self.adapter.token_url(self.account.credentials)
        if not await self.calls.answers(url):
            raise Unreachable("the platform does not answer; the renewal is tried again after it")

    async def _call(self, grant: str, kept: Kept, now: datetime) -> Held:
        held = kept.held
        if grant == RENEWAL and held is not None:  # as `ways` saw to
            return held.renewed(await self.adapter.renew(self.calls, held.token, now), now)
        credentials = await self._credentials(kept)
        token = await self.adapter.login(self.calls, credentials, now)
        return Held(token, now, kept.generation + 1, logged_in_at=now)

    async def _credentials(self, kept: Kept) -> Credentials:
        credentials = self.account.credentials
        if not credentials.is_empty:
            return credentials
        return replace(credentials, password=await self.record.vault.password(kept))

    def _check_new(self, grant: str, held: Held, used: Token | None) -> None:
        """A token out of the configuration is had again and again, also when it serves no more."""
        same = used is not None and held.token.access_token == used.access_token
        if grant == CONFIGURED and (same or not held.lives(self.clock.now())):
            raise CredentialRefused("the access token that is configured serves no more", ENDED)

    def _leads_on(self, grant: str, error: PlatformError) -> bool:
        """Whether the next way may still lead somewhere, and right now."""
        if isinstance(error, ClientRefused):
            return False
        if grant != RENEWAL or isinstance(error, RenewalRefused):
            return True
        return is_lost(error) and self.record.life.doubt > 1

    async def _stop(self, fence: int, kept: Kept, tried: list[str]) -> None:
        """The last way was refused: that is where the account stays until something changes."""
        means, now = self._means(kept), self.clock.now()
        if must_wait(self.record.life, means):
            return  # the way that is left rests
        left = ways(self.record.life, means, now)
        # A renewal that maybe a proxy refused is not tried on and on once a login is refused too.
        if left and not (len(tried) > 1 and set(left) <= set(tried)):
            return  # of another one it is not known yet
        life = self.record.life.stopped(means, now)
        if life != self.record.life:
            await self.record.stand(fence, life)
