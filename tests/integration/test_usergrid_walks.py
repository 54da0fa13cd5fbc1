"""Tokens and permissions that end in the middle of a walk from page to page."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from fix_platforms import NOW, Stage, staged

from harvester.errors import Forbidden
from harvester.model import Feed, Sample, Window
from harvester.platforms.base import Api
from harvester.simulator.faults import Fault
from harvester.simulator.usergrid import FakeUsergrid
from harvester.simulator.usergrid_entities import Entity
from harvester.simulator.usergrid_quirks import unauthorized
from harvester.simulator.world import millis

if TYPE_CHECKING:
    from harvester.store.pool import Pool

ROWS = 2500
"""Of one instant: three pages, each by the cursor of the one before."""
AT = NOW - timedelta(minutes=10)
WINDOW = Window(AT, AT + timedelta(milliseconds=1))
BY_CURSOR = re.compile("GET /acme/plant7/readings.*cursor=")

Befall = Callable[[FakeUsergrid, str], object]


def revoke(fake: FakeUsergrid, user: str) -> None:
    fake.revoke(user)


def fail_once(fake: FakeUsergrid, _: str) -> None:
    fake.faults.add(Fault(BY_CURSOR, unauthorized("unauthorized")))


def guard(fake: FakeUsergrid, _: str) -> None:
    fake.switches = replace(fake.switches, guarded=True)


def written(stage: Stage) -> FakeUsergrid:
    """The fake, whose index knows all of what is written here."""
    assert isinstance(stage.fake, FakeUsergrid)
    store, at = stage.fake.store("acme"), millis(AT)
    for n in range(ROWS):
        store.put("readings", {"device": "walked", "ts": at + n, "n": n}, at)
    return stage.fake


def after_a_page(fake: FakeUsergrid, befall: Befall, user: str) -> None:
    """Let it happen once, while the first of our pages goes out."""

    def made(entities: Sequence[Entity]) -> None:
        if len(entities) > 1:
            fake.between_pages = None
            befall(fake, user)

    fake.between_pages = made


def beginnings(fake: FakeUsergrid) -> list[web.Request]:
    """The reads of readings without a cursor, from now on."""
    asked: list[web.Request] = []

    def note(request: web.Request) -> bool:
        if request.path.endswith("/readings") and "cursor" not in request.query:
            asked.append(request)
        return False

    fake.faults.add(Fault(note, unauthorized("unauthorized")))
    return asked


async def walked(stage: Stage, api: Api, key: str) -> list[int]:
    pages = stage.adapter.readings(api, Feed("readings", key), WINDOW)
    said = [each async for page in pages for each in page if isinstance(each, Sample)]
    values = [each.value for each in said if each.device == "walked"]
    return sorted(value for value in values if isinstance(value, int))


@pytest.mark.parametrize("key", ["readings", "readings by graph"])
@pytest.mark.parametrize(("befall", "logins"), [(revoke, 2), (fail_once, 1)])
async def test_a_walk_goes_on_from_where_its_token_was_refused(
    pool: "Pool", key: str, befall: Befall, logins: int
) -> None:
    async with staged("usergrid", pool) as stage:
        fake, api = written(stage), await stage.api()
        begun = beginnings(fake)
        after_a_page(fake, befall, stage.ana.name)
        assert await walked(stage, api, key) == list(range(ROWS))
        disturbed = len(begun)
        assert await walked(stage, api, key) == list(range(ROWS))
        assert len(begun) == 2 * disturbed, "no page was gone back to"
        assert fake.token_calls == {"password": logins}
        assert fake.violations == []


@pytest.mark.parametrize("key", ["readings", "readings by graph"])
async def test_a_permission_that_is_taken_ends_a_walk_and_the_next_one_has_all(
    pool: "Pool", key: str
) -> None:
    async with staged("usergrid", pool) as stage:
        fake, api = written(stage), await stage.api()
        after_a_page(fake, guard, stage.ana.name)
        for _ in range(3):
            with pytest.raises(Forbidden):
                await walked(stage, api, key)
        fake.switches = replace(fake.switches, guarded=False)
        assert await walked(stage, api, key) == list(range(ROWS))
        assert fake.token_calls == {"password": 1}
        assert fake.violations == []
