"""What signals mean to the daemon, with real signals to this process."""

import os
import signal

import pytest

from harvester.service.signals import signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_to_end_stops_and_leaves_what_was_before(number: signal.Signals) -> None:
    with signals(reloads=True) as (stop, hup):
        os.kill(os.getpid(), number)
        await stop.wait()
        assert not hup.is_set()
    assert signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler)


async def test_a_hangup_reloads_also_while_it_stops() -> None:
    with signals(reloads=True) as (stop, hup):
        os.kill(os.getpid(), signal.SIGHUP)
        await hup.wait()
        assert not stop.is_set()
        hup.clear()
        os.kill(os.getpid(), signal.SIGTERM)
        await stop.wait()
        os.kill(os.getpid(), signal.SIGHUP)
        await hup.wait()


async def test_a_hangup_stops_who_has_nothing_to_read_again() -> None:
    with signals(reloads=False) as (stop, _):
        os.kill(os.getpid(), signal.SIGHUP)
        await stop.wait()


async def test_a_stop_that_is_asked_for_twice_is_still_a_drain() -> None:
    with signals(reloads=True) as (stop, _):
        for _ in range(2):
            stop.clear()
            os.kill(os.getpid(), signal.SIGTERM)
            await stop.wait()


async def test_a_second_ctrl_c_ends_the_process_as_usual() -> None:
    with signals(reloads=True) as (stop, _):
        os.kill(os.getpid(), signal.SIGINT)
        await stop.wait()
        assert signal.getsignal(signal.SIGINT) == signal.default_int_handler
