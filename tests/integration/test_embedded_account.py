"""As whom the embedded Postgres runs. Only root has a choice."""

from __future__ import annotations

import os
import pwd
from contextlib import nullcontext
from pathlib import Path

import pytest
from embedded_state import ask, data_of, postmaster_of

from harvester import embedded
from harvester.embedded import account, place
from harvester.errors import EmbeddedPostgresError

ROOT = os.geteuid() == 0


NOBODY = pwd.getpwnam("nobody").pw_uid


def forbid_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account, "in_namespace", lambda: None)


def runner_of(state: Path) -> int:
    """As the rest of the system sees it."""
    return Path(f"/proc/{postmaster_of(state)}").stat().st_uid


def test_in_a_namespace_it_is_still_us(state: Path) -> None:
    stranger = ROOT and not account.in_namespace()
    with embedded.start(state):
        assert runner_of(state) == data_of(state).stat().st_uid
        assert runner_of(state) == (NOBODY if stranger else os.geteuid())


@pytest.mark.parametrize("mode", [0o700, 0o755], ids=["closed", "open"])
def test_without_namespaces_root_runs_it_as_nobody(
    empty_state: Path, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    empty_state.chmod(mode)
    forbid_namespaces(monkeypatch)
    with embedded.start(empty_state):
        assert runner_of(empty_state) == (NOBODY if ROOT else os.geteuid())
    home = (empty_state / "postgres").resolve()
    assert (home.parent == place.OUTSIDE) == (ROOT and mode == 0o700)
    assert {file.stat().st_uid for file in home.iterdir()} == {home.stat().st_uid}
    assert (home.stat().st_mode & 0o777, empty_state.stat().st_mode & 0o777) == (0o700, mode)


def test_what_nobody_has_stays_with_nobody(
    empty_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as forbidden:
        forbid_namespaces(forbidden)
        with embedded.start(empty_state) as running:
            ask(running.server, "create table kept as select 7 as x")
            owner = runner_of(empty_state)
    with embedded.start(empty_state) as running:
        assert runner_of(empty_state) == owner
        assert ask(running.server, "select x from kept") == 7


def test_what_root_made_in_a_namespace_needs_one(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid_namespaces(monkeypatch)
    refused = pytest.raises(EmbeddedPostgresError, match="made by root in a user namespace")
    with refused if data_of(state).owner() == "root" else nullcontext():
        embedded.start(state).leave()


def test_an_outside_folder_that_is_gone_is_told(empty_state: Path) -> None:
    (empty_state / "postgres").symlink_to(empty_state / "gone")
    with pytest.raises(EmbeddedPostgresError, match="gone, which is gone: bring it back"):
        embedded.start(empty_state)


@pytest.mark.parametrize("name", ["server.log", "use.lock", "data/postmaster.pid"])
def test_a_planted_link_leads_nowhere(state: Path, name: str) -> None:
    target = state / "not ours"
    target.write_text("precious")
    (state / "postgres" / name).unlink(missing_ok=True)
    (state / "postgres" / name).symlink_to(target)
    with pytest.raises(EmbeddedPostgresError, match=name):
        embedded.start(state)
    assert target.read_text() == "precious"
