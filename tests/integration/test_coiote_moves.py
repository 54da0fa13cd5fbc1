"""Devices that are moved between domains of a Coiote, and what can be proven of them since."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from beating import Key
from fix_coiote import HOUR, SLOW, Plant, plant
from fix_postgres import Database

from harvester.model import Spans
from harvester.simulator import coiote_rest
from harvester.simulator.coiote_quirks import AS_DOCUMENTED, Switches
from harvester.simulator.coiote_site import Device
from harvester.simulator.faults import Answer, Fault, Kind
from harvester.simulator.uplinks import Habits
from harvester.store.spans import from_multirange

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
LATE = Habits(late=0.5, latency=timedelta(0), corrected=0)
HISTORY = "deviceMonitoring"

_PULLED = "select feed, pulled from harvester.coverage where stream = 'readings'"


@dataclass(slots=True)
class Observer:
    """Who has seen all that was ever told of a device until its last move."""

    it: Plant
    device: Device
    seen: dict[Key, float | str]

    def look(self) -> None:
        told = self.it.truth().items()
        self.seen |= {
            key: value
            for key, value in told
            if key[0] == self.device.id and key[1] not in SLOW and key[2] <= self.it.clock.now()
        }

    def move(self, domain: str) -> None:
        self.look()
        self.it.fake.move(self.device.id, domain)

    async def wait_for_something_late(self) -> None:
        """Until something was told of time that is covered already, and no tick has seen it."""
        await self._wait(self.falsely_pulled)

    async def wait_for_something_new(self) -> None:
        """Until something was told that no tick has seen."""
        await self._wait(self.lacking)

    async def _wait(self, told: Callable[[], Awaitable[set[Key]]]) -> None:
        while not await told():
            self.it.clock.advance(MINUTE)
            self.look()

    async def lacking(self) -> set[Key]:
        """What the database has not, or otherwise."""
        held = await self.it.held()
        return {key for key, value in self.seen.items() if held.get(key) != value}

    async def falsely_pulled(self) -> set[Key]:
        """What of that lies in time that is told to be covered."""
        rows = await self.it.house.pool.fetch(_PULLED)
        pulled = {row["feed"]: from_multirange(row["pulled"]) for row in rows}
        return {
            key
            for key in await self.lacking()
            if lies_in(pulled.get(f"{key[0]} /{key[1]}", ()), key[2])
        }


def lies_in(spans: Spans, at: datetime) -> bool:
    return any(span.since <= at < span.until for span in spans)


def observing(it: Plant) -> Observer:
    return Observer(it, it.device("Cold room"), {})


async def settle(observer: Observer) -> None:
    """Ticks until the move is found, and all that was asked for again is answered for."""
    for _ in range(5):
        await observer.it.beat(HOUR / 2)


async def test_nothing_that_went_with_a_move_is_told_to_be_covered(
    database: Database, tmp_path: Path
) -> None:
    async with plant(database, tmp_path, history=7 * HOUR, things=2, habits=LATE) as it:
        observer = observing(it)
        for _ in range(3):
            await it.beat(25 * MINUTE)
        await observer.wait_for_something_late()
        observer.move("/acme/elsewhere/")
        await settle(observer)
        assert await observer.lacking()
        assert await observer.falsely_pulled() == set()
        assert await it.lost()


@pytest.mark.parametrize("own", [True, False])
async def test_what_was_asked_for_in_the_tick_of_a_move_is_not_proven(
    database: Database, tmp_path: Path, own: bool
) -> None:
    switches = replace(AS_DOCUMENTED, permissions="documented" if own else "all")
    async with plant(
        database, tmp_path, switches, history=7 * HOUR, things=2, own=own, habits=LATE
    ) as it:
        observer = observing(it)

        async def moving(request: web.Request, honest: Answer) -> web.StreamResponse:
            observer.move("/acme/elsewhere/")
            return await honest(request)

        it.fake.faults.add(Fault(f"{HISTORY}/data/{observer.device.id}", moving, times=1))
        await it.beat()
        assert await observer.falsely_pulled(), "nothing told of it yet"
        await settle(observer)
        assert await observer.falsely_pulled() == set()


@pytest.mark.parametrize("back", [True, False])
async def test_two_moves_between_two_discoveries_are_seen_by_the_tick_between_them(
    database: Database, tmp_path: Path, back: bool
) -> None:
    async with plant(database, tmp_path, history=7 * HOUR, things=2, habits=LATE) as it:
        observer = observing(it)
        home = observer.device.domain
        await it.beat()
        await observer.wait_for_something_new()
        observer.move("/acme/elsewhere/")
        await it.beat(MINUTE)
        observer.move(home if back else "/acme/depot/")
        await it.beat(MINUTE)
        await settle(observer)
        assert await observer.falsely_pulled() == set()
        assert await it.reasons(observer.device.id) == [], "and it is asked again"


async def test_a_device_that_is_moved_back_later_has_lost_its_history_twice(
    database: Database, tmp_path: Path
) -> None:
    async with plant(database, tmp_path, history=7 * HOUR, things=2, habits=LATE) as it:
        observer = observing(it)
        home = observer.device.domain
        for domain in ("/acme/elsewhere/", home):
            await it.beat(25 * MINUTE)
            await observer.wait_for_something_late()
            observer.move(domain)
            await settle(observer)
            assert await observer.lacking()
            assert await observer.falsely_pulled() == set()


def without_domain() -> Kind:
    """A device as an account is told of it that may not know where it is."""

    async def kind(request: web.Request, honest: Answer) -> web.StreamResponse:
        answer = await honest(request)
        assert isinstance(answer, web.Response)
        return web.json_response(json.loads(answer.text or "") | {"domain": None})

    return kind


async def test_what_was_had_through_an_account_that_is_told_no_domain_is_not_proven(
    database: Database, tmp_path: Path
) -> None:
    async with plant(database, tmp_path, history=7 * HOUR, things=2, habits=LATE) as it:
        observer = observing(it)
        it.fake.faults.add(Fault(f"/devices/{observer.device.id}", without_domain(), times=None))
        await it.beat(25 * MINUTE)
        await observer.wait_for_something_late()
        observer.move("/acme/elsewhere/")
        it.fake.forbid(
            it.fake.world.tenants["acme"].admin_client.id, coiote_rest.HISTORY + "{url:.+}"
        )
        await it.beat(10 * MINUTE)
        await settle(observer)
        assert await observer.falsely_pulled() == set()


async def test_what_was_settled_long_before_a_move_stays_covered(
    database: Database, tmp_path: Path
) -> None:
    async with plant(database, tmp_path, Switches(), history=3 * DAY, things=2, habits=LATE) as it:
        observer = observing(it)
        for _ in range(3):
            await it.beat(HOUR)
        observer.move("/acme/elsewhere/")
        await settle(observer)
        for (span,) in (await it.lost()).values():
            assert it.clock.now() - span.since < DAY + 6 * HOUR
        assert await observer.falsely_pulled() == set()
