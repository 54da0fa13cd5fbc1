"""The vendor's own client, as it is published, gets on with the fake DeviceHive."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from acceptance.driven import driven

from harvester.simulator.clock import RealClock
from harvester.simulator.devicehive import FakeDevicehive, serve
from harvester.simulator.devicehive_quirks import Switches
from harvester.simulator.world import World

CLIENT = Path(__file__).with_name("devicehive_client.py")
NEWER = Switches(version="4.1.0")


async def seen(fake: FakeDevicehive, url: str, subscriptions: list[str]) -> Any:
    user = fake.world.users("acme")[0]
    told = {"login": user.name, "password": user.password, "device": "probe"}
    asked = {"url": url, "subscriptions": subscriptions, **told}
    return await driven(sys.executable, CLIENT, asked)


@pytest.mark.parametrize(
    ("base", "switches", "subscriptions"),
    [
        # Over HTTP it polls for updates where only new commands are told, and of newer servers for
        # none of the commands that there are.
        ("http:/api/rest", Switches(), ["insert_commands", "notifications"]),
        ("ws:/api/websocket", Switches(), ["insert_commands", "notifications", "update_commands"]),
        ("ws:/api/websocket", NEWER, ["insert_commands", "notifications", "update_commands"]),
    ],
)
async def test_the_vendors_client_does_what_its_users_do(
    base: str, switches: Switches, subscriptions: list[str]
) -> None:
    clock = RealClock()
    world = World(7, clock, clock.now() - timedelta(hours=1), tenants=("acme",))
    async with serve(world, switches=switches) as fake:
        way, _, path = base.partition(":")
        saw = await seen(fake, fake.url.replace("http", way, 1) + path, subscriptions)
        command = [saw["ordered"], "OK", {"opened": True}]
        assert saw.pop("version") == switches.version
        assert saw.pop("refreshed") is True
        assert "probe" in saw["devices"] and set(saw["devices"]) == set(saw["found"])
        assert saw["listed"] == [saw["sent"]] == [saw["notifications"]]
        assert saw["commands"] == [command]
        assert saw["insert_commands"] == saw["ordered"]
        assert saw.get("update_commands", command) == command
        tasks = [each for each in fake.task_truth("acme").values() if each.device == "probe"]
        assert [[each.state for each in task.history] for task in tasks] == [[None, "OK"]]
        assert fake.violations == []
