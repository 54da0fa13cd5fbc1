"""What the daemon is told by signals."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def signals(*, reloads: bool) -> Iterator[tuple[asyncio.Event, asyncio.Event]]:
    """`stop` and `hup`. A second Ctrl-C ends the process as usual; a second SIGTERM does not, as
    programs such as timeout(1) send it twice.

    Who has nothing to read again is stopped by SIGHUP too: its terminal was closed.
    """
    loop, stop, hup = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()

    def interrupted() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        stop.set()

    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, interrupted)
    # From here on to the end: its usual action would end the process.
    loop.add_signal_handler(signal.SIGHUP, hup.set if reloads else stop.set)
    try:
        yield stop, hup
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.remove_signal_handler(number)
