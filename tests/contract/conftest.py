"""Stages for the platforms that a module names in `PLATFORMS`: a platform's file is enough to be
tested here, and fails here without a fake. Quirks that `BESIDE` matches are no business of it."""

import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest
from fix_platforms import Stage, staged

from harvester.simulator import fakes

if TYPE_CHECKING:
    from harvester.store.pool import Pool


LASTING: Mapping[str, Mapping[str, Any]] = {"devicehive": {"cache_ttl": 0}}
"""So that all that was ever said can be asked for, as of a platform that keeps it."""


def quirks(platforms: Iterable[str], beside: str) -> Iterator[tuple[str, str | None]]:
    for name in platforms:
        try:
            ways = fakes.simulated(name).QUIRKS
            yield from ((name, way) for way in ways if not (beside and re.search(beside, way)))
        except LookupError:
            yield name, None  # so that a test tells


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    platforms = metafunc.module.PLATFORMS
    if "stage" in metafunc.fixturenames:
        metafunc.parametrize("stage", platforms, indirect=True)
    if "quirky" in metafunc.fixturenames:
        ways = list(quirks(platforms, getattr(metafunc.module, "BESIDE", "")))
        names = [" ".join(filter(None, way)) for way in ways]
        metafunc.parametrize("quirky", ways, ids=names, indirect=True)


@pytest.fixture
async def stage(request: pytest.FixtureRequest, pool: "Pool") -> AsyncIterator[Stage]:
    """Each platform, as its documents say."""
    async with staged(request.param, pool, **LASTING.get(request.param, {})) as stage:
        yield stage


@pytest.fixture
async def quirky(request: pytest.FixtureRequest, pool: "Pool") -> AsyncIterator[Stage]:
    """Each platform in each of its ways."""
    name, quirk = request.param
    async with staged(name, pool, quirk=quirk, **LASTING.get(name, {})) as stage:
        yield stage
