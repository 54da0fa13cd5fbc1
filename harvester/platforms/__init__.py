"""One file a platform, found by its name; `base` is what they have in common."""

import importlib
import pkgutil
from functools import cache

from harvester.platforms.base import Platform


@cache
def names() -> list[str]:
    """The platforms that are there: the files of this folder."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(name for name in found if name != "base")


@cache
def adapter(name: str) -> type[Platform]:
    """The adapter of a platform by its file's name. Raises KeyError where there is no such file."""
    if name not in names():
        raise KeyError(name)
    found: type[Platform] = importlib.import_module(f"{__name__}.{name}").Adapter
    return found
