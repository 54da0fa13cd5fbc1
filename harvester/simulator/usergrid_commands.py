"""The commands that a tenant of the fake Usergrid keeps in a collection of its own design."""

from collections.abc import Iterator
from random import Random

from harvester.simulator.tenants import Thing
from harvester.simulator.usergrid_lives import MINUTE_MS, Step
from harvester.simulator.usergrid_notifications import Properties
from harvester.simulator.world import instant

PATH = "commands"
OPTIONS: dict[str, object] = {
    "path": PATH,
    "kind": "order",
    "device": "for.device",
    "state": "status",
    "states": {"sent": "running", "kein Kontakt": "expired"},
    "started": "sent_at",
    "finished": "over.at",
    "time_unit": "iso",
    "result": "over.answer",
}
"""As a tenant's configuration says it."""
ORDERS = ("valve/open", "reboot", "config/set")
FATES = {"done": 6, "failed": 2, "kein Kontakt": 1, None: 2}
"""The last words, None where none comes, with how often each is met."""


def life(ms: int, things: tuple[Thing, ...], chance: Random) -> Iterator[Step]:
    """All that is written of one that is given at `ms`."""
    order = {"order": chance.choice(ORDERS), "for": {"device": chance.choice(things).uuid}}
    yield Step(ms, order | {"status": "queued", "line": chance.randint(1, 4)})
    ms += int(MINUTE_MS * chance.uniform(0.05, 30))
    yield Step(ms, {"status": "sent", "sent_at": _iso(ms)})
    (fate,) = chance.choices(list(FATES), list(FATES.values()))
    if fate is not None:
        ms += int(MINUTE_MS * chance.uniform(0.01, 60))
        answer = {"answer": {"tries": chance.randint(1, 3)}} if fate == "done" else {}
        yield Step(ms, {"status": fate, "over": {"at": _iso(ms)} | answer})


def standing(told: Properties, _ms: int) -> tuple[str | None, object]:
    """The word for how it stands, and its result."""
    status, over = told.get("status"), told.get("over")
    return str(status) if status else None, over.get("answer") if isinstance(over, dict) else None


def of_what(told: Properties) -> tuple[str, str | None]:
    """Its kind and its device."""
    whose = told.get("for")
    device = whose.get("device") if isinstance(whose, dict) else None
    return str(told.get("order", PATH)), device


def _iso(ms: int) -> str:
    return instant(ms).isoformat(timespec="milliseconds")
