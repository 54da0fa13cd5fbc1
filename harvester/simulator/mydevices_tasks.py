"""What myDevices does for people: documents that it makes now and then, and alerts.

A report is made anew at fixed times; each run of it is pending, then completed or failed, and some
that failed are completed later. An alert of a thing is on or off. How often all that happens goes
by the pace of the things.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from harvester.simulator.chance import dice, identity
from harvester.simulator.fakes import Standing, TaskTruth
from harvester.simulator.mydevices_shapes import REGISTERED
from harvester.simulator.tenants import Company, Tenant, Thing, User
from harvester.simulator.world import World, instant, millis

NAMES = ("Daily summary", "Audit")


@dataclass(frozen=True, slots=True)
class Report:
    """A document that is made every `every_ms`."""

    id: int
    company: Company
    name: str
    every_ms: int


@dataclass(frozen=True, slots=True)
class Run:
    """One making of a report, which began at the first instant of its history."""

    id: int
    report: Report
    history: tuple[Standing, ...]


@dataclass(frozen=True, slots=True)
class Alert:
    """What watches one thing."""

    id: str
    thing: Thing
    history: tuple[Standing, ...]


def reports(tenant: Tenant, user: User | None = None) -> Iterator[Report]:
    """Yield those of the companies in which the user, or anybody, sees a thing."""
    for company in tenant.companies:
        things = [it for it in _seen(tenant, user) if it.location.company_id == company.id]
        for n, name in enumerate(NAMES if things else ()):
            every_ms = 6 * (n + 1) * min(it.every_ms for it in tenant.things)
            yield Report(10 * company.id + n, company, f"{company.name} {name}", every_ms)


def runs(world: World, report: Report, now: datetime) -> Iterator[Run]:
    """Yield those that have begun, the oldest first."""
    first, last = millis(world.since) // report.every_ms + 1, millis(now) // report.every_ms
    for number in range(first, last + 1):
        changes = _run(world, report, number)
        if history := _until(now, changes):
            yield Run(number, report, history)


def alerts(world: World, tenant: Tenant, now: datetime, user: User | None = None) -> list[Alert]:
    """Return those of the things that measure and that the user, or anybody, sees."""
    watched = (it for it in _seen(tenant, user) if it.active and not it.model.gateway)
    return [_alert(world, thing, now) for thing in watched]


def truth(world: World, tenant: Tenant, now: datetime) -> dict[str, TaskTruth]:
    """Return what all users of the tenant together can know of each task, by its identity."""
    held: dict[str, TaskTruth] = {}
    for report in reports(tenant):
        held[f"report/{report.id}"] = TaskTruth("report", None, (Standing(REGISTERED, "0"),))
        for run in runs(world, report, now):
            held[f"report/{report.id}/run/{run.id}"] = TaskTruth("report run", None, run.history)
    for alert in alerts(world, tenant, now):
        held[f"alert/{alert.id}"] = TaskTruth("alert", alert.thing.uuid, alert.history)
    return held


def _seen(tenant: Tenant, user: User | None) -> Iterator[Thing]:
    return (it for it in tenant.things if user is None or user.name in it.seen_by)


def _run(world: World, report: Report, number: int) -> Iterator[tuple[int, str]]:
    chance = dice(world.seed, "run", report.id, number)
    began = number * report.every_ms + int(report.every_ms * chance.uniform(0, 0.3))
    ended = began + int(report.every_ms * chance.uniform(0.05, 0.2))
    fate = chance.random()
    yield began, "pending"
    yield ended, "completed" if fate < 0.7 else "failed"
    if fate >= 0.85:
        yield ended + report.every_ms // 2, "completed"


def _alert(world: World, thing: Thing, now: datetime) -> Alert:
    begun = Standing(REGISTERED, "not triggered")
    history = _until(now, _alarms(world, thing, now))
    return Alert(identity(thing.uuid, "alert"), thing, (begun, *history))


def _alarms(world: World, thing: Thing, now: datetime) -> Iterator[tuple[int, str]]:
    every_ms = 12 * thing.every_ms
    for number in range(millis(world.since) // every_ms + 1, millis(now) // every_ms + 1):
        chance = dice(world.seed, "alarm", thing.uuid, number)
        if chance.random() < 0.6:
            yield number * every_ms + int(every_ms * chance.uniform(0, 0.4)), "triggered"
            yield number * every_ms + int(every_ms * chance.uniform(0.5, 0.9)), "not triggered"


def _until(now: datetime, changes: Iterator[tuple[int, str]]) -> tuple[Standing, ...]:
    return tuple(Standing(instant(ms), word) for ms, word in changes if ms <= millis(now))
