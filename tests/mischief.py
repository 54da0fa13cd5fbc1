"""What is done to a platform in a day, and passes: nobody is shut out, nothing is deleted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from random import Random
from typing import Any

from harvester.simulator.world import millis

MINUTE = timedelta(minutes=1)
A_PAGE_AND_MORE = 1_050

Undo = Callable[[], object]
Act = Callable[[Any, Random], Undo | None]
"""What it gives undoes it, where that must be done."""

LEFT_ALONE = {
    "FakeMydevices.disable",
    "FakeMydevices.enable",
    "FakeDevicehive.disable",
    "FakeDevicehive.enable",
    "FakeDevicehive.move",
    "FakeDevicehive.delete",
    "FakeUsergrid.disable",
    "FakeUsergrid.deactivate",
    "FakeUsergrid.enable",
    "FakeUsergrid.unconfirm",
    "FakeUsergrid.change_password",
    "FakeUsergrid.remove",
    "FakeCoiote.disable",
    "FakeCoiote.enable",
    "FakeCoiote.forbid",
    "FakeCoiote.token_by_hand",
    "FakeCoiote.move",
    "FakeCoiote.delete",
    "FakeCoiote.stop_monitoring",
    "FakeCoiote.come_back",
}
"""What takes something away for good, is of use to people alone, or undoes another."""


def _user(fake: Any, dice: Random) -> str:
    (tenant,) = fake.world.tenants.values()
    return str(dice.choice(tenant.users).name)


def _of_user(act: Callable[[Any, str], object]) -> Act:
    return lambda fake, dice: _done(act(fake, _user(fake, dice)))


def _once(act: Callable[[Any], object]) -> Act:
    return lambda fake, _: _done(act(fake))


def _done(_: object) -> None:
    """Nothing is to be undone."""


def _set(name: str, value: object) -> Act:
    def act(fake: Any, _: Random) -> Undo:
        before = getattr(fake, name)
        setattr(fake, name, value)
        return lambda: setattr(fake, name, before)

    return act


def _hang(fake: Any, dice: Random) -> Undo:
    fault = fake.hang(dice.choice(sorted(fake.tokens.site.devices)))
    planned = fake.faults.planned
    planned.insert(0, planned.pop())  # what else befalls a request is around it
    return lambda: planned.remove(fault)


def _leave(fake: Any, dice: Random) -> Undo:
    device = dice.choice(sorted(fake.site.devices))
    fake.leave(device)
    return lambda: fake.come_back(device)


def _assign(fake: Any, user: str) -> None:
    device = min(fake.tokens.site.devices.values(), key=lambda each: each.id)
    fake.assign(user, device.network)


def crowd(fake: Any) -> None:
    """More rows than a page takes, which somebody writes within a millisecond."""
    (tenant,) = fake.world.tenants
    store, now_ms = fake.store(tenant), millis(fake.world.clock.now())
    for n in range(A_PAGE_AND_MORE):
        told = {"device": "crowd", "ts": now_ms - n, "level": n}
        store.put("readings", told, now_ms)


ACTS: Mapping[str, Act] = {
    "FakeMydevices.revoke": _of_user(lambda fake, user: fake.revoke(user)),
    "FakeMydevices.log_out": _of_user(lambda fake, user: fake.log_out(user)),
    "FakeDevicehive.change_secret": _once(lambda fake: fake.change_secret()),
    "FakeDevicehive.assign": _of_user(_assign),
    "FakeDevicehive.hang": _hang,
    "FakeDevicehive.sockets.drop": _of_user(lambda fake, user: fake.sockets.drop(user)),
    "FakeDevicehive.sockets.restart": _once(lambda fake: fake.sockets.restart()),
    "FakeDevicehive.sockets.freeze": _of_user(lambda fake, user: fake.sockets.freeze(user)),
    "FakeDevicehive.sockets.say": _of_user(lambda fake, user: fake.sockets.say("What?", user)),
    "FakeUsergrid.revoke": _of_user(lambda fake, user: fake.revoke(user)),
    "FakeUsergrid.index_lag": _set("index_lag", (MINUTE, 10 * MINUTE)),
    "FakeUsergrid.index_loses": _set("index_loses", 0.3),
    "FakeUsergrid.reindex": _once(lambda fake: fake.reindex("usergrid")),
    "FakeUsergrid.index_down": _set("index_down", True),
    "FakeCoiote.leave": _leave,
    "FakeCoiote.revoke": _of_user(lambda fake, user: fake.revoke(user)),
}
