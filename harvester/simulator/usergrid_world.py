"""How what the world does becomes entities of the fake Usergrid as its clock moves, what is true.

An uplink is written when it is published, and updated when it is corrected. What somebody was told
once is true for good, though it may be changed or deleted after that.
"""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

from harvester.simulator.chance import dice
from harvester.simulator.curves import DAY_MS
from harvester.simulator.tenants import Tenant, Thing
from harvester.simulator.uplinks import Uplink, Version as Published
from harvester.simulator.usergrid_agenda import Agenda
from harvester.simulator.usergrid_entities import Entity, Version
from harvester.simulator.usergrid_forms import drifted, rows
from harvester.simulator.usergrid_layouts import LAYOUTS, SAMPLES, Key, readings
from harvester.simulator.usergrid_quirks import Switches
from harvester.simulator.usergrid_store import Store
from harvester.simulator.world import World, millis

DEVICES, SENDS = "devices", "sends"
TEN = 10
"""So many of a batch are written within one millisecond."""

_MS = timedelta(milliseconds=1)


class Flow:
    """What the things of a tenant write, up to now. All instants are ms by the platform's clock."""

    def __init__(self, world: World, switches: Switches, tenant: Tenant, store: Store) -> None:
        self._world = world
        self._tenant = tenant
        self._store = store
        self._skew = switches.clock_skew // _MS
        self._batch = switches.batch // _MS
        self._chance = dice(world.seed, tenant.name, "drift") if switches.drifts else None
        self._agenda = Agenda()
        self._next_day = millis(world.since) // DAY_MS
        self._written = (0, 0)  # when the last batch was, and how much of it there is
        for thing in tenant.things:
            at = millis(world.since) + self._skew
            store.put(DEVICES, {"name": thing.name}, at, uuid=thing.uuid, created=at)

    def bring(self, now_ms: int) -> None:
        """Let all be written that is due."""
        while self._next_day * DAY_MS + self._skew <= now_ms:
            self._load(self._next_day)
            self._next_day += 1
        self._agenda.bring(now_ms)

    def _load(self, day: int) -> None:
        since_ms = millis(self._world.since)
        for thing in self._tenant.things:
            for uplink in self._world.uplinks(thing, day):
                if uplink.ms >= since_ms:
                    for _ in range(uplink.copies):
                        self._plan(thing, uplink, 0, [])

    def _plan(self, thing: Thing, uplink: Uplink, number: int, written: list[Entity]) -> None:
        """Put in the writing of a version, which puts in that of the next."""
        if number < len(uplink.versions):
            at_ms = uplink.versions[number].published_ms + self._skew
            if self._batch:
                at_ms = -(-at_ms // self._batch) * self._batch
            self._agenda.put(at_ms, partial(self._write, thing, uplink, number, written))

    def _write(
        self, thing: Thing, uplink: Uplink, number: int, written: list[Entity], at_ms: int
    ) -> None:
        ms = self._moment(at_ms)
        told = list(self._rows(thing, uplink.ms, uplink.versions[number]))
        if written:
            for entity, (_, properties) in zip(written, told, strict=True):
                if not entity.is_deleted:
                    self._store.update(entity, properties, ms)
        else:
            written = [self._put(thing, *each, ms) for each in told]
        self._plan(thing, uplink, number + 1, written)

    def _moment(self, at_ms: int) -> int:
        """Of a batch ten come at a time."""
        at, count = self._written
        self._written = (at_ms, count + 1 if at == at_ms else 0)
        return at_ms + (self._written[1] // TEN if self._batch else 0)

    def _rows(
        self, thing: Thing, ms: int, version: Published
    ) -> Iterator[tuple[str, dict[str, object]]]:
        for row in rows(thing, ms, version.values):
            told = dict(row.properties)
            yield row.layout.collection, drifted(told, self._chance) if self._chance else told

    def _put(self, thing: Thing, collection: str, properties: dict[str, object], ms: int) -> Entity:
        entity = self._store.put(collection, properties, ms)
        device = self._store.find(DEVICES, thing.uuid)
        if collection == SAMPLES.collection and device:
            self._store.connect(device, SENDS, entity, ms)
        return entity


class Told:
    """What was told of the entities of a store, and so what is true."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._had: dict[Entity, set[Version]] = {}
        self._read: dict[tuple[Version, int], list[tuple[Key, float | str]]] = {}
        self._truth: tuple[int, dict[Key, float | str]] = (-1, {})

    def had(self, entity: Entity, version: Version) -> None:
        """Somebody has it from now on."""
        self._had.setdefault(entity, set()).add(version)
        if entity.is_deleted or version is not entity.now:  # withdrawn while it was on its way
            self._truth = (-1, {})

    def truth(self) -> dict[Key, float | str]:
        """Of one device, channel and instant, what was modified last; then by the UUID."""
        if self._truth[0] != self._store.written:
            self._truth = (self._store.written, self._made())
        return dict(self._truth[1])

    def _made(self) -> dict[Key, float | str]:
        ordered: list[tuple[int, str, int, list[tuple[Key, float | str]]]] = []
        for layout in LAYOUTS:
            for entity in self._store.members(layout.collection):
                for version in self._held(entity):
                    which = version, len(entity.places)  # it may be connected later
                    if which not in self._read:
                        self._read[which] = list(readings(layout, entity, version))
                    rank = (version.modified, entity.uuid, version.number)
                    ordered.append((*rank, self._read[which]))
        ordered.sort(key=lambda each: each[:3])
        return {key: value for *_, found in ordered for key, value in found}

    def _held(self, entity: Entity) -> set[Version]:
        had = self._had.get(entity, set())
        return had if entity.is_deleted else had | {entity.now}
