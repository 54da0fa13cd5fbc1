"""What waits in memory as a tenant's work ends: where the database is there, it is brought in."""

from pathlib import Path

import pytest
from fix_devicehive import Hive, hive, no_database
from fix_postgres import Database, Postgres

from harvester.service.tenants import Tenants
from harvester.simulator.devicehive_quirks import Switches

WAYS = pytest.mark.parametrize("ingest", ["polling", "websocket"])


async def waiting(it: Hive, postgres: Postgres, database: Database) -> Tenants:
    """At work as by the daemon, with a backlog that is longer than the platform remembers."""
    tenants = Tenants(it.house)
    await tenants.begin(it.tenant.settings)
    [it.tenant] = tenants
    await it.beats(2)
    async with no_database(postgres, database):
        await it.beats(6)
    return tenants


@WAYS
async def test_a_reload_brings_what_waits_into_the_database(
    ingest: str, database: Database, tmp_path: Path, postgres: Postgres
) -> None:
    async with hive(database, tmp_path, Switches(), things=2, ingest=ingest) as it:
        tenants = await waiting(it, postgres, database)
        await tenants.begin(it.tenant.settings)
        [it.tenant] = tenants
        assert all(await it.beats(2))
        assert (await it.held(), await it.lost()) == (it.truth(), {})
        await tenants.drain()


@WAYS
async def test_a_stop_brings_what_waits_into_the_database(
    ingest: str, database: Database, tmp_path: Path, postgres: Postgres
) -> None:
    async with hive(database, tmp_path, Switches(), things=2, ingest=ingest) as it:
        tenants = await waiting(it, postgres, database)
        await tenants.drain()
        assert await it.held() == it.truth()
