"""A world that holds what was recorded, and no more."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from harvester.simulator.chance import identity
from harvester.simulator.clock import Clock
from harvester.simulator.curves import DAY_MS
from harvester.simulator.recording import Recorded
from harvester.simulator.tenants import Tenant, Thing, build
from harvester.simulator.things import Model, Sensor
from harvester.simulator.uplinks import Uplink, Version
from harvester.simulator.world import World, instant

SEED = "replay"


class Replay(World):
    """Recorded readings as a world of one tenant with one user, who sees all devices.

    It begins with the first of them, and each is published at its instant. Those of one device
    and instant are one uplink. A device that is named by a UUID keeps it.
    """

    def __init__(self, clock: Clock, recorded: Sequence[Recorded], tenant: str) -> None:
        super().__init__(SEED, clock, instant(min(each.ms for each in recorded)), tenants=())
        by_device: dict[str, list[Recorded]] = defaultdict(list)
        for each in recorded:
            by_device[each.device].append(each)
        self.tenants = {tenant: _tenant(tenant, by_device)}
        self._recorded = {
            thing.uuid: _by_day(thing.uuid, by_device[thing.name]) for thing in self.things(tenant)
        }

    def uplinks(self, thing: Thing, day: int) -> tuple[Uplink, ...]:
        return tuple(self._recorded[thing.uuid].get(day, ()))


def _tenant(name: str, by_device: dict[str, list[Recorded]]) -> Tenant:
    tenant = build(SEED, name, 0, users=1, things=1)
    pattern = tenant.things[0]
    things = (
        replace(
            pattern,
            uuid=_uuid(device),
            tina_id=pattern.tina_id + n,
            hardware_id=f"a84041{n:010x}",
            name=device,
            model=_model(recorded),
        )
        for n, (device, recorded) in enumerate(by_device.items())
    )
    return replace(tenant, things=tuple(things))


def _uuid(device: str) -> str:
    try:
        return str(UUID(device))
    except ValueError:
        return identity(SEED, "thing", device)


def _model(recorded: Sequence[Recorded]) -> Model:
    channels = dict.fromkeys(each.channel for each in recorded)
    return Model("Recorded", tuple(Sensor(name, name, None, None) for name in channels))


def _by_day(uuid: str, recorded: Sequence[Recorded]) -> dict[int, list[Uplink]]:
    """Return the uplinks of one device by day, in the order of their instants."""
    values: dict[int, list[tuple[str, float | str]]] = defaultdict(list)
    for each in recorded:
        values[each.ms].append((each.channel, each.value))
    days: dict[int, list[Uplink]] = defaultdict(list)
    for ms in sorted(values):
        sent = Version(ms, tuple(values[ms]))
        days[ms // DAY_MS].append(Uplink(ms, identity(SEED, uuid, ms), (sent,)))
    return days
