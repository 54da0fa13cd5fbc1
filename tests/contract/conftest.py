"""Stages for the platforms that a module names in `PLATFORMS`: a platform's file is enough to be
tested here, and fails here without a fake. Of its quirks those count that alter the module's
`ASPECT`."""

import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import fields, replace
from datetime import timedelta
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from brought import goes_by_arrival
from exchanged import LeapClock
from fix_platforms import NOW, SINCE, Stage, staged

from harvester.client import Client
from harvester.simulator import fakes
from harvester.simulator.clock import HandClock
from harvester.simulator.fakes import TaskTruth
from harvester.simulator.uplinks import Habits
from harvester.simulator.world import World

if TYPE_CHECKING:
    from harvester.store.pool import Pool

FAR_FROM_UTC = "XYZ-5:45"
SHOWN = 3
"""Readings of each sort that are named where two lots of them differ."""
SKEWS = {"behind": timedelta(hours=-2), "ahead": timedelta(hours=2)}
"""How far a platform's clock may be ahead of ours."""
UNSETTLED = Habits(late=0.3, corrected=0.3, twins=0.3, repeated=0.2)
MORE_THAN_A_PAGE = 1001
"""Devices: of the pages that platforms have, the largest is of a thousand."""


def quirks(platforms: Iterable[str], aspect: str) -> Iterator[tuple[str, str | None]]:
    """The ways of each platform that differ in an aspect, or in all; of those alike the first."""
    for name in platforms:
        seen: list[Mapping[str, object]] = []
        try:
            ways = [(name, way) for way in fakes.simulated(name).QUIRKS]
        except LookupError:
            yield name, None  # so that a test tells
            continue
        for way in ways:
            if (differing := switched(*way, aspect)) not in seen:
                seen.append(differing)
                yield way


def switched(name: str, way: str, aspect: str) -> Mapping[str, object]:
    """The switches of a way, less those that alter other aspects only."""
    aspects = fakes.stated(name, "ASPECTS", dict[str, str]())
    beside = set(" ".join(aspects.values()).split()) - set(aspects.get(aspect, "").split())
    switches = replace(fakes.simulated(name).QUIRKS[way], **lasting(name, way))
    names = {each.name for each in fields(switches)}
    return {each: getattr(switches, each) for each in names - beside}


def lasting(name: str, way: str | None) -> Mapping[str, Any]:
    """What makes a way tell all that was ever said, where it does not differ in just that."""
    quirks, told = fakes.simulated(name).QUIRKS, fakes.stated(name, "LASTING", dict[str, Any]())
    documented = next(iter(quirks.values()))
    switches = quirks[way] if way else documented
    same = (each for each in told if getattr(switches, each) == getattr(documented, each))
    return {each: told[each] for each in same}


def lossy(platforms: Iterable[str]) -> Iterator[tuple[str, str | None]]:
    """The quirks by which a platform's index never knows all that there is."""
    for name in platforms:
        for way, switches in fakes.simulated(name).QUIRKS.items():
            if getattr(switches, "unindexed", False):
                yield name, way


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    platforms, aspect = metafunc.module.PLATFORMS, getattr(metafunc.module, "ASPECT", "")
    for fixture in {"stage", "large", "unsettled"} & {*metafunc.fixturenames}:
        metafunc.parametrize(fixture, platforms, indirect=True)
    if "quirky" in metafunc.fixturenames:
        parametrize(metafunc, "quirky", quirks(platforms, aspect))
    if "forgetful" in metafunc.fixturenames:
        parametrize(metafunc, "forgetful", lossy(platforms))
    if "skewed" in metafunc.fixturenames:
        ways = product(filter(goes_by_arrival, platforms), SKEWS)
        parametrize(metafunc, "skewed", ways)


def parametrize(
    metafunc: pytest.Metafunc, fixture: str, ways: Iterable[tuple[str, str | None]]
) -> None:
    each = list(ways)
    names = [" ".join(filter(None, way)) for way in each]
    metafunc.parametrize(fixture, each, ids=names, indirect=True)


def many_things(clock: HandClock) -> World:
    """Of which none says a word before tomorrow."""
    since = clock.now() + timedelta(days=1)
    return World("stage", clock, since, tenants=("acme",), users=1, things=MORE_THAN_A_PAGE)


def much_to_come(clock: HandClock) -> World:
    return World("stage", clock, SINCE, tenants=("acme",), habits=UNSETTLED)


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """How readings differ from what is true of them, in place of thousands of lines."""
    if op != "==" or not (isinstance(left, dict) and isinstance(right, dict)):
        return None
    lots = {
        "are missing": [key for key in right if key not in left],
        "were never said": [key for key in left if key not in right],
        "differ": [key for key in left if key in right and left[key] != right[key]],
    }
    told = [f"{len(left)} told, {len(right)} expected"]
    for sort, keys in lots.items():
        told.append(f"{len(keys)} {sort}")
        told += [f"  {key}: {left.get(key)!r}, {right.get(key)!r}" for key in keys[:SHOWN]]
    return told


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This machine stands where no clock on the wall shows UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", FAR_FROM_UTC)
        time.tzset()
        yield
    time.tzset()


def played(
    name: str, pool: "Pool", quirk: str | None = None, **differing: object
) -> AbstractAsyncContextManager[Stage]:
    return staged(name, pool, quirk=quirk, **{**lasting(name, quirk), **differing})


@pytest.fixture
async def stage(request: pytest.FixtureRequest, pool: "Pool") -> AsyncIterator[Stage]:
    """Each platform, as its documents say."""
    async with played(request.param, pool) as stage:
        yield stage


@pytest.fixture
async def hasty(stage: Stage) -> AsyncIterator[Stage]:
    """The same, whose reads are repeated at once."""
    client = Client(
        stage.options.base_url,
        LeapClock(NOW),
        tenant="acme",
        platform=stage.platform,
        concurrency=64,
    )
    async with client:
        yield replace(stage, client=client)


@pytest.fixture
async def to_come(stage: Stage, pool: "Pool") -> Mapping[str, TaskTruth]:
    """How tasks will have stood after half a day."""
    async with played(stage.platform, pool) as later:
        later.clock.advance(timedelta(hours=12))
        return later.fake.task_truth("acme")


@pytest.fixture
async def large(request: pytest.FixtureRequest, pool: "Pool") -> AsyncIterator[Stage]:
    """Each platform, with more devices than it tells of at once."""
    async with played(request.param, pool, world_at=many_things) as stage:
        yield stage


@pytest.fixture
async def unsettled(request: pytest.FixtureRequest, pool: "Pool") -> AsyncIterator[Stage]:
    """Each platform, much of whose readings comes late, or is corrected."""
    async with played(request.param, pool, world_at=much_to_come) as stage:
        yield stage


@pytest.fixture
async def quirky(request: pytest.FixtureRequest, pool: "Pool") -> AsyncIterator[Stage]:
    """Each platform in each of its ways."""
    name, quirk = request.param
    async with played(name, pool, quirk) as stage:
        yield stage


@pytest.fixture
async def forgetful(request: pytest.FixtureRequest, pool: "Pool") -> AsyncIterator[Stage]:
    """Each platform whose index lost some of what it is asked for."""
    name, quirk = request.param
    async with played(name, pool, quirk) as stage:
        yield stage


@pytest.fixture
async def skewed(request: pytest.FixtureRequest, pool: "Pool") -> AsyncIterator[Stage]:
    """Each platform whose windows are of what came in by its own clock, which is wrong."""
    name, way = request.param
    async with played(name, pool, clock_skew=SKEWS[way]) as stage:
        yield stage
