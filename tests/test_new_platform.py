"""docs/new-platform.md is done as it is written, and shows what is in the example's files."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fix_example import EXAMPLE

from harvester import platforms
from harvester.platforms import base

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs/new-platform.md").read_text("utf-8")
ADAPTER, FAKE = sorted(EXAMPLE.glob("*/*.py"))
OURS = "from harvester import platforms; print(*platforms.names())"
TRIED = {"test_access.py", "test_tasks.py"}
"""Of the contract's modules; the others are run on the example where it lies."""
NEEDED = ("harvester", "sql", "tests", "docs", "pyproject.toml")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.M | re.S)


def test_the_example_is_one_short_file_and_its_fake_another() -> None:
    assert (ADAPTER.parent.name, FAKE.parent.name) == ("platforms", "simulator")
    assert len(ADAPTER.read_text("utf-8").splitlines()) < 200
    assert len(FAKE.read_text("utf-8").splitlines()) < 300


@pytest.mark.parametrize("shown", blocks("python"), ids=lambda shown: shown.splitlines()[0])
def test_what_the_guide_shows_is_in_the_files(shown: str) -> None:
    files = [path.read_text("utf-8") for path in (ADAPTER, FAKE)]
    assert any(f"\n{shown}" in text for text in files)


def test_what_the_guide_names_is_there() -> None:
    named = re.findall(r"`(Access|Platform)\.(\w+)`", GUIDE)
    assert len(named) > 10
    assert [name for kind, name in named if not hasattr(getattr(base, kind), name)] == []


def test_only_the_tests_know_the_example() -> None:
    program = [sys.executable, "-c", OURS]
    told = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    ours = set(told.split())
    assert set(platforms.names()) - ours == {ADAPTER.stem}
    assert [name for name in ours if not (ROOT / f"docs/platforms/{name}.md").exists()] == []


@pytest.mark.timeout(180)  # it runs a part of the contract, on a Postgres of its own
def test_a_copy_of_the_example_under_another_name_is_a_platform(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in NEEDED:
        place = tmp_path / name
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, place, symlinks=True)
        else:
            shutil.copy(ROOT / name, place)
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parents[1])
    modules = (path.name for path in ROOT.glob("tests/contract/test_*.py"))
    others = (f"--ignore=tests/contract/{name}" for name in modules if name not in TRIED)
    monkeypatch.setenv("PYTEST_ADDOPTS", " ".join(others))
    (commands,) = blocks("sh")
    for command in [*commands.splitlines(), ".venv/bin/lint-imports"]:
        done = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
