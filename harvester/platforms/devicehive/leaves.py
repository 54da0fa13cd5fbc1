"""What `parameters` and results hold: JSON of any shape, as the values at its leaves."""

from collections.abc import Container, Iterator
from itertools import chain, islice

LONE = ("value", "Value")
"""Paths that, where there is no other, add nothing to the message's name."""
_LONGEST = 1000
"""Characters of a path. What lies deeper has no channel that can be kept, and is not gone into."""


def channels(
    name: str, told: object, *, lone: Container[str] = LONE
) -> Iterator[tuple[str, object]]:
    """The channel and the value of each leaf of what a message of that name told.

    Keys and indices are joined with dots. None tells nothing, and neither does what is empty.
    """
    leaves = iter(()) if told is None else _leaves(told)
    first = list(islice(leaves, 2))
    is_lone = len(first) == 1 and first[0][0] in lone
    for path, value in chain(first, leaves):
        yield (f"{name}.{path}" if path and not is_lone else name), value


def _leaves(told: object) -> Iterator[tuple[str, object]]:
    # By a stack of our own: JSON may be nested deeper than calls may be.
    stack = [iter([("", told)])]
    while stack:
        for path, value in stack[-1]:
            if isinstance(value, dict | list) and len(path) <= _LONGEST:
                stack.append(_inside(path, value))
                break
            yield path, value
        else:
            stack.pop()


def _inside(path: str, value: dict[str, object] | list[object]) -> Iterator[tuple[str, object]]:
    named = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in named:
        yield (f"{path}.{key}" if path else str(key)), inner
