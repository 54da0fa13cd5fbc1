"""What systemd is told, and what it asks for: sd_notify(3), sd_watchdog_enabled(3).

A datagram of lines to the socket that systemd named; where it named none, nothing is said.
"""

import os
import socket
import time
from contextlib import suppress


def notify(*lines: str) -> None:
    """Say so. A socket that is gone or full is passed over: it must not stop the daemon."""
    name = os.environ.get("NOTIFY_SOCKET", "")
    if name.startswith(("/", "@")):
        address = name.replace("@", "\0", 1) if name.startswith("@") else name
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto("\n".join(lines).encode(), address)


def reloading() -> None:
    """The configuration is being read again, until the next READY=1."""
    notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")


def ping_within() -> float | None:
    """Seconds within which WATCHDOG=1 must come again; None where nobody waits for it."""
    ours = str(os.getpid())
    within = os.environ.get("WATCHDOG_USEC", "")
    if os.environ.get("WATCHDOG_PID", ours) != ours or not within.isdecimal():
        return None
    return int(within) / 1e6 or None
