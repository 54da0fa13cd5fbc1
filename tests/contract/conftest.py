"""Stages for the platforms that a module names in `PLATFORMS`: a platform's file is enough to be
tested here, and fails here without a fake. Quirks that `BESIDE` matches are no business of it."""

import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from brought import goes_by_arrival
from fix_platforms import Stage, staged

from harvester.simulator import fakes

if TYPE_CHECKING:
    from harvester.store.pool import Pool


LASTING: Mapping[str, Mapping[str, Any]] = {"devicehive": {"cache_ttl": 0}}
"""So that all that was ever said can be asked for, as of a platform that keeps it."""
SKEWS = {"behind": timedelta(hours=-2), "ahead": timedelta(hours=2)}
"""How far a platform's clock may be ahead of ours."""


def quirks(platforms: Iterable[str], beside: str) -> Iterator[tuple[str, str | None]]:
    for name in platforms:
        try:
            ways = fakes.simulated(name).QUIRKS
            yield from ((name, way) for way in ways if not (beside and re.search(beside, way)))
        except LookupError:
            yield name, None  # so that a test tells


def lossy(platforms: Iterable[str]) -> Iterator[tuple[str, str | None]]:
    """The quirks by which a platform's index never knows all that there is."""
    for name, way in quirks(platforms, ""):
        if way and bool(getattr(fakes.simulated(name).QUIRKS[way], "unindexed", False)):
            yield name, way


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    platforms, beside = metafunc.module.PLATFORMS, getattr(metafunc.module, "BESIDE", "")
    if "stage" in metafunc.fixturenames:
        metafunc.parametrize("stage", platforms, indirect=True)
    if "quirky" in metafunc.fixturenames:
        parametrize(metafunc, "quirky", quirks(platforms, beside))
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


def played(
    name: str, pool: "Pool", quirk: str | None = None, **switched: object
) -> AbstractAsyncContextManager[Stage]:
    return staged(name, pool, quirk=quirk, **{**LASTING.get(name, {}), **switched})


@pytest.fixture
async def stage(request: pytest.FixtureRequest, pool: "Pool") -> AsyncIterator[Stage]:
    """Each platform, as its documents say."""
    async with played(request.param, pool) as stage:
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
