"""File locks between processes. The kernel lets go of them however a process dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from harvester.embedded.files import open_private
from harvester.errors import EmbeddedPostgresError

_POLL_SECONDS = 0.02
_GATE_SECONDS = 900.0  # longer than any start or stop takes

T = TypeVar("T")


def take(descriptor: int, how: int = fcntl.LOCK_EX) -> bool:
    """Whether the lock was to be had at once."""
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_free(path: Path) -> bool:
    descriptor = open_private(path)
    try:
        return take(descriptor)
    finally:
        os.close(descriptor)


def poll(look: Callable[[], T | None], seconds: float) -> T | None:
    """What `look` finds as soon as it finds something; None when the time is over."""
    deadline = time.monotonic() + seconds
    while (found := look()) is None and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)  # noqa: TID251  this room blocks, and is called from threads
    return found


@contextmanager
def gate(path: Path) -> Iterator[None]:
    """One process at a time. Raises EmbeddedPostgresError when another stays in it too long."""
    descriptor = open_private(path)
    try:
        # Polled: a blocking flock in a thread could be ended by nothing.
        if not poll(lambda: take(descriptor) or None, _GATE_SECONDS):
            raise EmbeddedPostgresError(
                f"Another harvester process has held {path} for {_GATE_SECONDS:.0f} s: it starts "
                "or stops the embedded Postgres and does not come to an end; look at that process."
            )
        yield
    finally:
        os.close(descriptor)
