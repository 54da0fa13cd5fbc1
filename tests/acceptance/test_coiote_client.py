"""The vendor's own client, as it is published, gets on with the fake Coiote."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

from acceptance.driven import driven

from harvester.simulator.clock import HandClock
from harvester.simulator.coiote import FakeCoiote, serve
from harvester.simulator.coiote_quirks import Switches
from harvester.simulator.world import World

CLIENT = Path(__file__).with_name("coiote_client.py")
ITS_PYTHON = Path(sys.prefix) / "coiote/bin/python"
"""Where `.ci/venv` installs it."""
NOW = datetime(2026, 3, 4, 10, 30, tzinfo=UTC)
SINCE = NOW - timedelta(hours=24)
TEMPERATURE = "3303/0/5700"
TOLD = Switches(finish_times="told")
"""The client takes no report that has no end."""


async def seen(fake: FakeCoiote, device: str) -> Any:
    tenant = fake.world.tenants["acme"]
    user, client = tenant.users[0], tenant.admin_client
    account = {"realm": tenant.name, "client_id": client.id, "client_secret": client.secret}
    span = {"since": SINCE.isoformat(), "until": NOW.isoformat()}
    told = {
        "url": fake.url,
        "user": {"username": user.name, "password": user.password},
        "account": account,
        "asked": {"device": device, "resource": TEMPERATURE, **span},
    }
    return await driven(ITS_PYTHON, CLIENT, told)


def history(fake: FakeCoiote, device: str) -> dict[str, float | str]:
    """What is true of a device's temperature, by instant."""
    truth = fake.truth("acme").items()
    return {key[2].isoformat(): value for key, value in truth if key[:2] == (device, TEMPERATURE)}


def reports(fake: FakeCoiote, device: str = "") -> dict[str, list[object]]:
    """How the tasks of a device stand, or of all."""
    return {
        identity: [task.now.at.isoformat(), task.now.state, task.now.result]
        for identity, task in fake.task_truth("acme").items()
        if identity.endswith(device)
    }


async def test_the_vendors_client_reads_what_is_true() -> None:
    world = World(7, HandClock(NOW), SINCE, tenants=("acme",))
    things, user = world.tenants["acme"].things, world.users("acme")[0]
    first, *others = [each for each in things if user.name in each.seen_by]
    async with serve(world, switches=TOLD) as fake:
        saw = await seen(fake, first.uuid)
        truth, (newest, value) = history(fake, first.uuid), saw["history"][-1][-1]
        assert {at: float(told) for page in saw["history"] for at, told in page} == truth
        assert len(saw["history"]) > 5 and saw["days"] == len(truth)
        assert saw["latest"][0] == ["Temperature.0.Sensor Value", value, newest]
        assert saw["defined"][0][1][0] == [5700, "Sensor Value", "Float"]
        assert {identity: told for identity, *told in saw["changed"]} == reports(fake)
        assert {identity: told for identity, *told in saw["reports"]} == reports(fake, first.uuid)
        assert saw["reports"] and "'code': 4030" in saw["refused"]
        assert (set(saw["ids"]), saw["name"]) == ({it.uuid for it in (first, *others)}, first.name)
        assert sorted(chain(*saw["details"])) == sorted([it.uuid, it.name] for it in things)
        assert fake.token_calls == {"password": 1, "client_credentials": 1}
        assert fake.violations == []
