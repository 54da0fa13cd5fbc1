"""The world: what the things of all tenants measured, and the judge of who stored it right.

Everything is fixed when it is published, and nobody sees it before. The world knows no faults:
those are the business of the fakes that speak for it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from harvester.simulator.clock import Clock
from harvester.simulator.curves import DAY_MS
from harvester.simulator.tenants import Tenant, Thing, User, build
from harvester.simulator.uplinks import Habits, Uplink, Values, number, uplinks_of_day

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# About 50 KB each; days beyond these are forgotten and made again, the same.
DAYS_KEPT = 1024
# What is worth watching: something to look back on, and something new each few seconds.
LIVELY_HISTORY = timedelta(hours=30)
LIVELY_PACE = 15
# Of twins each platform lets another hold, and of corrections each is asked in its own time.
LIVELY_HABITS = Habits(twins=0, corrected=0)


@dataclass(frozen=True, slots=True)
class Row:
    """One uplink as it stands at some moment: instant in epoch ms, values by channel."""

    ms: int
    correlation_id: str | None
    values: Values


class World:
    """All there is to know, from one seed.

    The history of a thing begins at `since` and has no end; the clock tells how much of it is
    published. `things` counts the reporting ones of a tenant: a gateway and a deactivated thing
    come on top. `pace` is how many times as often as usual they send.
    """

    def __init__(
        self,
        seed: int | str,
        clock: Clock,
        since: datetime,
        *,
        tenants: Sequence[str] = ("acme", "globex"),
        users: int = 3,
        things: int = 8,
        pace: int = 1,
        habits: Habits | None = None,
    ) -> None:
        self.seed = seed
        self.clock = clock
        self.since = since.astimezone(UTC)
        self.habits = habits or Habits()
        self.tenants: dict[str, Tenant] = {
            name: build(seed, name, n, users, things, pace) for n, name in enumerate(tenants)
        }
        self._days: dict[tuple[str, int], tuple[Uplink, ...]] = {}

    def users(self, tenant: str) -> tuple[User, ...]:
        return self.tenants[tenant].users

    def things(self, tenant: str) -> tuple[Thing, ...]:
        return self.tenants[tenant].things

    def readings(self, thing: Thing, first_ms: int, last_ms: int, as_of_ms: int) -> Iterator[Row]:
        """Yield what is published of `thing` up to `as_of_ms`, by instant, both ends included.

        An uplink that the platform lists twice is yielded twice.
        """
        first_ms = max(first_ms, millis(self.since))
        last_ms = min(last_ms, as_of_ms)  # nothing is published before its own instant
        for day in range(first_ms // DAY_MS, last_ms // DAY_MS + 1):
            for uplink in self.uplinks(thing, day):
                values = uplink.as_of(as_of_ms)
                if values is not None and first_ms <= uplink.ms <= last_ms:
                    row = Row(uplink.ms, uplink.correlation_id, values)
                    yield from [row] * uplink.copies

    def truth(
        self, tenant: str, as_of: datetime | None = None
    ) -> dict[tuple[str, str, datetime], float | str]:
        """Return what a perfect observer of `tenant` holds at `as_of` (now, if not given).

        Keys are (thing uuid, channel, instant in UTC). A number, a numeric string and a boolean
        are a float, other text is itself. Of two uplinks of one instant the greatest correlation
        id holds.
        """
        moment = millis(as_of or self.clock.now())
        held: dict[tuple[str, str, datetime], float | str] = {}
        for thing in self.things(tenant):
            rows = list(self.readings(thing, millis(self.since), moment, moment))
            for row in sorted(rows, key=lambda row: row.correlation_id or ""):
                for channel, value in row.values:
                    told = number(value)
                    held[thing.uuid, channel, instant(row.ms)] = (
                        str(value) if told is None else told
                    )
        return held

    def uplinks(self, thing: Thing, day: int) -> tuple[Uplink, ...]:
        """Return all of a thing on `day` (days since the epoch), by instant, published or not."""
        key = (thing.uuid, day)
        if key not in self._days:
            if len(self._days) >= DAYS_KEPT:
                self._days.clear()
            self._days[key] = uplinks_of_day(self.seed, thing, day, self.habits)
        return self._days[key]


def lively(seed: int | str, clock: Clock, tenants: Sequence[str] = ("acme", "globex")) -> World:
    """Return a world worth watching: thirty hours old, with an uplink each few seconds.

    Platforms that speak for it agree at any time about what they have.
    """
    since = clock.now() - LIVELY_HISTORY
    return World(seed, clock, since, tenants=tenants, pace=LIVELY_PACE, habits=LIVELY_HABITS)


def millis(at: datetime) -> int:
    """Return epoch milliseconds, rounded down; exact, as no float is involved."""
    return (at - EPOCH) // timedelta(milliseconds=1)


def instant(ms: int) -> datetime:
    """Return the aware UTC datetime of epoch milliseconds, exact."""
    return EPOCH + timedelta(milliseconds=ms)
