"""Tenants at work in a house on a hand-moved clock, added and taken away as by the daemon."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from fix_postgres import Database
from fix_simulator import configured_for
from prometheus_client import generate_latest

from harvester import config, metrics
from harvester.config import Settings
from harvester.service import tenants as module
from harvester.service.house import House, opened
from harvester.service.reload import Reload
from harvester.service.tenants import Tenants
from harvester.simulator.clock import HandClock
from harvester.simulator.mydevices import FakeMydevices

SOON = timedelta(milliseconds=50)
ACME, GLOBEX = "acme readings", "globex readings"
ACME_TASKS, GLOBEX_TASKS = "acme task_reports", "globex task_reports"


@dataclass(slots=True)
class Shop:
    """Two tenants, ready to be worked."""

    fake: FakeMydevices
    clock: HandClock
    settings: Settings
    house: House
    tenants: Tenants

    async def begun(self) -> None:
        for each in self.settings.tenants:
            await self.tenants.begin(each)

    def without(self, name: str) -> Settings:
        kept = tuple(each for each in self.settings.tenants if each.name != name)
        return self.settings.model_copy(update={"tenants": kept})

    def reload(self, wanted: Settings) -> Reload:
        return Reload(self.settings, lambda: wanted, self.tenants, self.house.keys, self.clock)


def series(tenant: str = "", name: str = "") -> dict[str, float]:
    """What `/metrics` says of a tenant, by the name and labels as written."""
    lines = generate_latest().decode().splitlines()
    found = [line.rpartition(" ") for line in lines if f'tenant="{tenant}"' in line or not tenant]
    return {key: float(value) for key, _, value in found if key.startswith(f"harvester_{name}")}


@asynccontextmanager
async def shop_at(fake: FakeMydevices, database: Database, folder: Path) -> AsyncIterator[Shop]:
    clock = fake.world.clock
    assert isinstance(clock, HandClock)
    path = await configured_for(fake, folder, database)
    settings = await asyncio.to_thread(config.load, path)
    async with opened(settings, clock, "test") as house:
        for each in settings.tenants:  # as other tests may have left it
            metrics.forget(each.name)
        tenants = Tenants(house)
        yield Shop(fake, clock, settings, house, tenants)
        await tenants.drain()


@pytest.fixture
async def shop(
    fake: FakeMydevices, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Shop]:
    monkeypatch.setattr(module, "DRAIN", SOON)
    async with shop_at(fake, database, tmp_path) as shop:
        yield shop
