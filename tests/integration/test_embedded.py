"""The embedded Postgres: what it is, and how processes share it."""

from __future__ import annotations

import os
import signal
import socket
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest
from embedded_state import (
    another_process,
    ask,
    data_of,
    port_told_by,
    postmaster_of,
    serves,
)

from harvester import embedded
from harvester.embedded import cluster


def test_the_application_owns_its_database_and_is_no_superuser(state: Path) -> None:
    with embedded.start(state) as running:
        powers = ask(
            running.server,
            "select array[rolsuper, rolcreaterole, rolcreatedb, rolcanlogin]"
            " from pg_roles where rolname = current_user",
        )
        owner = ask(
            running.server,
            "select pg_get_userbyid(datdba) from pg_database where datname = current_database()",
        )
        assert (powers, owner) == ([False, True, False, True], "harvester")
        assert ask(running.server, "show server_encoding") == "UTF8"
        assert ask(running.server, "show timezone") == "UTC"


def test_it_listens_on_loopback_only_and_trusts_nobody(state: Path) -> None:
    with embedded.start(state) as running:
        assert ask(running.superuser, "show listen_addresses") == "127.0.0.1"
        assert ask(running.superuser, "show unix_socket_directories") == ""
        assert ask(running.superuser, "show jit") == "off"
        methods = ask(
            running.superuser, "select array_agg(distinct auth_method) from pg_hba_file_rules"
        )
        assert methods == ["scram-sha-256"]
        with pytest.raises(asyncpg.InvalidPasswordError):
            ask(replace(running.server, password="guessed"), "select 1")


def test_secrets_stay_in_private_files(empty_state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET_OF_OURS", "told to nobody")
    state = empty_state / "state"
    with embedded.start(state) as running:
        command = Path(f"/proc/{postmaster_of(state)}/cmdline").read_text()
        ask(running.superuser, "create table environment (line text)")
        ask(running.superuser, "copy environment from program 'env'")
        environment = ask(running.superuser, "select string_agg(line, ' ') from environment")
        told = command + environment + (state / "postgres/server.log").read_text()
        for secret in ("SECRET", running.server.password, running.superuser.password):
            assert secret not in told + repr(running.server) + running.server.dsn
    files = [state, state / "postgres", data_of(state), *(state / "postgres").iterdir()]
    assert {file.name for file in files if file.stat().st_mode & 0o077} == set()


def test_rows_port_and_password_outlive_a_restart(state: Path) -> None:
    with embedded.start(state) as running:
        before = running.server
        ask(before, "create table kept as select 7 as x")
    with embedded.start(state) as running:
        assert running.server == before
        assert running.server.password == before.password
        assert ask(running.server, "select x from kept") == 7


def test_a_port_taken_in_the_meantime_is_exchanged(state: Path) -> None:
    port = int((state / "postgres/port").read_text())
    with socket.create_server(("127.0.0.1", port)), embedded.start(state) as running:
        assert running.server.port != port


def test_a_port_taken_at_the_last_moment_is_exchanged(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as thief:
        stolen = thief.getsockname()[1]
        choices = iter([stolen, stolen, cluster.free_port(0)])
        monkeypatch.setattr(cluster, "free_port", lambda _: next(choices))
        with embedded.start(state) as running:
            assert running.server.port != stolen


@pytest.mark.parametrize("name", ['it\'s "a" $HOME `x` ünï', "long/" + "x" * 200 + "/" + "y" * 200])
def test_the_state_directory_may_have_any_name(empty_state: Path, name: str) -> None:
    state = empty_state / name
    embedded.start(state).leave()
    with embedded.start(state) as running:
        told = ask(running.superuser, "show data_directory")
        assert told == str(data_of(state).resolve())
    assert not serves(state)


def test_the_last_to_leave_stops_the_server(state: Path) -> None:
    first, second = embedded.start(state), embedded.start(state)
    assert first.server == second.server
    first.leave()
    first.leave()
    assert serves(state)
    second.leave()
    assert not serves(state)
    assert "database system is shut down" in (state / "postgres/server.log").read_text()


def test_processes_that_start_together_share_one_server(empty_state: Path) -> None:
    with another_process(empty_state) as one, another_process(empty_state) as two:
        ports = {port_told_by(process) for process in (one, two)}
        assert len(ports) == 1
        one.communicate()
        assert serves(empty_state)
        two.communicate()
    assert not serves(empty_state)
    assert (one.returncode, two.returncode) == (0, 0)


def test_the_server_of_a_killed_process_is_stopped_by_the_next_to_leave(state: Path) -> None:
    with another_process(state) as killed:
        port = port_told_by(killed)
        killed.kill()
    assert serves(state)
    with embedded.start(state) as running:
        assert running.server.port == port
    assert not serves(state)


def test_ctrl_c_spares_the_server(state: Path) -> None:
    with another_process(state, start_new_session=True) as interrupted:
        port_told_by(interrupted)
        with embedded.start(state) as running:
            os.killpg(interrupted.pid, signal.SIGINT)
            interrupted.wait()
            assert ask(running.server, "select 1") == 1


def test_a_long_log_begins_anew_and_keeps_the_last_one(state: Path) -> None:
    log = state / "postgres/server.log"
    with log.open("a") as file:
        file.write("x" * 9 * 2**20)
    embedded.start(state).leave()
    assert log.stat().st_size < 2**16
    assert log.with_name("server.log.1").stat().st_size > 9 * 2**20
