"""Files that are there also after a power cut: what they hold, and then their names."""

import os
from pathlib import Path
from typing import IO


def write(file: IO[bytes], content: bytes) -> None:
    """Write to an open file, and return when the disk has it. Raises OSError."""
    file.write(content)
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make the names in it durable: a file is lost with its name. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
