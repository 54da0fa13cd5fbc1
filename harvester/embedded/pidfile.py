"""What `postmaster.pid` says, and how far it may be believed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from harvester.embedded.account import Account
from harvester.embedded.files import open_private
from harvester.errors import EmbeddedPostgresError

_DEAD = 2**31 - 1  # above any pid that Linux gives out
_PORT_LINE, _STATUS_LINE = 3, 7


@dataclass(frozen=True, slots=True)
class Postmaster:
    """A live postmaster. Not `ready` while it starts, recovers from a crash, or stops."""

    pid: int
    port: int
    ready: bool


def read_postmaster(data: Path) -> Postmaster | None:
    """The one the file names; None where there is none, or the pid is no longer that one's."""
    lines = _lines(data)
    if len(lines) <= _STATUS_LINE:
        return None
    pid, port = _pid(lines), int(lines[_PORT_LINE])
    # Anyone may read a command line, unlike a working folder. That of a zombie is empty.
    if f"port={port}" not in _command(pid):
        return None
    return Postmaster(pid, port, ready=lines[_STATUS_LINE].strip() == b"ready")


def disown(data: Path, account: Account) -> None:
    """Make Postgres see that the pid in a left-over file is dead.

    Otherwise it refuses to start when that pid is a zombie, or by now another process of the same
    user, or when a power cut emptied the file. The rest of the file stays: it tells Postgres
    whether the old shared memory is still in use, which is its own last guard. Raises
    EmbeddedPostgresError where somebody runs a server there by hand.
    """
    path = data / "postmaster.pid"
    if not path.exists():
        return
    lines = _lines(data)
    pid = _pid(lines)
    if _works_in(pid, data, account):
        raise EmbeddedPostgresError(
            f"A Postgres that harvester did not start runs on {data} (process {pid}): stop it, "
            "then start harvester again."
        )
    with os.fdopen(open_private(path, os.O_WRONLY | os.O_TRUNC), "wb") as file:
        file.write(b"\n".join([str(_DEAD).encode(), *lines[1:]]) + b"\n")


def _lines(data: Path) -> list[bytes]:
    try:
        return (data / "postmaster.pid").read_bytes().splitlines()
    except FileNotFoundError:
        return []


def _pid(lines: list[bytes]) -> int:
    return int(lines[0]) if lines and lines[0].isdigit() else _DEAD


def _command(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
    except OSError:
        return []


def _works_in(pid: int, data: Path, account: Account) -> bool:
    link = f"/proc/{pid}/cwd"
    try:
        folder = str(Path(link).readlink())
    except OSError:  # root in a container may not see where nobody works; nobody may
        folder = account.says(["readlink", link]).rstrip("\n")
    return folder == str(data) and "postgres" in "".join(_command(pid)[:1])
