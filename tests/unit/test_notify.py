"""What systemd hears, on a real socket of its kind."""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harvester.notify import notify, ping_within, reloading


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listening


def test_lines_are_said_in_one_datagram(systemd: socket.socket) -> None:
    notify("READY=1", "STATUS=harvesting")
    assert systemd.recv(4096) == b"READY=1\nSTATUS=harvesting"


def test_an_abstract_socket_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"harvester-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name}")
        listening.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        notify("READY=1")
        assert listening.recv(4096) == b"READY=1"


def test_a_reload_says_since_when(systemd: socket.socket) -> None:
    before = time.monotonic_ns() // 1000
    reloading()
    said, since = systemd.recv(4096).decode().split("\nMONOTONIC_USEC=")
    assert said == "RELOADING=1"
    assert before <= int(since) <= time.monotonic_ns() // 1000


@pytest.mark.parametrize("name", ["", "no/absolute/path", "vsock:2:1234", "/nobody/is/here"])
def test_without_a_listener_nothing_happens(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    notify("READY=1")


async def test_a_full_socket_holds_nobody_up(systemd: socket.socket) -> None:
    for _ in range(2000):
        notify("STATUS=" + "x" * 2000)
    assert systemd.recv(4096)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_who_waits_for_a_ping_is_known(
    said: dict[str, str], seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    assert ping_within() == seconds
