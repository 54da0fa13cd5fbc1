"""Files that only the owner of the state directory may read."""

from __future__ import annotations

import os
from pathlib import Path

from harvester import durable


def open_private(path: Path, flags: int = os.O_RDWR) -> int:
    """A descriptor of a 0600 file, made if need be.

    What is made belongs to the owner of its folder: root, run once on a user's state directory,
    must not leave files there that the user cannot open. No symlink is followed, for that user
    could point root at a file of the system.
    """
    flags |= os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return os.open(path, flags)
    if os.geteuid() == 0:
        folder = path.parent.stat()
        os.fchown(descriptor, folder.st_uid, folder.st_gid)
    return descriptor


def write_private(path: Path, text: str) -> None:
    """Durable, and whole or not at all: 0600, as `open_private` makes it."""
    new = path.with_name(path.name + ".new")
    descriptor = open_private(new, os.O_WRONLY | os.O_TRUNC)
    with os.fdopen(descriptor, "wb") as file:
        durable.write(file, text.encode())
    new.replace(path)
    durable.sync_folder(path.parent)
