"""A configuration before it is checked: the tables, lists and values of the TOML file."""

import json
import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

Tree = dict[str, Any]
"""What the file and the environment say; references to secrets become SecretStr in it."""
Location = tuple[int | str, ...]
"""The way from the root of a tree to a place in it."""
Problem = tuple[Location, str]
"""Where something is wrong, and what."""

_NAMES = ("name", "user", "path")
"""By the first of these that it has, a table of a list is told from the others."""
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def at(tree: Tree, location: Location) -> object:
    """The value at a location; None where there is none."""
    node: Any = tree
    for part in location:
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            return None
    return node


def dotted(tree: Tree, location: Location) -> str:
    """A location as TOML writes it, with the name, user or path of a table where its number was."""
    return ".".join(_word(tree, location[:depth]) for depth in range(1, len(location) + 1))


def _word(tree: Tree, location: Location) -> str:
    word = location[-1]
    if isinstance(word, int):
        table = at(tree, location)
        told = [table.get(key) for key in _NAMES] if isinstance(table, dict) else []
        names = [name for name in told if isinstance(name, str)]
        if not names:
            return f"#{word + 1}"
        word = names[0]
    return word if _BARE.fullmatch(word) else json.dumps(word, ensure_ascii=False)


def nearest(wrong: str, known: Iterable[str]) -> str:
    """What was meant, most likely; else all there is to choose from."""
    choice = sorted(known)
    close = get_close_matches(wrong, choice, n=1)
    return f"did you mean {close[0]}?" if close else f"known here: {', '.join(choice)}"
