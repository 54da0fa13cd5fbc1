"""SIGTERM to the installed daemon while its database is there, and answers nothing."""

from __future__ import annotations

import asyncio
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest
from acceptance.daemon import hurried, running
from befallen import Gate
from fix_devicehive import configured
from fix_postgres import Database
from fix_store import line_to

from harvester.simulator.clock import RealClock
from harvester.simulator.devicehive import serve
from harvester.simulator.devicehive_quirks import Switches
from harvester.simulator.faults import Fault
from harvester.simulator.world import World

NOT_FOR_LONG = 25.0
"""Seconds. A statement would be given up after two minutes."""
HASTY = hurried(PATIENCE=0.5, DRAIN=1, FAREWELL=0.5, RELEASE=0.5)


@pytest.mark.timeout(90)
async def test_a_stop_does_not_wait_for_a_database_that_answers_nothing(
    database: Database, tmp_path: Path
) -> None:
    world, gate = World("stop", RealClock(), datetime.now(UTC), tenants=("acme",), things=2), Gate()
    async with serve(world, switches=Switches(cache_ttl=30)) as fake, line_to(database) as line:
        fake.faults.add(Fault("/notification", gate, times=None))
        through = Database(line.dsn, database.password, database.ssl)
        await asyncio.to_thread(configured, fake, through, tmp_path, {})
        async with running(tmp_path / "config.toml", HASTY) as daemon:
            await daemon.ready()
            await gate.arrived.wait()
            line.freeze()
            gate.open.set()
            daemon.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(NOT_FOR_LONG):
                assert await daemon.end() == 0
    assert "Traceback" not in "".join(daemon.said)
