"""Whatever happens in whatever order: no token is burnt, nobody is locked, and nobody is left out.

The real keeper on a real Postgres, before a model of a platform. A script says what happens; a call
or a commit of the renewal may be where the process ends, or where the database goes away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

import pytest
import structlog
from clocks import SetClock
from fix_platforms import NOW, ring
from hypothesis import HealthCheck, given, settings, strategies as st
from rotating import RIGHT, WRONG, Adapter, Outcome, Platform, Ways

from harvester.auth import Account, Keeper, Shared
from harvester.auth.held import LONGEST_BACKOFF
from harvester.auth.life import MOST_TRIES, PROBE_EVERY
from harvester.auth.sealed import Vault
from harvester.auth.spill import Spill
from harvester.errors import PlatformError, StoreUnavailable
from harvester.logs import Failures
from harvester.model import Credentials, Token
from harvester.simulator.clock import HandClock
from harvester.store import credentials
from harvester.vault import Keys

if TYPE_CHECKING:
    from harvester.store.pool import Pool

HOUR = timedelta(hours=1)
SETTLES = 3 * (PROBE_EVERY + HOUR) + HOUR
FAILURES = Failures(structlog.stdlib.get_logger(__name__))
Ill = Literal["crash", "away"]
Step = tuple[Any, ...]

_TENANT = """
insert into harvester_data.tenant (name, platform) values (gen_random_uuid()::text, 'model')
returning tenant_id
"""
_ACCOUNT = """
insert into harvester_data.account (tenant_id, user_name) values ($1, 'ana') returning account_id
"""

outcomes: st.SearchStrategy[Outcome] = st.sampled_from(
    ["fine", "fine", "down", "lost before", "lost after", "empty"]
)
ills: st.SearchStrategy[tuple[Ill, int] | None] = st.none() | st.tuples(
    st.sampled_from(["crash", "away"]), st.integers(1, 12)
)
asks = st.tuples(st.just("ask"), st.lists(outcomes, max_size=2), ills)
others = st.one_of(
    st.tuples(st.just("wait"), st.sampled_from([1, 2, 13, 30, 60])),
    st.tuples(st.just("set clock"), st.integers(-72, 72)),
    st.tuples(st.just("restart")),
    st.tuples(st.just("reload")),
    st.tuples(st.just("configure"), st.sampled_from([RIGHT, WRONG, None])),
    st.tuples(st.just("platform"), st.sampled_from(["other", RIGHT, "off", "on", "log out"])),
)
scripts = st.lists(asks | asks | others, min_size=2, max_size=14)


class Crash(BaseException):
    """The end of the process, as far as what runs in it can tell."""


@dataclass(slots=True)
class Fate:
    """What befalls the n-th point that a renewal passes, and then the database stays away."""

    ill: Ill | None = None
    at: int = 0
    passed: int = 0
    struck: bool = False

    def meet(self, ill: tuple[Ill, int] | None) -> None:
        self.ill, self.at = ill or (None, 0)
        self.passed, self.struck = 0, False

    def point(self, where: str) -> None:
        self.passed += 1
        if self.ill is None or self.passed < self.at or (self.struck and self.ill == "crash"):
            return
        if self.ill == "crash":
            self.struck = True
            raise Crash(where)
        if where == "store":
            self.struck = True
            raise StoreUnavailable("away")


@dataclass(slots=True)
class Story:
    """One account's, from its first login on."""

    pool: Pool
    folder: Path
    account_id: int
    platform: Platform
    fate: Fate
    adapter: Adapter
    clock: SetClock
    password: str | None = RIGHT
    reloads: int = 0
    grace: int = 0
    """Hours and jumps of the clock: after each, one login more may be made of those unheard of."""
    keeper: Keeper = field(init=False)
    held: Token | None = None

    @property
    def account(self) -> Account:
        given = Credentials("ana", self.password)
        return Account(
            self.account_id, "acme", "model", given, "test", "one", digest=str(self.password)
        )

    @property
    def keys(self) -> Keys:
        return Keys(ring, self.clock)

    def restart(self) -> None:
        self.keeper = Keeper(
            self.account,
            self.adapter,
            self.adapter,
            self.pool,
            self.keys,
            self.clock,
            Shared(),
            self.folder,
        )
        self.held = None

    async def ask(self, coming: list[Outcome], ill: tuple[Ill, int] | None) -> None:
        """For a token, or for a newer one than we have."""
        self.adapter.outcomes = list(coming)
        self.fate.meet(ill)
        try:
            await self.newer()
        except Crash:
            self.restart()
        except (PlatformError, StoreUnavailable):
            pass
        self.adapter.sent.logins += self.fate.struck  # maybe: the intent of one counts too
        self.fate.meet(None)

    async def newer(self) -> None:
        sent, held = self.adapter.sent, self.held
        logins = sent.logins
        try:
            token = await (self.keeper.replace(held) if held else self.keeper.token())
            self.given(token, logged_in=sent.logins > logins)
        finally:
            if not self.fate.struck:
                sent.renewals.subtract(sent.unharmed)
                sent.heard += sent.told
            sent.unharmed.clear()
            sent.told = 0
            self.check()
            self.pass_time(LONGEST_BACKOFF)

    def given(self, token: Token, *, logged_in: bool) -> None:
        sent = self.adapter.sent
        sent.stale |= self.platform.sessions.keys() - {token.refresh_token}
        sent.renewals.clear()
        if logged_in:
            sent.logins = self.reloads = self.grace = 0
        self.held = token

    def pass_time(self, span: timedelta) -> None:
        self.clock.right.advance(span)
        self.platform.now = self.clock.now() - self.clock.ahead
        self.grace += -(-span // HOUR)

    def check(self) -> None:
        sent = self.adapter.sent
        assert all(count <= 2 + self.reloads for count in sent.renewals.values()), sent
        assert sent.heard <= MOST_TRIES + self.reloads, sent
        assert sent.refused <= MOST_TRIES + self.reloads + self.grace, sent

    def happen(self, what: str, which: Any = None) -> None:
        if what == "wait":
            self.pass_time(which * HOUR)
        elif what == "set clock":
            self.clock.ahead, self.grace = which * HOUR, self.grace + 1
        elif what == "reload":
            self.reloads += 1
            self.keeper.try_again()
        elif what == "configure":
            self.password = which
            sent = self.adapter.sent
            sent.refused = sent.heard = sent.logins = 0
            self.restart()
        elif what == "restart":
            self.restart()
        else:
            self.platform.happen(which)

    async def would_be_let_in(self) -> bool:
        """Whether the platform still would, of all that we may know of."""
        sent, platform = self.adapter.sent, self.platform
        knows = self.password == platform.password and not platform.is_disabled
        if knows and sent.logins < MOST_TRIES:
            return True
        kept = await Vault(self.account, self.pool, self.keys).load()
        spilled = await Spill(self.folder, self.account, self.keys, FAILURES).read()
        ours = [held for held in (kept.held, spilled) if held is not None]
        newest = max(ours, key=lambda held: held.generation, default=None)
        refresh = newest.token.refresh_token if newest else None
        return platform.would_renew(refresh, SETTLES) and sent.renewals[refresh or ""] < 2

    async def is_let_in(self) -> bool:
        """Whether it is in the end, when all goes well again."""
        self.adapter.outcomes = []
        self.restart()
        for n in range(6):
            self.pass_time(n % 2 * SETTLES / 3)
            try:
                await self.newer()
                await self.newer()
            except PlatformError:
                continue
            return True
        return False


@contextmanager
def mortal(fate: Fate) -> Iterator[None]:
    """Before and after each write of a renewal is a point where it may end."""
    with pytest.MonkeyPatch.context() as patch:
        for owner, name, where in (
            (credentials, "stand", "store"),
            (credentials, "save", "store"),
            (Spill, "write", "file"),
            (Spill, "erase", "file"),
        ):
            patch.setattr(owner, name, between(fate, getattr(owner, name), where))
        yield


def between(fate: Fate, act: Callable[..., Any], where: str) -> Callable[..., Any]:
    async def acted(*given: Any) -> Any:
        fate.point(where)
        came = await act(*given)
        fate.point(where)
        return came

    return acted


async def told(pool: Pool, ways: Ways, script: list[Step], folder: Path) -> Story:
    account_id = await pool.fetchval(_ACCOUNT, await pool.fetchval(_TENANT))
    fate, platform = Fate(), Platform(ways, NOW)
    adapter = Adapter(platform, fate.point)
    clock = SetClock(HandClock(NOW))
    story = Story(pool, folder, account_id, platform, fate, adapter, clock)
    story.restart()
    with mortal(fate):
        for what, *which in script:
            if what == "ask":
                await story.ask(*which)
            else:
                story.happen(what, *which)
    return story


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(ways=st.sampled_from(["strict", "strict", "lenient", "same"]), script=scripts)
async def test_no_order_of_events_burns_a_token_or_locks_or_leaves_an_account_out(
    pool: Pool, ways: Ways, script: list[Step]
) -> None:
    with TemporaryDirectory() as folder:
        story = await told(pool, ways, script, Path(folder))
        would = await story.would_be_let_in()
        assert await story.is_let_in() or not would
