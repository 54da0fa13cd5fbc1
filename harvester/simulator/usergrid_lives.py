"""How push notifications live in the fake Usergrid, from their beginning until they are over.

The server writes most of what it does without moving `modified`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

from harvester.simulator.tenants import Thing
from harvester.simulator.usergrid_notifications import NOTIFIER, Outcome, Properties, unit_ms
from harvester.simulator.usergrid_quirks import Switches

MINUTE_MS = 60_000
ERRORS = (("InvalidRegistration", "not registered"), (0, "Failed to send"))
"""Codes and messages, of providers and of the server's own."""
TROUBLE = "There was a problem delivering all of your notifications. See deliveryErrors"


@dataclass(frozen=True, slots=True)
class Step:
    """What is written of a task at `at_ms`: put by somebody, or updated by the server, which may
    leave `modified` as it was. The outcomes are those that become known with it."""

    at_ms: int
    properties: Properties
    how: Literal["put", "update", "silent"] = "put"
    outcomes: tuple[Outcome, ...] = ()


@dataclass(frozen=True, slots=True)
class Post:
    """One that is posted at `ms`, and what will become of it on each device."""

    ms: int
    outcomes: tuple[Outcome, ...]
    unit_ms: int
    chance: Random

    def minutes(self, shortest: float, longest: float) -> int:
        """Some time between the two, in ms."""
        return int(MINUTE_MS * self.chance.uniform(shortest, longest))


def wished(switches: Switches, chance: Random) -> dict[str, object]:
    """What somebody wants of one."""
    told: dict[str, object] = {"payloads": {NOTIFIER: "Look at the freezer"}}
    told |= {"debug": chance.random() < 0.4}
    saves = {"saveReceipts": chance.random() < 0.9}
    return told if switches.server == "2.1.0" else told | saves


def life(ms: int, things: tuple[Thing, ...], switches: Switches, chance: Random) -> Iterator[Step]:
    """All that happens to one that is posted at `ms`, for some of the things."""
    chosen = chance.sample(things, min(len(things), chance.randint(1, 3)))
    outcomes = tuple(Outcome(thing, _error(chance)) for thing in chosen)
    (fate,) = chance.choices(list(FATES), list(FATES.values()))
    for step in fate(Post(ms, outcomes, unit_ms(switches), chance)):
        yield replace(step, properties=_as_written(step.properties, switches))


def posted(told: Properties, ms: int, switches: Switches) -> Iterator[Step]:
    """What happens to one of somebody else's: it is for no device, and over when it is due."""
    deliver = told.get("deliver")
    due_ms = deliver * unit_ms(switches) if isinstance(deliver, int) else ms
    yield Step(ms, {"started": ms}, "silent")
    over = _batch(due_ms, (), ())
    yield replace(over, properties=_as_written(over.properties, switches))


def _as_written(told: Properties, switches: Switches) -> dict[str, object]:
    """What that server knows of."""
    left_out = set() if switches.statistics else {"statistics"}
    if switches.server == "2.1.0":
        left_out |= {"processingFinished", "deviceProcessedCount"}
    return {name: value for name, value in told.items() if name not in left_out}


def _error(chance: Random) -> tuple[str | int, str] | None:
    return chance.choice(ERRORS) if chance.random() < 0.4 else None


def _at_once(post: Post) -> Iterator[Step]:
    """Started with the post itself."""
    begun_ms = post.ms + 15
    yield Step(post.ms, {})
    yield Step(begun_ms, {"started": begun_ms, "queued": begun_ms}, "silent")
    yield from _sent(post, begun_ms + post.minutes(1, 25))


def _queued_first(post: Post) -> Iterator[Step]:
    yield Step(post.ms, {"queued": post.ms})
    begun_ms = post.ms + post.minutes(5, 40)
    yield Step(begun_ms, {"started": begun_ms}, "silent")
    yield from _sent(post, begun_ms + post.minutes(1, 25))


def _later(post: Post) -> Iterator[Step]:
    """It has started at once, by what it says, and is scheduled until it is finished."""
    at_ms, begun_ms = post.ms + post.minutes(10, 120), post.ms + 15
    yield Step(post.ms, {"deliver": at_ms // post.unit_ms})
    yield Step(begun_ms, {"started": begun_ms}, "silent")
    yield Step(at_ms, {"queued": at_ms}, "silent")
    yield from _sent(post, at_ms + post.minutes(0, 2))


def _never(post: Post) -> Iterator[Step]:
    """Nobody delivers it, and it expires."""
    at_ms = post.ms + post.minutes(10, 60)
    expire_ms = at_ms + post.minutes(10, 60)
    yield Step(post.ms, {"deliver": at_ms // post.unit_ms, "expire": expire_ms // post.unit_ms})


def _canceled(post: Post) -> Iterator[Step]:
    at_ms = post.ms + post.minutes(30, 60)
    yield Step(post.ms, {"deliver": at_ms // post.unit_ms})
    yield Step(at_ms - post.minutes(1, 20), {"canceled": True})


def _failed_after_all(post: Post) -> Iterator[Step]:
    steps = list(_at_once(post))
    yield from steps
    yield Step(steps[-1].at_ms + post.minutes(5, 120), {"errorMessage": TROUBLE}, "update")


FATES: Mapping[Callable[[Post], Iterator[Step]], int] = {
    _at_once: 6,
    _queued_first: 4,
    _later: 4,
    _never: 2,
    _canceled: 2,
    _failed_after_all: 2,
}
"""With how often each is met."""


def _sent(post: Post, ms: int) -> Iterator[Step]:
    """At times the last device comes by itself, and the end is told twice."""
    outcomes = post.outcomes
    processed = {"processingFinished": ms, "deviceProcessedCount": len(outcomes)}
    yield Step(ms, processed, "silent")
    ms += post.minutes(0, 2)
    if len(outcomes) > 1 and post.chance.random() < 0.5:
        yield _batch(ms, outcomes[:-1], outcomes[:-1])
        yield _batch(ms + post.minutes(1, 10), outcomes, outcomes[-1:])
    else:
        yield _batch(ms, outcomes, outcomes)


def _batch(ms: int, so_far: tuple[Outcome, ...], outcomes: tuple[Outcome, ...]) -> Step:
    errors = sum(outcome.error is not None for outcome in so_far)
    statistics = {"sent": len(so_far) - errors, "errors": errors}
    return Step(ms, {"finished": ms, "statistics": statistics}, "update", outcomes)
