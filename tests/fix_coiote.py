"""A simulated Coiote on a hand-moved clock, and a daemon's insides that keep up with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fix_simulator
from beating import Beating, Key
from fix_postgres import Database

from harvester import config
from harvester.model import Spans
from harvester.service.house import opened
from harvester.service.tenant import working
from harvester.simulator.clock import HandClock
from harvester.simulator.coiote import FakeCoiote, serve
from harvester.simulator.coiote_quirks import AS_DOCUMENTED, Switches
from harvester.simulator.coiote_site import Device
from harvester.simulator.configured import Served
from harvester.simulator.uplinks import Habits
from harvester.simulator.world import World
from harvester.store.spans import from_multirange

BEGIN = datetime(2026, 3, 4, 10, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
SETTLING = timedelta(seconds=30)
"""Of the newest time, which is not asked for."""
SLOW = frozenset({"3/0/9", "4/0/2"})
"""Resources of which only the latest values are kept, wherever the device is."""

_LOST = "select feed, lost from harvester.coverage where stream = 'readings' and not isempty(lost)"

_FAILURES = """
select failure from harvester.coverage
where stream = 'readings' and feed like $1 and failure is not null
"""


@dataclass(slots=True)
class Plant(Beating):
    """A tenant of a Coiote."""

    fake: FakeCoiote

    async def beat(self, after: timedelta = timedelta(minutes=10)) -> bool:
        """A tick, when so much time has passed."""
        self.clock.advance(after)
        return await self.tick()

    def device(self, model: str) -> Device:
        found = self.fake.site.of("acme")
        return next(each for each in found if each.thing.model.name == model)

    def settled_truth(self) -> Mapping[Key, float | str]:
        """What was published until the newest instant that is asked for."""
        until = self.clock.now() - SETTLING
        return {key: value for key, value in self.truth().items() if key[2] < until}

    async def settled(self) -> Mapping[Key, float | str]:
        """The same, as it is held."""
        until = self.clock.now() - SETTLING
        return {key: value for key, value in (await self.held()).items() if key[2] < until}

    async def reasons(self, device: str) -> list[str]:
        """Why feeds of readings of a device fail."""
        rows = await self.house.pool.fetch(_FAILURES, f"{device} %")
        return [row["failure"] for row in rows]

    async def lost(self) -> dict[str, Spans]:
        """By feed of readings, where anything is."""
        rows = await self.house.pool.fetch(_LOST)
        return {row["feed"]: from_multirange(row["lost"]) for row in rows}


@asynccontextmanager
async def plant(
    database: Database,
    folder: Path,
    switches: Switches = AS_DOCUMENTED,
    *,
    history: timedelta = HOUR,
    things: int = 4,
    own: bool = True,
    habits: Habits | None = None,
    **options: str,
) -> AsyncIterator[Plant]:
    """A daemon's insides before a fake, told by a configuration file as an operator writes it.

    The tenant has a service account of its `own`, which may ask all, beside its users.
    """
    clock = HandClock(BEGIN)
    since = BEGIN - history
    world = World("plant", clock, since, tenants=("acme",), things=things, habits=habits)
    async with serve(world, switches=switches) as fake:
        settings = await asyncio.to_thread(configured, fake, database, folder, own, options)
        async with (
            opened(settings, clock, "test") as house,
            working(house, settings.tenants[0]) as tenant,
        ):
            yield Plant(clock, fake, tenant, house)


def configured(
    fake: FakeCoiote, database: Database, folder: Path, own: bool, options: Mapping[str, str]
) -> config.Settings:
    served = Served("coiote", fake.world, fake.url)
    settings = fix_simulator.configured(served, database, folder, "10m", options)
    return settings if own else without_own(folder / "config.toml")


def without_own(path: Path) -> config.Settings:
    """As read when the file says nothing of the service account any more. Blocks on files."""
    lines = path.read_text("utf-8").splitlines()
    own = ("realm =", "client_id =", "client_secret =")
    kept = [each for each in lines if not each.startswith(own)]
    path.write_text("\n".join(kept), "utf-8")
    return config.load(path)
