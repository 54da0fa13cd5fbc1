"""The shapes that travel: what a platform said, what we keep of it, and spans of time.

All instants are aware UTC datetimes. Microseconds are the finest unit, as in Postgres.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

Stream = Literal["readings", "task_reports"]

TaskState = Literal["pending", "running", "succeeded", "failed", "expired", "unknown"]
FINAL: frozenset[TaskState] = frozenset({"succeeded", "failed", "expired"})
"""States in which a task is over. A re-run may begin it anew all the same."""

BEGINNING = datetime.min.replace(tzinfo=UTC)
"""Stands for an unbounded lower end of a span."""
FOREVER = datetime.max.replace(tzinfo=UTC)
"""Stands for an unbounded upper end of a span."""


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """The half-open span `[since, until)` of a feed's axis. Never empty."""

    since: datetime
    until: datetime

    def __post_init__(self) -> None:
        if not self.since < self.until:
            raise ValueError(f"a window must not be empty: [{self.since}, {self.until})")


Spans = tuple[Window, ...]
"""Sorted, disjoint, not touching: the same value as a `tstzmultirange`."""


class Sample(msgspec.Struct, frozen=True):
    """One value as the platform said it, in the platform's words.

    `instant` is None where the platform's could not be read; `stated_instant` then keeps what
    it said. `value` is decoded JSON of any shape. `reading_id` is the platform's own identity of
    the reading, where it has one: it decides between two values of one instant.
    """

    device: str
    channel: str
    instant: datetime | None
    value: object
    reading_id: str = ""
    stated_instant: object = None


class TaskReport(msgspec.Struct, frozen=True, kw_only=True):
    """How a task stands, as the platform says it now; it may say otherwise later.

    `identity` is the platform's own identity of the report, unique within the tenant; `task` that
    of the task, which may have a report for each of many devices. `stated_state` is the platform's
    word, `state` ours. `result` and `details`, what else it says, are decoded JSON of any shape.
    """

    identity: str
    task: str
    kind: str
    state: TaskState
    stated_state: str | None = None
    device: str | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    updated_at: datetime | None = None
    result: object = None
    details: object = None


@dataclass(frozen=True, slots=True)
class OpenTask:
    """A report of a task that was not over when it was last seen, as `TaskReport` names it."""

    identity: str
    task: str
    device: str | None


Said = Sample | TaskReport
"""What a platform says: one answer may hold both."""


class Reading(msgspec.Struct, frozen=True):
    """One scalar of one series at one instant. Numbers are finite; text is storable."""

    device: str
    channel: str
    instant: datetime
    value: float | str


class Rejection(msgspec.Struct, frozen=True):
    """A sample that is no reading, as text, and the short word that says why."""

    device: str
    channel: str
    reason: str
    stated_instant: str
    value: str


@dataclass(slots=True)
class Normalized:
    """What became of what one answer said: `readings` has one for each series and instant.

    `repeated` counts samples that said once more what another one of the answer said. `reports`
    has one for each identity.
    """

    readings: list[Reading] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    repeated: int = 0
    reports: list[TaskReport] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Token:
    """What a login or a renewal gave (RFC 6749, section 5.1). Never shown in a representation."""

    access_token: str = field(repr=False)
    expires_at: datetime | None = None
    refresh_token: str | None = field(default=None, repr=False)
    refresh_expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who logs in, and with what. `user` is None for the tenant's own client.

    A token in the place of a password is what somebody got at the platform by hand.
    """

    user: str | None
    password: str | None = field(default=None, repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    access_token: str | None = field(default=None, repr=False)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to log in with: not so of the tenant's own client."""
        secrets = (self.password, self.refresh_token, self.access_token)
        return self.user is not None and not any(secrets)


@dataclass(frozen=True, slots=True)
class Channel:
    """What a platform says of one channel of a device, in its own words."""

    name: str
    label: str | None = None
    type: str | None = None
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """A device as a platform lists it. `identifier` is the platform's own and never changes."""

    identifier: str
    name: str | None = None
    kind: str | None = None
    channels: tuple[Channel, ...] = ()


@dataclass(frozen=True, slots=True)
class Feed:
    """The smallest thing a window can be asked of; `key` is the adapter's own name for it.

    `from_now`: wanted from when it is found, and not over the tenant's history. A feed with `every`
    goes over what others tell too: it is wanted so much at a time, and not looked at again. `place`
    is where the platform keeps its history, where one that is moved loses that.
    """

    stream: Stream
    key: str
    devices: tuple[str, ...] = ()
    from_now: bool = False
    every: timedelta | None = None
    place: str | None = None


@dataclass(frozen=True, slots=True)
class Discovered:
    """One finding of a discovery: a device, its feeds, and the user through whom they are seen.

    `device` is None where the feeds are of no device, such as a user's task reports. `seen_by` is
    None for "the account that asked"; a tenant's own client names the owner.
    """

    device: Device | None
    feeds: tuple[Feed, ...] = ()
    seen_by: str | None = None


@dataclass(frozen=True, slots=True)
class Meaning:
    """What we believe a channel means: canonical value = raw value x scale + offset, in `unit`.

    `unit` is in the spelling of SenML (RFC 8428).
    """

    quantity: str
    unit: str
    scale: float = 1.0
    offset: float = 0.0
    enumeration: Mapping[str, str] | None = None


Meanings = Mapping[tuple[str, str], Meaning]
"""By the stated type and unit, both in small letters, and empty where none is stated."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the samples of a commit; their sum is what was pulled."""

    stored: int = 0
    corrected: int = 0
    unchanged: int = 0
    rejected: int = 0

    @property
    def pulled(self) -> int:
        return self.stored + self.corrected + self.unchanged + self.rejected

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.stored + other.stored,
            self.corrected + other.corrected,
            self.unchanged + other.unchanged,
            self.rejected + other.rejected,
        )
