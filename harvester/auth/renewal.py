"""One renewal, from the account's lease to the token that is handed out.

Lease, intent committed, call with no transaction open, answer durable in a file, committed as a new
generation, handed out. A crash between any two of these burns no token: the file is adopted, or
the intent tells that an answer was lost.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog

from harvester.auth.calls import Calls
from harvester.auth.held import Account, Held
from harvester.auth.life import (
    MOST_TRIES,
    RENEWAL,
    RENEWING,
    TRY_AGAIN,
    Life,
    Means,
    is_lost,
    must_wait,
    passed,
    ways,
)
from harvester.auth.sealed import Kept, Vault
from harvester.auth.shared import Shared
from harvester.auth.spill import Spill
from harvester.auth.telling import Telling, told
from harvester.clock import Clock
from harvester.errors import (
    ClientRefused,
    CredentialRefused,
    PlatformError,
    RenewalRefused,
    StoreUnavailable,
    TokenError,
    Unreachable,
)
from harvester.model import Credentials, Token
from harvester.platforms.base import Access
from harvester.store.credentials import Event

BUDGET = "password_budget"
ENDED = "access_token_ended"
INTERRUPTED = "interrupted"
ADOPTED = "adopted"
CONFIGURED = "configured"

_log = structlog.stdlib.get_logger(__name__)


@dataclass(slots=True)
class Renewals:
    """The renewals of one account, one at a time. `life` is where it stands, as last seen."""

    account: Account
    adapter: Access
    calls: Calls
    vault: Vault
    spill: Spill
    shared: Shared
    clock: Clock
    telling: Telling
    life: Life = field(default_factory=Life)
    unsaved: Held | None = None
    """A token that is in no file, and maybe not in the database."""
    waits: bool = False
    """Whether a token waits in the file for the database."""
    unnoted: tuple[Life, Event] | None = None
    """What came of the last call, where the database was away by then."""
    has_login: bool = False
    has_password: bool = False
    """Whether a login of ours gives a new session: one with a configured token does not."""
    login_failed_at: datetime | None = None
    """A login that is made for what it brings beside a token is not tried on and on."""

    async def obtain(self, used: Token | None, *, asked: bool) -> Held:
        """A newer token than `used`: one that is there, or one that is asked for now.

        Raises PlatformError, StoreUnavailable.
        """
        if await self._spilled() is None:
            kept = await self._load()
            if held := self._serves(kept, used):
                return held
            if kept.life.is_stopped:
                self._ways(kept, asked)
        async with self.shared.turn(self.account.account_id), self.vault.alone() as fence:
            kept = await self._settled(fence)
            return self._serves(kept, used) or await self._ask(fence, kept, used, asked)

    @property
    def is_unsettled(self) -> bool:
        """Whether a token waits for the database."""
        return self.unsaved is not None or self.waits

    async def settle(self) -> None:
        """Bring to the database what waits for it. Raises TokenError, StoreUnavailable."""
        async with self.vault.alone() as fence:
            await self._settled(fence)

    def wants_login(self, held: Held) -> bool:
        """Whether a login should come before the next renewal, and could."""
        now = self.clock.now()
        rested = self.life.refused is None and passed(self.login_failed_at, TRY_AGAIN, now)
        return self.has_login and rested and held.wants_login(now, self.adapter.login_lasts)

    async def _load(self) -> Kept:
        kept = await self.vault.load()
        self.life = kept.life.known_with(self.account.digest)
        credentials, keeps_password = self.account.credentials, kept.password is not None
        self.has_login = not credentials.is_empty or keeps_password
        configured = credentials.user is None or credentials.password is not None
        self.has_password = configured or keeps_password
        return replace(kept, life=self.life)

    def _serves(self, kept: Kept, used: Token | None) -> Held | None:
        """The kept token, from before a restart or renewed by another instance."""
        held = kept.held
        if held is None or held.due(self.clock.now()):
            return None
        same = used is not None and held.token.access_token == used.access_token
        return None if same else held

    async def _settled(self, fence: int) -> Kept:
        """What is kept, once what a crash or an outage left behind is adopted or noted."""
        kept, spilled = await self._load(), await self._spilled()
        if spilled is not None and spilled.generation > kept.generation:
            life = kept.life.obtained(self.clock.now())
            await self._commit(fence, spilled, life, ADOPTED)
            _log.info("token adopted from a file", account=self.account.name)
            kept = await self._load()
        if spilled is not None:
            await self._done()
        if kept.life.state == RENEWING:
            self.life, event = self.unnoted or self._interrupted(kept.life)
            await self.vault.stand(fence, self.life, event)
            kept = replace(kept, life=self.life)
        self.unnoted = None
        return kept

    def _interrupted(self, life: Life) -> tuple[Life, Event]:
        event = self.telling.event(life.asked_grant or RENEWAL, "answer_lost", INTERRUPTED)
        return life.interrupted(self.clock.now()), event

    async def _ask(self, fence: int, kept: Kept, used: Token | None, asked: bool) -> Held:
        try:
            grants = self._ways(kept, asked)
        except TokenError as error:
            if self.life != kept.life:
                self.telling.count(self.adapter.grant(self.account.credentials), error)
                await self.vault.stand(fence, self.life)
            raise
        *firsts, last = grants
        for grant in firsts:
            try:
                return await self._try(fence, kept, grant, used)
            except PlatformError as error:
                if not self._leads_on(grant, error):
                    raise
                kept = replace(kept, life=self.life)
        try:
            return await self._try(fence, kept, last, used)
        except (CredentialRefused, RenewalRefused):
            await self._stop(fence, kept)
            raise

    def _ways(self, kept: Kept, asked: bool) -> list[str]:
        """Raises TokenError where nothing may be tried; `life` is then where that leaves it."""
        means, now = self._means(kept), self.clock.now()
        if found := ways(kept.life, means, now, asked=asked):
            return found
        if must_wait(kept.life, means):
            raise TokenError(f"{MOST_TRIES} logins were broken off; waiting", BUDGET)
        self.life = kept.life.stopped(means, now)
        raise CredentialRefused(told(self.account, self.life), self.life.reason)

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
        self.life = before.asking(grant, means, self.clock.now())
        await self.vault.stand(fence, self.life)
        now = self.clock.now()
        try:
            held = await self.telling.counted(grant, self._call(grant, kept, now))
            self._check_new(grant, held, used)
        except PlatformError as error:
            await self._failed(fence, before, means, grant, error)
            raise
        self.shared.serves()
        return await self._keep(fence, held, self.life.obtained(now), grant)

    async def _failed(
        self, fence: int, before: Life, means: Means, grant: str, error: PlatformError
    ) -> None:
        now = self.clock.now()
        self.life = self.life.failed(before, error, means, now)
        self.unnoted = self.life, self.telling.failed(grant, error)
        if grant != RENEWAL:
            self.login_failed_at = now
        if isinstance(error, ClientRefused):
            self.shared.refused(self.account.account_id, error)
        else:
            self.shared.serves()
        await self.vault.stand(fence, *self.unnoted)
        self.unnoted = None

    async def _check_answers(self) -> None:
        """A token whose last answer was lost is sent once more, and not into the void."""
        url = self.adapter.token_url(self.account.credentials)
        if not await self.calls.answers(url):
            raise Unreachable("the platform does not answer; the renewal is tried again after it")

    async def _call(self, grant: str, kept: Kept, now: datetime) -> Held:
        held = kept.held
        if grant == RENEWAL and held is not None:
            return held.renewed(await self.adapter.renew(self.calls, held.token, now), now)
        credentials = await self._credentials(kept)
        token = await self.adapter.login(self.calls, credentials, now)
        return Held(token, now, kept.generation + 1, logged_in_at=now)

    async def _credentials(self, kept: Kept) -> Credentials:
        credentials = self.account.credentials
        if not credentials.is_empty:
            return credentials
        return replace(credentials, password=await self.vault.password(kept))

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
        return is_lost(error) and self.life.doubt > 1

    async def _keep(self, fence: int, held: Held, life: Life, grant: str) -> Held:
        """Durable before it is used: in a file, then in the database."""
        self.unsaved = held
        is_safe = await self.spill.write(held)
        try:
            await self._commit(fence, held, life, grant)
        except StoreUnavailable:
            if not is_safe:
                raise
            _log.warning("token kept in a file", account=self.account.name)
            self.unsaved, self.waits, self.life = None, True, life
            return held
        await self._done()
        return held

    async def _commit(self, fence: int, held: Held, life: Life, grant: str) -> None:
        await self.vault.save(fence, life, held, self.telling.event(grant, "ok"))
        self.life = life

    async def _stop(self, fence: int, kept: Kept) -> None:
        """The last way was refused: that is where the account stays until something changes."""
        means, now = self._means(kept), self.clock.now()
        if ways(self.life, means, now):
            return  # of another one it is not known yet
        life = self.life.stopped(means, now)
        if life != self.life:
            self.life = life
            await self.vault.stand(fence, life)

    async def _spilled(self) -> Held | None:
        """A token that the database may not have yet."""
        return self.unsaved or await self.spill.read()

    async def _done(self) -> None:
        self.unsaved, self.waits = None, False
        await self.spill.erase()
