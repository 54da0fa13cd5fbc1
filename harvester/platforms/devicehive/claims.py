"""What a DeviceHive token says of itself, unproven: its end, its user, and what it may."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from harvester.platforms.base import tokens

READS: Mapping[int, str] = {
    2: "GetNetwork",
    3: "GetDevice",
    4: "GetDeviceNotification",
    5: "GetDeviceCommand",
    17: "GetDeviceType",
}
"""The actions that reading takes, by their numbers."""
ANY = 0
MANAGE_TOKEN = 15


class Rights(msgspec.Struct, frozen=True):
    """The user (`u`), and the actions, networks and device types that a token is good for.

    Without any action it has all that clients may, which is more than reading.
    """

    u: int
    a: frozenset[int]
    n: list[str]
    dt: list[str]

    def holds(self, action: int) -> bool:
        """Whether it may, for one of `READS` or `MANAGE_TOKEN`: clients may all of these."""
        return not self.a or ANY in self.a or action in self.a

    @property
    def reads(self) -> list[str]:
        return [name for action, name in READS.items() if self.holds(action)]

    @property
    def only_reads(self) -> bool:
        return bool(self.a) and self.a <= READS.keys()


def rights(token: str) -> Rights | None:
    """None where it does not say all of them, as before 3.4.3."""
    try:
        return msgspec.convert(_payload(token), Rights)
    except msgspec.ValidationError:
        return None


def end(token: str | None) -> datetime | None:
    """When it ends by the platform's clock; None where it does not say."""
    said = _payload(token or "")
    return tokens.from_millis(said.get("e")) if isinstance(said, dict) else None


def end_of_new(token: str | None, now: datetime) -> datetime | None:
    """The end of a token that the platform gave, or took, just now.

    None where it has ended already by our clock, or never will: that tells of the clocks, or of a
    number that is no milliseconds, and of no end.
    """
    said = end(token)
    return said if said and timedelta() < said - now <= tokens.LONGEST_LIFE else None


def _payload(token: str) -> object:
    return tokens.claims(token).get("payload")
