"""Files that hold secrets: read only where they are private, replaced whole or not at all."""

import errno
import fcntl
import os
import secrets
import shlex
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from harvester import durable
from harvester.errors import ConfigError

MOST_BYTES = 64 * 1024
"""A key file is small; what is longer is another file, or a device that never ends."""


def private_content(path: Path) -> bytes:
    """The bytes of a file that nobody else may read. Raises OSError, ConfigError."""
    with open_regular(path) as file:
        # Asked of the open file: between a look at the path and its opening it could be swapped.
        shared = stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077
        if shared and not is_credential(path):
            raise ConfigError(
                f"{path}: others than its owner may use this key file; "
                f"run: chmod 600 {shlex.quote(str(path))}"
            )
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ConfigError(f"{path}: too long for a key file")
    return content


def open_regular(path: Path) -> BinaryIO:
    """A file open for reading. Raises OSError, also where it is a pipe: which may hang."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        return os.fdopen(descriptor, "rb")
    except OSError:
        os.close(descriptor)
        raise


def is_credential(path: Path) -> bool:
    """Whether systemd passed the file: it keeps others out by the folder, not by the mode."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    return bool(folder) and path.resolve().is_relative_to(Path(str(folder)).resolve())


def make(path: Path, content: bytes) -> bool:
    """Write a file that was not there; False where something is. Raises OSError."""
    draft = path.parent / f"{path.name}.{secrets.token_hex(8)}"
    try:
        with _new(draft) as file:
            durable.write(file, content)
        # A link, not a rename: it fails where another starter was first, whose key is in use.
        path.hardlink_to(draft)
    except FileExistsError:
        return False
    finally:
        draft.unlink(missing_ok=True)
    durable.sync_folder(path.parent)  # tokens sealed by a key that a crash took are lost
    return True


def replace(path: Path, content: bytes) -> None:
    """Write a file anew, under its owner and mode. Only under its `lock`. Raises OSError."""
    there = path.resolve().stat()
    # Only who has the lock writes here, so what a killed one left is written over. The dot hides
    # it from a shell that goes over the files of the folder.
    draft = path.resolve().with_name(f".{path.resolve().name}.draft")
    draft.unlink(missing_ok=True)
    with _new(draft) as file:
        os.fchown(file.fileno(), there.st_uid, there.st_gid)
        os.fchmod(file.fileno(), stat.S_IMODE(there.st_mode))
        durable.write(file, content)
    draft.replace(path.resolve())
    durable.sync_folder(draft.parent)


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Let nobody else `replace` the file. Raises BlockingIOError where another has the lock."""
    # On the folder: the file itself is another one after each replacement.
    descriptor = os.open(path.resolve().parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _new(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
