"""What comes nearest to tasks in the fake Usergrid, and how all of it stands.

Notifications and their receipts are the platform's own; commands are in a collection of the
tenant's. How often there is one goes by the pace of the things.
"""

from collections.abc import Callable, Mapping
from functools import partial
from random import Random

from harvester.simulator import (
    usergrid_commands as commands,
    usergrid_lives as lives,
    usergrid_notifications as pushes,
)
from harvester.simulator.chance import dice
from harvester.simulator.fakes import Standing, TaskTruth
from harvester.simulator.tenants import Tenant
from harvester.simulator.usergrid_agenda import Agenda
from harvester.simulator.usergrid_entities import Entity, singular
from harvester.simulator.usergrid_lives import Step
from harvester.simulator.usergrid_notifications import NOTIFICATIONS, RECEIPTS, Properties
from harvester.simulator.usergrid_quirks import Switches
from harvester.simulator.usergrid_store import Store
from harvester.simulator.usergrid_tokens import time_uuid
from harvester.simulator.world import World, instant, millis

PAUSES: Mapping[str, int] = {NOTIFICATIONS: 12, commands.PATH: 8}
"""From one to the next, in shortest pauses between the uplinks of the tenant's things."""

Told = tuple[str | None, object]
"""How a task stands: the word for it, and the result."""


class Tasks:
    """All of a tenant that happen by themselves. All instants are ms by the platform's clock."""

    def __init__(self, world: World, switches: Switches, tenant: Tenant, store: Store) -> None:
        self._seed = world.seed
        self._switches = switches
        self._tenant = tenant
        self._store = store
        self._unit_ms = pushes.unit_ms(switches)
        self._agenda = Agenda()
        self._things = tuple(it for it in tenant.things if it.active and not it.model.gateway)
        for collection, pauses in PAUSES.items() if self._things else ():
            every_ms = pauses * min(thing.every_ms for thing in self._things)
            self._plan(collection, every_ms, millis(world.since) // every_ms + 1)

    def bring(self, now_ms: int) -> None:
        """Let all happen that is due."""
        self._agenda.bring(now_ms)

    def post(self, told: dict[str, object], ms: int) -> Entity:
        """Take in a notification of somebody else's. Raises ApiRefusal."""
        pushes.check_new(told, ms, self._unit_ms)
        entity = self._store.put(NOTIFICATIONS, pushes.made(self._switches) | told, ms)
        for step in lives.posted(told, ms, self._switches):
            self._agenda.put(step.at_ms, partial(self._go_on, entity, step))
        self.bring(ms)
        return entity

    def check_over(self, entity: Entity, ms: int) -> None:
        """Raises ApiRefusal for what cannot be deleted yet."""
        if entity.type == singular(NOTIFICATIONS):
            pushes.check_over(entity.now.properties, ms, self._unit_ms)

    def truth(self, now_ms: int) -> dict[str, TaskTruth]:
        """How all tasks stood and stand, by the identity of the report."""
        found: dict[str, TaskTruth] = {}
        unit_ms = self._unit_ms
        for entity in self._there(NOTIFICATIONS):
            history = _history(entity, now_ms, partial(pushes.standing, unit_ms=unit_ms), unit_ms)
            found[f"{NOTIFICATIONS}/{entity.uuid}"] = TaskTruth("notification", None, history)
        for entity in self._there(RECEIPTS):
            identity, device = pushes.of_what(entity.uuid, entity.now.properties)
            history = _history(entity, now_ms, pushes.receipt_standing)
            found[identity] = TaskTruth("receipt", device, history)
        for entity in self._there(commands.PATH):
            kind, device = commands.of_what(entity.now.properties)
            history = _history(entity, now_ms, commands.standing)
            found[f"{commands.PATH}/{entity.uuid}"] = TaskTruth(kind, device, history)
        return found

    def _there(self, collection: str) -> list[Entity]:
        return [entity for entity in self._store.members(collection) if not entity.is_deleted]

    def _plan(self, collection: str, every_ms: int, number: int) -> None:
        """Put in that one, of which the beginning puts in the next."""
        chance = dice(self._seed, self._tenant.name, collection, number)

        def begin(ms: int) -> None:
            self._begin(collection, ms, chance)
            self._plan(collection, every_ms, number + 1)

        self._agenda.put(number * every_ms + int(every_ms * chance.random()), begin)

    def _begin(self, collection: str, ms: int, chance: Random) -> None:
        if collection == NOTIFICATIONS:
            told = pushes.made(self._switches) | lives.wished(self._switches, chance)
            life = lives.life(ms, self._things, self._switches, chance)
        else:
            told, life = {}, commands.life(ms, self._things, chance)
        first, uuid = next(life), str(time_uuid(ms, chance.randrange(10_000)))
        entity = self._store.put(collection, told | dict(first.properties), ms, uuid=uuid)
        for step in life:
            self._agenda.put(step.at_ms, partial(self._go_on, entity, step))

    def _go_on(self, entity: Entity, step: Step, ms: int) -> None:
        if entity.is_deleted or entity.now.properties.get("canceled"):
            return
        modified = {"put": None, "update": ms, "silent": entity.now.modified}[step.how]
        self._store.update(entity, step.properties, ms, modified=modified)
        for outcome in step.outcomes:
            for _ in range(pushes.copies(outcome, entity.now.properties, self._switches)):
                told = pushes.receipt(entity.uuid, outcome, ms)
                receipt = self._store.put(RECEIPTS, told, ms)
                if self._switches.server != "2.1.0":
                    self._store.connect(entity, RECEIPTS, receipt, ms)


def _history(
    entity: Entity, now_ms: int, read: Callable[[Properties, int], Told], unit_ms: int = 1
) -> tuple[Standing, ...]:
    """From one to the next it stands otherwise: because it was written, or because it expired."""
    history: list[Standing] = []
    ends = [*(version.at for version in entity.versions[1:]), now_ms + 1]
    for version, end in zip(entity.versions, ends, strict=True):
        expired_ms = pushes.expired_ms(version.properties, unit_ms)
        moments = (version.at, expired_ms) if version.at < expired_ms < end else (version.at,)
        for ms in moments:
            told = read(version.properties, ms)
            if not history or told != (history[-1].state, history[-1].result):
                history.append(Standing(instant(ms), *told))
    return tuple(history)
