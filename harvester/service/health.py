"""What the daemon can say of itself, from its first moment to its last."""

from __future__ import annotations

from harvester.clock import Clock
from harvester.scheduler import Planned
from harvester.service.presence import Presence
from harvester.service.tenants import Tenants
from harvester.service.watchdog import Pulse, Watchdog, late


class Health:
    """Filled in as the start gets on; what is not there yet is wanting."""

    def __init__(self, clock: Clock) -> None:
        self.pulse = Pulse()
        self.watchdog = Watchdog(self.pulse, clock, self._planned)
        self.presence: Presence | None = None
        self.tenants: Tenants | None = None
        self.stopping = False

    def ill(self) -> list[str]:
        """Why the loop is not alive, though it answers."""
        return late(self.pulse.delay)

    def wanting(self) -> list[str]:
        """Why it does not harvest now, a sentence for each thing that is wanting."""
        wanting = []
        if self.stopping:
            wanting.append("harvester is being stopped")
        if self.presence is None:
            wanting.append("the database is not opened and migrated yet")
        elif not self.presence.up:
            wanting.append("the database is away")
        if not self.tenants:
            wanting.append("no job is planned")
        return wanting

    def _planned(self) -> list[Planned] | None:
        return None if self.tenants is None else self.tenants.scheduler.planned()
