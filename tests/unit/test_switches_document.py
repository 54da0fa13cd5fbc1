"""docs/simulator.md names every switch of the simulator, what handles it, and a test of it."""

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from importlib import import_module
from itertools import chain
from pathlib import Path
from pkgutil import resolve_name
from typing import NamedTuple

import pytest
from offered import acts, kinds

from harvester.simulator import fakes, faults
from harvester.simulator.uplinks import Habits

ROOT = Path(__file__).parent.parent.parent
HEADING = re.compile(r"^## (?:([A-Za-z]+): )?", re.MULTILINE)
ROW = re.compile(r"^\| `(.+?)` \| (.+?) \| `(.+?)` \| `(.+?)::(.+?)` \|$", re.MULTILINE)
DOCUMENT = (ROOT / "docs/simulator.md").read_text("utf-8")


class Row(NamedTuple):
    """A line of a table. `platform` is that of the heading above it, "" where it names none."""

    platform: str
    switch: str
    effect: str
    handler: str
    file: str
    test: str


def rows() -> Iterator[Row]:
    _, *parts = HEADING.split(DOCUMENT)
    for platform, text in zip(parts[::2], parts[1::2], strict=True):
        yield from (Row((platform or "").casefold(), *row) for row in ROW.findall(text))


ROWS = list(rows())


def ours() -> list[str]:
    """The platforms of the house: the example of one has its switches in its own file."""
    modules = {name: import_module(f"{fakes.__package__}.{name}") for name in fakes.platforms()}
    house = ROOT / "harvester"
    return [name for name, each in modules.items() if house in Path(each.__file__ or "").parents]


def of_platform(name: str) -> set[str]:
    quirks = import_module(f"{fakes.__package__}.{name}_quirks")
    switches = {f"Switches.{each.name}" for each in fields(quirks.Switches)}
    return {*switches, *acts(name), *kinds(quirks)}


def offered() -> set[tuple[str, str]]:
    """All switches that the code has, with their platforms."""
    common = {f"Habits.{each.name}" for each in fields(Habits)}
    common |= {f"faults.{each}" for each in kinds(faults)}
    own = ((name, switch) for name in ours() for switch in of_platform(name))
    return set(chain((("", switch) for switch in common), own))


def told(switch: str) -> str:
    """As it is in the code: an argument in quotes is a part of the name, others are explained."""
    return switch if '("' in switch else switch.partition("(")[0]


def test_the_tables_name_the_switches_that_there_are() -> None:
    assert {(row.platform, told(row.switch)) for row in ROWS} == offered()
    assert len(ROWS) == len(re.findall(r"^\| `", DOCUMENT, re.MULTILINE)), "a row is out of shape"


@pytest.mark.parametrize("handler", sorted({row.handler for row in ROWS}))
def test_what_handles_a_switch_is_there(handler: str) -> None:
    assert resolve_name(f"harvester.{handler}") is not None


@pytest.mark.parametrize(("file", "test"), sorted({(row.file, row.test) for row in ROWS}))
def test_every_switch_is_tested(file: str, test: str) -> None:
    (path,) = (ROOT / "tests").rglob(file)
    names = [getattr(node, "name", "") for node in ast.parse(path.read_text("utf-8")).body]
    assert test in names
