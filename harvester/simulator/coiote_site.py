"""What an installation of Coiote knows of its devices: whose they are, and in which domain."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field

from harvester.simulator.chance import identity
from harvester.simulator.coiote_auth import Token
from harvester.simulator.coiote_errors import Coded
from harvester.simulator.coiote_objects import OBJECTS, SILENT, Measured, measured, registered
from harvester.simulator.coiote_quirks import Switches
from harvester.simulator.tenants import Tenant, Thing
from harvester.simulator.world import World

BEFORE_ALL, AFTER_ALL = -1, 2**62
"""Instants in ms."""


@dataclass(slots=True)
class Device:
    """A device as the platform has it.

    `domain` is a path such as "/acme/depot/", empty where there is no such device any more. What
    came in until `wiped_ms` is gone from its history; at `left_ms` it was taken from its tenant.
    Nobody should ask for its `psk`.
    """

    id: str
    thing: Thing
    tenant: str
    domain: str
    endpoint: str
    psk: str = field(repr=False)
    is_monitored: bool
    wiped_ms: int = BEFORE_ALL
    left_ms: int = AFTER_ALL

    def move(self, domain: str, now_ms: int) -> None:
        """Into another domain, or out of all; who takes it from a tenant does so for good."""
        self.domain, self.wiped_ms = domain, now_ms
        if not domain.startswith(f"/{self.tenant}/"):
            self.left_ms = min(self.left_ms, now_ms)

    def measured(self, path: str) -> Measured | None:
        """What is measured in that resource. Raises Coded 4041 where there is no such resource."""
        for each in measured(self.thing.model):
            if each.path == path:
                return each
        number, instance, resource = map(int, path.split("/"))
        is_there = (number, instance) in registered(self.thing.model)
        told = OBJECTS[number].resources if is_there and number != SILENT else ()
        if resource in {each.id for each in told}:
            return None
        raise Coded(4041, f"Resource /{path} is unknown")


class Site:
    """All devices, by id."""

    def __init__(self, world: World, switches: Switches) -> None:
        made = (
            _device(world, tenant, thing, switches)
            for tenant in world.tenants.values()
            for thing in tenant.things
        )
        self.devices = {each.id: each for each in made}

    def visible(self, token: Token) -> Iterator[Device]:
        """All that the token's account sees: those in its tenant's domain, and of them a user's."""
        for device in self.devices.values():
            is_there = device.domain.startswith(f"/{token.tenant.name}/")
            if is_there and (token.user is None or token.user.name in device.thing.seen_by):
                yield device

    def device(self, token: Token, identifier: str) -> Device:
        """Raises Coded 4040, whether it is another's or nobody's."""
        for device in self.visible(token):
            if device.id == identifier:
                return device
        raise Coded(4040, "Device does not exist")

    def of(self, tenant: str) -> list[Device]:
        """Those that were the tenant's from the first, wherever they are now."""
        return [each for each in self.devices.values() if each.tenant == tenant]


def _device(world: World, tenant: Tenant, thing: Thing, switches: Switches) -> Device:
    endpoint = f"urn:imei:{350_000_000_000_000 + thing.tina_id}"
    return Device(
        id=_identifier(thing, endpoint, switches),
        thing=thing,
        tenant=tenant.name,
        domain=f"/{tenant.name}/{thing.location.name.lower()}/",
        endpoint=endpoint,
        psk=identity(world.seed, thing.uuid, "psk").replace("-", ""),
        is_monitored=not thing.model.gateway,
    )


def _identifier(thing: Thing, endpoint: str, switches: Switches) -> str:
    if switches.ids == "base64":
        return base64.urlsafe_b64encode(thing.name.encode()).rstrip(b"=").decode()
    if switches.ids == "spaced":
        return f"{thing.name} "
    return endpoint if switches.ids == "urn" else thing.uuid
