"""One cluster on disk, and its server: started, waited for, stopped.

Callers hold the gate. Whether a server runs is told by `server.lock`, which all of its processes
inherit. A pid may by now be a zombie or another's; this lock is free exactly when the last process
that could write to the data is gone.
"""

from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from harvester.embedded import files, locks, making
from harvester.embedded.account import Account
from harvester.embedded.logins import HOST
from harvester.embedded.pidfile import disown, read_postmaster
from harvester.errors import EmbeddedPostgresError

_PATIENCE_SECONDS = 600.0  # with a crash recovery, which is left to go on after that
_STOP_SECONDS = 120.0
_COMMAND_SECONDS = 60.0
_PORT_TRIES = 5
# No JIT: the sandbox of the service forbids code made at run time, and queries would fail.
_ALWAYS = "-c unix_socket_directories='' -c jit=off"
_LOG_BYTES = 8 * 2**20
_TROUBLES = ("FATAL:", "PANIC:", "ERROR:", "HINT:", "error:", "could not")
_STAMP = re.compile(r"^\S+ \S+ \w+ \[\d+\] ")


@dataclass(frozen=True, slots=True)
class Cluster:
    """What lies in `home`, who runs it, and with which programs."""

    home: Path
    account: Account
    binaries: Path

    @property
    def _data(self) -> Path:
        return self.home / "data"

    @property
    def _log(self) -> Path:
        return self.home / "server.log"

    @property
    def _lock(self) -> Path:
        return self.home / "server.lock"

    @property
    def _port(self) -> Path:
        return self.home / "port"

    def serve(self) -> int:
        """The port of the server, made and started if need be, once it takes connections.

        Raises EmbeddedPostgresError with what the server's log says.
        """
        return self._settled() or self._start()

    def stop(self) -> None:
        """End the server, if one runs; it finishes its writes first.

        Raises EmbeddedPostgresError when it takes too long.
        """
        postmaster = read_postmaster(self._data)
        if locks.is_free(self._lock) or postmaster is None:
            return
        with suppress(ProcessLookupError):
            os.kill(postmaster.pid, signal.SIGINT)
        if not locks.poll(lambda: locks.is_free(self._lock) or None, _STOP_SECONDS):
            raise self._failed(f"has not stopped within {_STOP_SECONDS:.0f} s")

    def _settled(self) -> int:
        """The port once a server takes connections; 0 once nothing works on the data."""
        port = locks.poll(self._look, _PATIENCE_SECONDS)
        if port is None:
            raise self._failed(f"is not ready after {_PATIENCE_SECONDS:.0f} s, and is left to it")
        return port

    def _look(self) -> int | None:
        # The file first: a server that was there when it was read, and is gone now, is gone.
        postmaster = read_postmaster(self._data)
        if locks.is_free(self._lock):
            return 0
        return postmaster.port if postmaster and postmaster.ready else None

    def _start(self) -> int:
        for _ in range(_PORT_TRIES):
            begun = self._launch(free_port(self._last_port()))
            if port := self._settled():
                files.write_private(self._port, str(port))
                return port
            if "could not bind" not in self._said(begun):
                break
        raise self._failed("did not start", begun)

    def _launch(self, port: int) -> int:
        """Start a server and do not wait for it; where in the log its words begin."""
        with self._claimed() as lock, self._open_log() as log:
            begun = os.fstat(log).st_size
            if not self._data.exists():
                made = making.make(self.home, self.account, self.binaries, lock=lock, log=log)
                if not made:
                    raise self._failed("could not be made", begun)
            disown(self._data, self.account)
            options = f"-c port={port} -c listen_addresses={HOST} {_ALWAYS}"
            command = [str(self.binaries / "pg_ctl"), "start", "--no-wait", "-D", self._data.name]
            self.account.run(
                [*command, "-o", options],
                output=log,
                seconds=_COMMAND_SECONDS,
                folder=self.home,
                keep=[lock],
            )
        return begun

    @contextmanager
    def _claimed(self) -> Iterator[int]:
        """The lock that says a server runs. Ours ends here; that of our children does not."""
        descriptor = files.open_private(self._lock)
        try:
            if not locks.take(descriptor):
                raise self._failed("was started by another at the same time")
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def _open_log(self) -> Iterator[int]:
        if self._log.exists() and self._log.stat().st_size > _LOG_BYTES:
            self._log.replace(self._log.with_name("server.log.1"))
        descriptor = files.open_private(self._log, os.O_WRONLY | os.O_APPEND)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _last_port(self) -> int:
        try:
            return int(self._port.read_text())
        except (FileNotFoundError, ValueError):
            return 0

    def _said(self, begun: int) -> str:
        return self._log.read_bytes()[begun:].decode(errors="replace")

    def _failed(self, what: str, begun: int = 0) -> EmbeddedPostgresError:
        return EmbeddedPostgresError(
            f"The embedded Postgres in {self.home} {what}: {_telling(self._said(begun))} "
            f"(its log is {self._log})"
        )


def _telling(said: str) -> str:
    """The last trouble in a log, and the two lines before it, which often bear the cause."""
    lines = [_STAMP.sub("", line).strip() for line in said.splitlines()] or [""]
    troubles = [n for n, line in enumerate(lines) if any(word in line for word in _TROUBLES)]
    last = troubles[-1] if troubles else len(lines) - 1
    return " / ".join(lines[max(0, last - 2) : last + 1])


def free_port(wanted: int) -> int:
    """`wanted` if nobody has it, else another. Kept where possible, for people's own clients."""
    with socket.socket() as probe:
        # As Postgres does, so that a port in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted))
        except (OSError, OverflowError):
            probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
