"""Devices that fall silent at a Coiote: what they said with a clock of their own, or kept."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from beating import Key
from fix_coiote import HOUR, SLOW, Plant, plant
from fix_postgres import Database

from harvester.simulator.coiote_quirks import Switches
from harvester.simulator.uplinks import QUIET


async def lacking(it: Plant) -> set[Key]:
    """What was told of resources with a history, and is not held."""
    held = await it.settled()
    return {
        key
        for key, value in it.settled_truth().items()
        if key[1] not in SLOW and held.get(key) != value
    }


async def test_what_a_device_dated_ahead_before_it_fell_silent_is_held_after_the_last_look(
    database: Database, tmp_path: Path
) -> None:
    switches = Switches(ahead=3 * HOUR, permissions="all")
    async with plant(database, tmp_path, switches, things=2, habits=QUIET) as it:
        assert await it.beat()
        for device in it.fake.site.of("acme"):
            it.fake.leave(device.id)
        for _ in range(5):
            assert await it.beat(HOUR)
        assert await lacking(it), "it was not asked for yet"
        for _ in range(23):
            assert await it.beat(HOUR)
        assert await lacking(it) == set()
        assert it.fake.violations == []


async def test_what_a_device_kept_for_days_is_held_when_it_is_back(
    database: Database, tmp_path: Path
) -> None:
    async with plant(database, tmp_path, things=2, habits=QUIET) as it:
        assert await it.beat()
        device = it.device("Cold room")
        it.fake.leave(device.id)
        for _ in range(9):
            assert await it.beat(8 * HOUR)
        it.fake.come_back(device.id)
        kept = {key for key in await lacking(it) if key[0] == device.id}
        assert max(key[2] for key in kept) - min(key[2] for key in kept) > timedelta(days=2)
        assert await it.beat()
        assert await lacking(it) == set()
        assert it.fake.violations == []
