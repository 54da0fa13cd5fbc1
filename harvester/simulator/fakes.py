"""What a fake offers to whoever plays with it, and how it is found: by its file's name.

A new platform's fake is one module beside this one that fits `Simulated`; whatever else it needs
stands in modules with longer names. Nothing lists them.
"""

import importlib
import pkgutil
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from harvester import simulator
from harvester.simulator.faults import Faults
from harvester.simulator.tenants import Tenant
from harvester.simulator.world import World

Stated = TypeVar("Stated")

OFFERED = ("QUIRKS", "options", "serve")


class Secret(str):
    """An option that a configuration refers to, and does not hold."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """How a task stood from `at` on, by the platform's clock and in its words."""

    at: datetime
    state: str | None
    result: object = None


@dataclass(frozen=True, slots=True)
class TaskTruth:
    """A task that the platform has reported on: how it stood, from its beginning until now."""

    kind: str
    device: str | None
    history: tuple[Standing, ...]

    @property
    def now(self) -> Standing:
        return self.history[-1]


class Fake(Protocol):
    """A fake at play. `token_calls` counts each when it arrives; `violations` are sentences about
    what a good client never does. Reads are GETs, token calls are POSTs: faults go by that."""

    url: str
    faults: Faults
    token_calls: Counter[str]
    violations: list[str]

    def disable(self, user: str, /) -> None:
        """Refuse every login of that user from now on."""

    def enable(self, user: str, /) -> None:
        """Refuse them no more."""

    def truth(self, tenant: str, /) -> dict[tuple[str, str, datetime], float | str]:
        """What a perfect observer of the platform holds now, by device, channel and instant.

        Only of a platform whose data is read.
        """

    def task_truth(self, tenant: str, /) -> dict[str, TaskTruth]:
        """All tasks that the platform has reported on, by the identity of the report.

        Only of a platform whose tasks are read.
        """


class Simulated(Protocol):
    """The module of a fake.

    `QUIRKS` are all ways in which the platform may answer from deployment to deployment, the
    documented one first: order, bounds, caps, spellings, lives of tokens. Each tells the truth,
    and is a dataclass of switches, with `clock_skew`, a timedelta, among them.
    """

    QUIRKS: Mapping[str, Any]

    def options(self, tenant: Tenant, url: str) -> Mapping[str, object]:
        """The options of a configured tenant that reach `tenant` at a fake served at `url`."""

    def serve(
        self, world: World, *, switches: Any = ..., port: int = 0
    ) -> AbstractAsyncContextManager[Fake]:
        """Serve `world` on loopback; `switches` is one of the quirks."""


def platforms() -> list[str]:
    """The platforms that have a fake, by name."""
    names = (module.name for module in pkgutil.iter_modules(simulator.__path__))
    return sorted(name for name in names if not _wanting(_module(name)))


def simulated(platform: str) -> Simulated:
    """The fake of a platform. Raises LookupError, which says what to write, where it is wanting."""
    name = f"{__package__}.{platform}"
    where = f"{name.replace('.', '/')}.py"
    try:
        module = _module(platform)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise LookupError(
            f"{platform} has no fake: write {where} with {', '.join(OFFERED)}"
        ) from None
    if missing := _wanting(module):
        raise LookupError(
            f"the fake of {platform} is not whole: add {', '.join(missing)} to {where}"
        )
    found: Simulated = module
    return found


def stated(platform: str, name: str, otherwise: Stated) -> Stated:
    """What the module of a fake's switches states beside them, where it does.

    `ASPECTS`: which switches alter nothing but how accounts get in (`access`), `readings` or
    `tasks`, by their names with blanks between; one that is named nowhere alters all. `LASTING`:
    switches with which all that was ever said can be asked for, as of a platform that keeps it, and
    some tasks are not over. `OTHER_OPTIONS`: what is told otherwise of a tenant that gets in in
    another way. `STRANGE_STATES`: words for states of tasks that no document has.
    """
    documented = next(iter(simulated(platform).QUIRKS.values()))
    module = sys.modules[type(documented).__module__]
    found: Stated = getattr(module, name, otherwise)
    return found


def _module(name: str) -> Any:
    return importlib.import_module(f"{__package__}.{name}")


def _wanting(module: object) -> list[str]:
    return [each for each in OFFERED if not hasattr(module, each)]
