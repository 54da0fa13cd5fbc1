"""docs/simulator.md names every switch of the simulator, what handles it, and a test of it."""

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from importlib import import_module
from inspect import isclass, isfunction
from itertools import chain
from pathlib import Path
from pkgutil import resolve_name
from types import ModuleType
from typing import Literal, NamedTuple, get_args, get_origin, get_type_hints

import pytest

from harvester.simulator import fakes, faults
from harvester.simulator.devicehive_socket import Sockets
from harvester.simulator.faults import Kind
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


def kinds(module: ModuleType) -> Iterator[str]:
    """The public functions of a module that build a kind of fault; each of a choice by itself."""
    for name, each in vars(module).items():
        if isfunction(each) and name[0] != "_" and get_type_hints(each).get("return") == Kind:
            hints = get_type_hints(each).values()
            choices = [hint for hint in hints if get_origin(hint) is Literal]
            said = [f'{name}("{value}")' for choice in choices for value in get_args(choice)]
            yield from said or [name]


BESIDE = ("app", "truth", "task_truth", "arrivals", "accept", "store")
"""What a fake is or says: nothing is altered by that."""


def acts(fake: ModuleType) -> Iterator[str]:
    """What can be done to an account or a device there."""
    for kind in (each for name, each in vars(fake).items() if name.startswith("Fake")):
        if isclass(kind) and kind.__module__ == fake.__name__:
            yield from (f"{kind.__name__}.{name}" for name in done_by(kind))


def done_by(kind: type) -> Iterator[str]:
    done = (name for name, each in vars(kind).items() if isfunction(each) or _is_set(each))
    return (name for name in done if name[0] != "_" and name not in BESIDE)


def _is_set(each: object) -> bool:
    return isinstance(each, property) and each.fset is not None


def of_platform(name: str) -> set[str]:
    module = f"{fakes.__package__}.{name}"
    quirks = import_module(f"{module}_quirks")
    switches = {f"Switches.{each.name}" for each in fields(quirks.Switches)}
    return {*switches, *acts(import_module(module)), *kinds(quirks)}


def offered() -> set[tuple[str, str]]:
    """All switches that the code has, with their platforms."""
    common = {f"Habits.{each.name}" for each in fields(Habits)}
    common |= {f"faults.{each}" for each in kinds(faults)}
    own = ((name, switch) for name in fakes.platforms() for switch in of_platform(name))
    sockets = (("devicehive", f"FakeDevicehive.sockets.{name}") for name in done_by(Sockets))
    return set(chain((("", switch) for switch in common), own, sockets))


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
