"""systemctl for a test without systemd: it starts and stops what a unit says, as far as we need.

It knows Type=notify, ExecStart=, ExecReload= by SIGHUP, StateDirectory= and LoadCredential=, with
drop-ins. It knows no user, no sandbox and no restart. Run as: stand_in.py ROOT VERB… UNIT
"""

from __future__ import annotations

import os
import re
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

PATHS = re.compile(r"(?<![\w.])/(etc|opt|usr/local|var)/")
"""Where a service and its operator write; in a test these lie below its scratch folder."""
PATIENCE = 60.0  # seconds


def placed(text: str, root: Path) -> str:
    return PATHS.sub(rf"{root}/\1/", text)


class Service:
    """One unit below `root`."""

    def __init__(self, root: Path, name: str) -> None:
        self._root = root
        self._name = name
        units = root / "etc/systemd/system"
        files = [units / f"{name}.service", *sorted(units.glob(f"{name}.service.d/*.conf"))]
        lines = placed("\n".join(file.read_text() for file in files), root).splitlines()
        self._settings = [tuple(line.split("=", 1)) for line in lines if re.match(r"\w+=", line)]
        self._pid_file = root / f"{name}.pid"

    def start(self) -> None:
        assert self._all("Type") == ["notify"]
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as said:
            path = f"{tempfile.mkdtemp()}/notify"
            said.bind(path)
            said.settimeout(PATIENCE)
            self._spawn(path)
            while b"READY=1" not in said.recv(4096):
                pass

    def _spawn(self, notify: str) -> None:
        [command] = self._all("ExecStart")
        [state] = self._all("StateDirectory")
        folder = self._root / "var/lib" / state
        folder.mkdir(exist_ok=True)
        environment = {"PYTHONPATH": os.environ["PYTHONPATH"], "PATH": os.defpath} | {
            "CREDENTIALS_DIRECTORY": str(self._credentials()),
            "STATE_DIRECTORY": str(folder),
            "NOTIFY_SOCKET": notify,
        }
        with self.journal.open("ab") as journal:
            process = subprocess.Popen(
                shlex.split(command),
                env=environment,
                stdout=journal,
                stderr=journal,
                start_new_session=True,
            )
        self._pid_file.write_text(str(process.pid))

    def _credentials(self) -> Path:
        folder = self._root / "credentials"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        for each in self._all("LoadCredential"):
            name, _, source = each.partition(":")
            shutil.copy(source, folder / name)
        return folder

    def stop(self) -> None:
        pid = int(self._pid_file.read_text())
        gone = select.poll()
        gone.register(os.pidfd_open(pid), select.POLLIN)
        os.kill(pid, signal.SIGTERM)
        assert gone.poll(PATIENCE * 1000), "it does not stop"
        self._pid_file.unlink()

    def restart(self) -> None:
        self.stop()
        self.start()

    def reload(self) -> None:
        assert self._all("ExecReload") == ["/bin/kill -HUP $MAINPID"]
        os.kill(int(self._pid_file.read_text()), signal.SIGHUP)

    @property
    def journal(self) -> Path:
        return self._root / f"{self._name}.journal"

    def _all(self, key: str) -> list[str]:
        return [value for name, value in self._settings if name == key]


def main(root: Path, *words: str) -> None:
    match words:
        case ["daemon-reload"]:
            pass
        case ["status" | "reload", "prometheus"]:
            pass
        case ["status", name]:
            os.kill(int((root / f"{name}.pid").read_text()), 0)
        case ["enable", "--now", name]:
            Service(root, name).start()
        case ["start" | "stop" | "restart" | "reload" as verb, name]:
            getattr(Service(root, name), verb)()
        case _:
            sys.exit(f"systemctl {' '.join(words)}: the test does not know this")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
