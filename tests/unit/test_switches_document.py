"""docs/simulator.md names every switch of the simulator, what handles it, and a test of it."""

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from inspect import isfunction
from pathlib import Path
from pkgutil import resolve_name
from types import ModuleType
from typing import get_args, get_type_hints

import pytest

from harvester.simulator import faults, mydevices_quirks
from harvester.simulator.faults import Kind
from harvester.simulator.mydevices import FakeMydevices
from harvester.simulator.mydevices_quirks import BadReading, Switches
from harvester.simulator.uplinks import Habits

ROOT = Path(__file__).parent.parent.parent
ROW = re.compile(r"^\| `(.+?)` \| (.+?) \| `(.+?)` \| `(.+?)::(.+?)` \|$", re.MULTILINE)
TABLES = (ROOT / "docs/simulator.md").read_text("utf-8")
ROWS = ROW.findall(TABLES)


def kinds(module: ModuleType) -> Iterator[str]:
    """The public functions of a module that build a kind of fault."""
    for name, each in vars(module).items():
        if isfunction(each) and name[0] != "_" and get_type_hints(each).get("return") == Kind:
            yield name


def offered() -> set[str]:
    """All switches that the code has."""
    names = {f"Habits.{each.name}" for each in fields(Habits)}
    names |= {f"Switches.{each.name}" for each in fields(Switches)}
    names |= {f"faults.{each}" for each in kinds(faults)}
    names |= {f'bad_reading("{each}")' for each in get_args(BadReading)}
    names |= set(kinds(mydevices_quirks)) - {"bad_reading"}
    acts = {name for name, each in vars(FakeMydevices).items() if isfunction(each)}
    return names | {f"FakeMydevices.{each}" for each in acts if each[0] != "_" and each != "app"}


def told(switch: str) -> str:
    return switch if switch.startswith("bad_reading") else switch.partition("(")[0]


def test_the_tables_name_the_switches_that_there_are() -> None:
    assert {told(switch) for switch, *_ in ROWS} == offered()
    assert len(ROWS) == len(re.findall(r"^\| `", TABLES, re.MULTILINE)), "a row is out of shape"


@pytest.mark.parametrize("handler", sorted({row[2] for row in ROWS}))
def test_what_handles_a_switch_is_there(handler: str) -> None:
    assert resolve_name(f"harvester.{handler}") is not None


@pytest.mark.parametrize(("file", "test"), sorted({row[3:] for row in ROWS}))
def test_every_switch_is_tested(file: str, test: str) -> None:
    (path,) = (ROOT / "tests").rglob(file)
    names = [getattr(node, "name", "") for node in ast.parse(path.read_text("utf-8")).body]
    assert test in names
