"""Tenants of the world: clients, users, companies, locations, and who sees which thing.

A tenant is what the vendor calls an application; the realm of its admin tokens bears its name.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from harvester.simulator.chance import dice, identity
from harvester.simulator.curves import HOUR_MS
from harvester.simulator.things import COLD_ROOM, GATEWAY, REPORTING, Model

WHO = ("ana", "bojan", "chloe", "dmitri", "esra")
PLACES = ("Kitchen", "Cellar", "Depot")


@dataclass(frozen=True, slots=True)
class Client:
    """An OAuth client of a tenant."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class User:
    """A user of a tenant; `name` is what is typed as user name, an e-mail address."""

    id: str
    name: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Company:
    """A company; its id is an int, as the vendor's are."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Location:
    """A place of a company."""

    id: int
    company_id: int
    name: str


@dataclass(frozen=True, slots=True)
class Thing:
    """A device. `seen_by` holds user names; `every_ms` is its mean interval between uplinks."""

    uuid: str
    tina_id: int
    hardware_id: str
    name: str
    model: Model
    location: Location
    owner: User
    seen_by: frozenset[str]
    every_ms: int
    active: bool = True


@dataclass(frozen=True, slots=True)
class Tenant:
    """Everything of one customer. The user client and the admin client are never the same pair."""

    name: str
    user_client: Client
    admin_client: Client
    users: tuple[User, ...]
    companies: tuple[Company, ...]
    locations: tuple[Location, ...]
    things: tuple[Thing, ...]


def build(seed: object, name: str, number: int, users: int, things: int, pace: int = 1) -> Tenant:
    """Build tenant `name`: so many users, so many reporting things, a gateway, a dead thing.

    They send `pace` times as often as usual.
    """
    people = tuple(_user(seed, name, n) for n in range(users))
    companies = tuple(
        Company(40_000 + 10 * number + n, f"{name.title()} {part}")
        for n, part in enumerate(("Foods", "Works"))
    )
    places = tuple(
        Location(53_000 + 10 * number + n, companies[n % len(companies)].id, place)
        for n, place in enumerate(PLACES)
    )
    return Tenant(
        name,
        user_client=Client(f"{name}-user", identity(seed, name, "user client")),
        admin_client=Client(name, identity(seed, name, "admin client")),
        users=people,
        companies=companies,
        locations=places,
        things=tuple(
            replace(thing, every_ms=thing.every_ms // pace)
            for thing in _things(seed, 1000 * number, people, places, things)
        ),
    )


def _user(seed: object, tenant: str, n: int) -> User:
    who = WHO[n] if n < len(WHO) else f"user{n}"
    name = f"{who}@{tenant}.example"
    token = identity(seed, name, "password")
    # Characters that do not survive a form that is not encoded, and text that is not ASCII.
    awkward = "&p+w%41=" if n % 3 != 1 else "&Grüße+%€ "
    return User(identity(seed, name), name, token[:8] + awkward + token[-8:])


def _things(
    seed: object, base: int, users: tuple[User, ...], places: tuple[Location, ...], reporting: int
) -> Iterator[Thing]:
    """Yield things; every second one is shared by two users, the gateway by all of them."""
    everybody = frozenset(user.name for user in users)
    for n in range(reporting):
        seers = (users[n % len(users)], users[(n + (n % 2 == 0)) % len(users)])
        seen_by = frozenset(user.name for user in seers)
        model = REPORTING[n % len(REPORTING)]
        place = places[n // 2 % len(places)]  # not in step with the owners, who would see but one
        yield _thing(seed, base + n, model, place, seers[0], seen_by)
    yield _thing(seed, base + reporting, GATEWAY, places[0], users[0], everybody)
    # Deactivated before the world began: it is listed, and has nothing to say.
    yield _thing(seed, base + reporting + 1, COLD_ROOM, places[0], users[0], everybody, False)


def _thing(
    seed: object,
    number: int,
    model: Model,
    location: Location,
    owner: User,
    seen_by: frozenset[str],
    active: bool = True,
) -> Thing:
    interval = HOUR_MS // 2
    if not model.on_the_round:
        interval = int(HOUR_MS * dice(seed, "interval", number).uniform(0.25, 0.75))
    return Thing(
        uuid=identity(seed, "thing", number),
        tina_id=4_200_000 + number,
        hardware_id=f"a84041{number:010x}",
        name=f"{model.name} {number}",
        model=model,
        location=location,
        owner=owner,
        seen_by=seen_by,
        every_ms=interval,
        active=active,
    )
