"""The keys of a running daemon: read again where somebody rotated them meanwhile."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from harvester.clock import Clock
from harvester.errors import ConfigError
from harvester.logs import Failures
from harvester.vault.ring import Context, KeyRing, Sealed

LOOK_EVERY = timedelta(seconds=5)
"""How often the source is looked at for keys that are not known."""

_log = structlog.stdlib.get_logger(__name__)


class Keys:
    """The ring that `load` gives, which blocks and raises ConfigError, and then newer ones."""

    def __init__(self, load: Callable[[], KeyRing], clock: Clock) -> None:
        self.ring = load()
        self._load = load
        self._clock = clock
        self._looking = asyncio.Lock()
        self._looked: datetime | None = None
        self._failures = Failures(_log)

    def seal(self, plaintext: str, context: Context) -> Sealed:
        """Encrypt under the first key, bound to `context`."""
        return self.ring.seal(plaintext, context)

    async def open(self, sealed: Sealed, context: Context) -> str:
        """What was sealed for this owner. Raises KeyMissing, SealBroken.

        Where its key is not known, the ring is read again first.
        """
        if sealed.key_id not in self.ring:
            await self._look_for(sealed.key_id)
        return self.ring.open(sealed, context)

    async def reread(self) -> None:
        """Read the ring again. Raises ConfigError; the old ring then stays."""
        ring = await asyncio.to_thread(self._load)
        if list(ring) != list(self.ring):
            _log.info("other keys", keys=list(ring), seals=ring.sealing)
        self.ring = ring

    async def _look_for(self, key_id: str) -> None:
        # One after the other: who waited finds what the first one read.
        async with self._looking:
            now = self._clock.now()
            soon = self._looked and self._looked <= now < self._looked + LOOK_EVERY
            if soon or key_id in self.ring:
                return
            self._looked = now
            try:
                await self.reread()
            except ConfigError as error:
                self._failures.failing(
                    "reading the keys again", "keys_unreadable", error=str(error)
                )
            else:
                self._failures.well("reading the keys again")
