"""Which instance this is: one daemon a state directory, with a name that outlives a restart."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO
from uuid import uuid4

from harvester.errors import AlreadyRunning, ConfigError


@contextmanager
def instance(state_directory: Path) -> Iterator[str]:
    """The instance's name, held alone. With it a restart takes over its own leases at once.

    Raises AlreadyRunning where another daemon uses the state directory, ConfigError where it cannot
    be used at all.
    """
    with os.fdopen(_opened(state_directory), "r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(
                f"Another harvester runs on the state directory {state_directory}. "
                "Stop it, or give this one a state_directory of its own."
            ) from None
        yield _name(file)


def _opened(state_directory: Path) -> int:
    try:
        state_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(state_directory / "instance", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigError(
            f"The state directory {state_directory} cannot be used: {error.strerror}. "
            "Check state_directory."
        ) from error


def _name(file: TextIO) -> str:
    """As it stands there; a new one where there is none yet."""
    name = file.read().strip()
    if not name:
        name = str(uuid4())
        file.write(name)
        file.flush()
    return name
