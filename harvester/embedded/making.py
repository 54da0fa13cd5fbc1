"""A new cluster. It appears under its name only when it is whole."""

from __future__ import annotations

import shutil
from pathlib import Path

from harvester import durable
from harvester.embedded.account import Account
from harvester.embedded.logins import SUPERUSER, make_password, superuser_file

_SECONDS = 300.0

_SETTINGS = """
# By harvester, for a small site. Written once; what follows is yours to change.
timezone = 'UTC'
log_timezone = 'UTC'
max_connections = 50
max_wal_size = 512MB
log_checkpoints = off
# In files: /dev/shm is small in a container, and is emptied when its owner logs out.
dynamic_shared_memory_type = mmap
"""


def make(home: Path, account: Account, binaries: Path, *, lock: int, log: int) -> bool:
    """initdb in `home`; whether it succeeded. What it says goes to `log`.

    `lock` is a descriptor that it keeps open: should we be killed, the next one waits for it.
    """
    new = home / "data.new"
    if new.exists():
        shutil.rmtree(new)
    make_password(superuser_file(home))
    command = [str(binaries / "initdb"), "--pgdata", new.name, *_options(home)]
    # Relative names: Postgres's programs pass names through a shell, and limit their length.
    ran = account.run(command, output=log, seconds=_SECONDS, folder=home, keep=[lock])
    if ran.returncode == 0:
        _add_settings(new / "postgresql.conf")
        new.rename(home / "data")
        durable.sync_folder(home)
    return ran.returncode == 0


def _options(home: Path) -> list[str]:
    return [
        f"--username={SUPERUSER}",
        f"--pwfile={superuser_file(home).name}",
        "--auth=scram-sha-256",
        "--no-locale",
        "--encoding=UTF8",
        "--data-checksums",
        "--no-instructions",
    ]


def _add_settings(path: Path) -> None:
    with path.open("ab") as file:
        durable.write(file, _SETTINGS.encode())
