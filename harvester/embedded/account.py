"""As whom the programs of Postgres run. They refuse root, and want a user with a name."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harvester.errors import EmbeddedPostgresError

_PROBE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Account:
    """`wrapper` goes before every command; `uid` and `gid`, where given, are really taken on."""

    wrapper: tuple[str, ...] = ()
    uid: int | None = None
    gid: int | None = None

    def run(
        self,
        command: Sequence[str],
        *,
        output: int,
        seconds: float,
        folder: Path | None = None,
        keep: Sequence[int] = (),
    ) -> subprocess.CompletedProcess[bytes]:
        """Run to the end in `folder`, writing to the descriptor `output`.

        The command inherits the descriptors `keep` and next to nothing of our environment, which
        may hold secrets. It has a session of its own, so a Ctrl-C meant for us spares it.
        """
        return subprocess.run(  # noqa: S603  a list of words, and no shell
            [*self.wrapper, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=_environment(),
            pass_fds=keep,
            start_new_session=True,
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
            timeout=seconds,
            check=False,
        )

    def says(self, command: Sequence[str]) -> str:
        """The output of a short command; nothing where it cannot be run or fails."""
        try:
            ran = self.run(command, output=subprocess.PIPE, seconds=_PROBE_SECONDS)
        except (OSError, subprocess.SubprocessError):
            return ""
        return ran.stdout.decode() if ran.returncode == 0 else ""


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return {"PATH": os.defpath, **kept, "LC_ALL": "C", "TZ": "UTC"}


def nobody() -> pwd.struct_passwd:
    """The user of that name. Raises EmbeddedPostgresError where the system has none."""
    try:
        return pwd.getpwnam("nobody")
    except KeyError:
        raise EmbeddedPostgresError(
            "Postgres does not run as root, and this system has no user nobody to run it as: "
            "run harvester as an ordinary user, or give it a dsn."
        ) from None


def in_namespace() -> Account | None:
    """Ourselves, but called nobody, in a user namespace; None where namespaces are forbidden.

    To the rest of the system the server is still us, so our folders need not be opened to it.
    """
    user = nobody()
    unshare = ("unshare", "--user", f"--map-user={user.pw_uid}", f"--map-group={user.pw_gid}")
    account = Account(wrapper=(*unshare, "--"))
    return account if account.says(["id", "-u"]).strip() == str(user.pw_uid) else None


def ordinary() -> Account:
    """Ourselves, an ordinary user. One without a name (some containers) needs a namespace."""
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        return in_namespace() or Account()
    return Account()
