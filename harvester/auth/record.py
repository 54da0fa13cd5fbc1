"""What is on record of an account: its row, its file, and memory until these have it.

A crash or an outage between any two steps of a renewal leaves one of them behind: it is brought in
order before anything else is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog

from harvester.auth.held import Held
from harvester.auth.life import RENEWAL, RENEWING, Life
from harvester.auth.sealed import Kept, Vault
from harvester.auth.spill import Spill
from harvester.auth.telling import Telling
from harvester.errors import StoreUnavailable
from harvester.store.credentials import Event

INTERRUPTED = "interrupted"
ADOPTED = "adopted"

_log = structlog.stdlib.get_logger(__name__)


@dataclass(slots=True)
class Record:
    """Of one account. `life` is where it stands, as last seen or last changed."""

    vault: Vault
    spill: Spill
    telling: Telling
    life: Life = field(default_factory=Life)
    is_asked: bool = False
    """Whether a person wants done now what can be done."""
    _unsaved: Held | None = None
    """A token that is in no file, and maybe not in the database."""
    _waits: bool = False
    """Whether a token waits in the file for the database."""
    _unnoted: tuple[datetime | None, Life, Event | None] | None = None
    """What came of the call asked for then, where the database was away by then."""
    _newest: Held | None = None
    """The last token that was handed out: a database may lose what it committed."""

    @property
    def is_unsettled(self) -> bool:
        """Whether a token waits for the database."""
        return self._unsaved is not None or self._waits

    async def load(self) -> Kept:
        """The row. Raises TokenError where our keys do not open it, StoreUnavailable."""
        kept = await self._row()
        if self._newest is not None and self._newest.generation > kept.generation:
            self._unsaved = self._newest  # a server that failed over, or was restored
        self.life = kept.life.known_with(self.telling.account.digest)
        return replace(kept, life=self.life)

    async def spilled(self) -> Held | None:
        """A token that the database may not have yet. Raises TokenError."""
        return self._unsaved or await self.spill.read()

    async def settled(self, fence: int) -> Kept:
        """What is kept, once what a crash or an outage left behind is adopted or noted.

        Raises TokenError, StoreUnavailable.
        """
        kept, spilled = await self.load(), await self.spilled()
        if spilled is not None and spilled.generation > kept.generation:
            life = kept.life.obtained(self.telling.clock.now())
            await self._commit(fence, spilled, life, ADOPTED)
            _log.info("token adopted from a file", account=self.telling.account.name)
            kept = await self.load()
        if spilled is not None:
            await self._done()
        if kept.life.state == RENEWING:
            life, event = self._came_of(kept.life)
            await self.stand(fence, life, event)
            kept = replace(kept, life=self.life)
        self._unnoted = None
        return kept

    async def stand(self, fence: int, life: Life, event: Event | None = None) -> None:
        """Commit where the account stands now. Raises TokenError, StoreUnavailable."""
        self.life = life
        await self.vault.stand(fence, life, event)

    async def intend(self, fence: int, intent: Life, before: Life) -> None:
        """Commit the intent of a call: where that is in doubt, nothing was sent."""
        self._unnoted = intent.asked_at, before, None
        await self.stand(fence, intent)
        self._unnoted = None

    async def note(self, fence: int, came: Life, event: Event) -> None:
        """Commit what came of the call that was intended: now, or once the database is back."""
        self._unnoted = self.life.asked_at, came, event
        await self.stand(fence, came, event)
        self._unnoted = None

    async def keep(self, fence: int, held: Held, life: Life, grant: str) -> None:
        """Make a token durable before it is used: in a file, then in the database.

        Raises StoreUnavailable where neither has it; it is saved first of all then.
        """
        self._unsaved = held
        is_safe = await self.spill.write(held)
        try:
            await self._commit(fence, held, life, grant)
        except StoreUnavailable:
            if not is_safe:
                raise
            _log.warning("token kept in a file", account=self.telling.account.name)
            self._unsaved, self._waits, self.life = None, True, life
        else:
            await self._done()

    def hand_out(self, held: Held) -> Held:
        """Remember what is used from now on."""
        self._newest = held
        return held

    async def _row(self) -> Kept:
        # Nobody logs the tenant's own client in by hand, so who reloads says that its key is lost.
        if self.is_asked and self.telling.account.credentials.user is None:
            return await self.vault.load_over()
        return await self.vault.load()

    def _came_of(self, life: Life) -> tuple[Life, Event | None]:
        """Of a call that another instance asked for since, we know no more than of a crash."""
        if self._unnoted is not None and self._unnoted[0] == life.asked_at:
            return self._unnoted[1:]
        event = self.telling.event(life.asked_grant or RENEWAL, "answer_lost", INTERRUPTED)
        return life.interrupted(self.telling.clock.now()), event

    async def _commit(self, fence: int, held: Held, life: Life, grant: str) -> None:
        await self.vault.save(fence, life, held, self.telling.event(grant, "ok"))
        self.life = life

    async def _done(self) -> None:
        self._unsaved, self._waits = None, False
        await self.spill.erase()
