"""The vendor's own client, as it is published, gets on with the fake Usergrid."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from acceptance.driven import driven

from harvester.simulator.clock import RealClock
from harvester.simulator.usergrid import FakeUsergrid, serve
from harvester.simulator.usergrid_logins import application_client
from harvester.simulator.usergrid_quirks import Switches
from harvester.simulator.usergrid_shapes import APPLICATION
from harvester.simulator.world import World

CLIENT = Path(__file__).with_name("usergrid_client.py")
ITS_PYTHON = Path(sys.prefix) / "usergrid/bin/python"
"""Where `.ci/venv` installs it."""
AT_ONCE = Switches(index_lag=(timedelta(0), timedelta(0)))


async def seen(fake: FakeUsergrid, count: int) -> Any:
    tenant = fake.world.tenants["acme"]
    client, user = application_client(tenant), tenant.users[0]
    asked = {
        "site": {"base_url": fake.url, "org_id": tenant.name, "app_id": APPLICATION},
        "client": {"client_id": client.id, "client_secret": client.secret},
        "user": {"username": user.name, "password": user.password},
        "count": count,
    }
    return await driven(ITS_PYTHON, CLIENT, asked)


async def test_the_vendors_client_does_what_its_users_do() -> None:
    clock = RealClock()
    world = World(7, clock, clock.now() - timedelta(hours=1), tenants=("acme",))
    async with serve(world, switches=AT_ONCE) as fake:
        saw = await seen(fake, count=30)
        assert (saw["first"]["n"], saw["again"]) == (0, "duplicate_unique_property_exists")
        assert (saw["changed"], saw["dropped"], saw["connected"]) == (-1, 404, True)
        # Newest first, and what is put is the newest; of one page exactly the last is empty.
        assert saw["graph"] == [-1, *range(29, 1, -1), 0]
        assert saw["index"] == list(range(3, 30))
        assert saw["connection"] == [-1]
        assert fake.token_calls == {"client_credentials": 1, "password": 1}
        stored = [it for it in fake.store("acme").members("probes") if not it.is_deleted]
        assert {it.now.properties["n"] for it in stored} == {-1, 0, *range(2, 30)}
        assert fake.violations == []
