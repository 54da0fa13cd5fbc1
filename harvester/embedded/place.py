"""Where the embedded Postgres lives, and as whom it runs.

Whoever owns the folder runs the server; so root can use the state directory of an ordinary user.
A folder that is root's own means: root, in a user namespace. Where namespaces are forbidden root
makes the folder over to nobody. Nobody must be able to reach it, and no folder that exists is
opened for that: if the state directory is closed, the folder lies in `OUTSIDE` and the state
directory has a symlink to it, which goes along when the state directory is moved.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from harvester.embedded import account as accounts
from harvester.embedded.account import Account
from harvester.errors import EmbeddedPostgresError

OUTSIDE = Path("/var/lib")


def settle(state: Path) -> tuple[Path, Account]:
    """The folder, made if need be, without symlinks; and the account of its owner.

    Raises EmbeddedPostgresError where root has no way to run it.
    """
    home = state / "postgres"
    if home.is_symlink() and not home.exists():
        raise EmbeddedPostgresError(_lost(home))
    if os.geteuid() != 0:
        home.mkdir(mode=0o700, exist_ok=True)
        return home.resolve(), accounts.ordinary()
    return _settle_as_root(home)


def _settle_as_root(home: Path) -> tuple[Path, Account]:
    namespace = accounts.in_namespace()
    if not home.exists():
        if namespace:
            home.mkdir(mode=0o700)
        else:
            _make_for_nobody(home)
    owner = home.stat()
    if owner.st_uid:
        return home.resolve(), Account(uid=owner.st_uid, gid=owner.st_gid)
    if not namespace:
        raise EmbeddedPostgresError(_no_namespace(home))
    return home.resolve(), namespace


def _make_for_nobody(home: Path) -> None:
    """Appears whole or not at all: a kill between the steps leaves an empty folder behind."""
    user = accounts.nobody()
    inside = _reachable(home.parent.resolve())
    made = Path(
        tempfile.mkdtemp(prefix="harvester-postgres-", dir=home.parent if inside else OUTSIDE)
    )
    os.chown(made, user.pw_uid, user.pw_gid)
    if inside:
        made.rename(home)
    else:
        home.symlink_to(made)


def _reachable(folder: Path) -> bool:
    """Whether every user may pass through."""
    return all(part.stat().st_mode & 0o001 for part in (folder, *folder.parents))


def _lost(home: Path) -> str:
    return (
        f"The embedded Postgres lay in {home.readlink()}, which is gone: bring it back, or remove "
        f"the link {home} to begin with an empty database."
    )


def _no_namespace(home: Path) -> str:
    return (
        f"The embedded Postgres in {home} was made by root in a user namespace, and this system "
        "now forbids those: allow them (sysctl user.max_user_namespaces; the program unshare), or "
        f"stop harvester, make its state over to a user (chown -R USER {home.parent}), and run it "
        "as that user."
    )
