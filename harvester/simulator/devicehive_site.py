"""What an installation of DeviceHive knows of each tenant: its users, and networks of devices.

Here a network is a location as far as the same users see its devices, so that whoever is in a
network sees all of it, as on the platform.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from harvester.simulator.devicehive_quirks import Switches
from harvester.simulator.tenants import Location, Tenant, Thing
from harvester.simulator.world import World

ACTIVE, LOCKED, DISABLED = 0, 1, 2
ADMIN, CLIENT = 0, 1


@dataclass(frozen=True, slots=True)
class Network:
    """`seen_by` holds the logins of who is in it when the world begins."""

    id: int
    tenant: Tenant
    name: str
    seen_by: frozenset[str]


@dataclass(slots=True)
class Device:
    """A device as the platform has it; `network` is the id of its own. All are of one type."""

    id: str
    name: str
    network: int
    data: object = None
    is_blocked: bool = False


@dataclass(slots=True)
class Account:
    """A user as the platform has it. `attempts` are wrong passwords since the last right one."""

    id: int
    tenant: Tenant
    login: str
    password: str = field(repr=False)
    role: int = CLIENT
    networks: set[int] = field(default_factory=set)
    status: int = ACTIVE
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Site:
    """Each tenant stands for an installation, though all are at one address; a tenant's admin, who
    logs in with its admin client's id and secret, is the admin of its own one only."""

    networks: Mapping[int, Network]
    accounts: Mapping[str, Account]  # by login
    devices: dict[str, Device]

    def account(self, user_id: object) -> Account | None:
        return next((each for each in self.accounts.values() if each.id == user_id), None)

    def tenant_of(self, device: Device) -> Tenant:
        return self.networks[device.network].tenant

    def visible(self, account: Account) -> list[Network]:
        """All networks that are the account's now, whatever its tokens say."""
        return [
            network
            for network in self.networks.values()
            if network.id in account.networks
            or (account.role == ADMIN and network.tenant is account.tenant)
        ]


def device_id(thing: Thing, switches: Switches) -> str:
    """Odd ones come in by other ways than a registration, which would refuse them."""
    return f"{thing.name}: 50% of ü + #?" if switches.odd_device_ids else thing.uuid


def built(world: World, switches: Switches) -> Site:
    networks: dict[int, Network] = {}
    accounts: dict[str, Account] = {}
    devices: dict[str, Device] = {}
    for tenant in world.tenants.values():
        for (place, seen_by), things in _shared(tenant).items():
            number = len(networks) + 1
            networks[number] = Network(number, tenant, f"{place.name} {number}", seen_by)
            devices |= {each.id: each for each in _devices(things, number, switches)}
        for account in _accounts(tenant, len(accounts) + 1, networks):
            accounts[account.login] = account
    return Site(networks, accounts, devices)


def _shared(tenant: Tenant) -> dict[tuple[Location, frozenset[str]], list[Thing]]:
    shared: dict[tuple[Location, frozenset[str]], list[Thing]] = {}
    for thing in tenant.things:
        shared.setdefault((thing.location, thing.seen_by), []).append(thing)
    return shared


def _devices(things: list[Thing], network: int, switches: Switches) -> Iterator[Device]:
    for thing in things:
        yield Device(device_id(thing, switches), thing.name, network, is_blocked=not thing.active)


def _accounts(tenant: Tenant, first: int, networks: Mapping[int, Network]) -> list[Account]:
    client = tenant.admin_client
    admin = Account(first, tenant, client.id, client.secret, role=ADMIN)
    return [admin] + [
        Account(
            first + n,
            tenant,
            user.name,
            user.password,
            networks={each.id for each in networks.values() if user.name in each.seen_by},
        )
        for n, user in enumerate(tenant.users, 1)
    ]
