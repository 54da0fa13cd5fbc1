"""What the simulator offers to switch on: kinds of faults, and what can be done to a fake."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from inspect import isclass, isfunction
from types import ModuleType
from typing import Literal, get_args, get_origin, get_type_hints

from harvester.simulator import fakes
from harvester.simulator.devicehive_socket import Sockets
from harvester.simulator.faults import Kind

BESIDE = ("app", "truth", "task_truth", "arrivals", "accept", "store")
"""What a fake is or says: nothing is altered by that."""

Builder = Callable[..., Kind]


def builders(module: ModuleType) -> Iterator[tuple[str, Builder, tuple[str, ...]]]:
    """The public functions of a module that build a kind of fault, each with its choices."""
    for name, each in vars(module).items():
        if isfunction(each) and name[0] != "_" and get_type_hints(each).get("return") == Kind:
            hints = get_type_hints(each).values()
            choices = [hint for hint in hints if get_origin(hint) is Literal]
            yield name, each, tuple(value for choice in choices for value in get_args(choice))


def kinds(module: ModuleType) -> Iterator[str]:
    """By name; each of a choice by itself."""
    for name, _, choices in builders(module):
        yield from [f'{name}("{value}")' for value in choices] or [name]


def acts(platform: str) -> Iterator[str]:
    """What can be done to an account, a device or a connection of a fake, by its names there."""
    fake = import_module(f"{fakes.__package__}.{platform}")
    for kind in (each for name, each in vars(fake).items() if name.startswith("Fake")):
        if isclass(kind) and kind.__module__ == fake.__name__:
            yield from (f"{kind.__name__}.{name}" for name in done_by(kind))
    if platform == "devicehive":
        yield from (f"FakeDevicehive.sockets.{name}" for name in done_by(Sockets))


def done_by(kind: type) -> Iterator[str]:
    done = (name for name, each in vars(kind).items() if isfunction(each) or _is_set(each))
    return (name for name in done if name[0] != "_" and name not in BESIDE)


def _is_set(each: object) -> bool:
    return isinstance(each, property) and each.fset is not None
