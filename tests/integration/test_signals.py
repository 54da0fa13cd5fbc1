"""What signals mean to the daemon, with real signals to this process."""

import asyncio
import os
import signal

import pytest

from harvester.service.signals import signals


@pytest.mark.parametrize(
    ("reloads", "number", "stopped", "asked_to_reload"),
    [
        (True, signal.SIGTERM, True, False),
        (True, signal.SIGINT, True, False),
        (True, signal.SIGHUP, False, True),
        (False, signal.SIGHUP, True, False),
    ],
)
async def test_a_signal_stops_or_reloads(
    reloads: bool, number: signal.Signals, stopped: bool, asked_to_reload: bool
) -> None:
    before = signal.getsignal(number)
    with signals(reloads=reloads) as (stop, hup):
        os.kill(os.getpid(), number)
        await asyncio.sleep(0.05)
        assert (stop.is_set(), hup.is_set()) == (stopped, asked_to_reload)
    assert signal.getsignal(number) in (before, signal.SIG_DFL, signal.default_int_handler)


async def test_a_reload_is_not_deadly_while_it_stops() -> None:
    with signals(reloads=True) as (stop, _):
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0.05)
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.sleep(0.05)
        assert stop.is_set()
