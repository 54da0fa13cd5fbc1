"""Secrets by reference: the tables `{ file = "…" }`, `{ env = "…" }`, `{ credential = "…" }`."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from pydantic import SecretStr

from harvester.config.tree import Location, Problem, Tree
from harvester.errors import ConfigError
from harvester.vault import KeyVariable, open_regular

KINDS = ("file", "env", "credential")
KEY_FILE = ("key_file",)
"""What may be a reference and is no secret, but a place where keys are."""
KEYS_WANTED = 'takes a path in quotes, { credential = "…" } or { env = "…" }'
NUL = "holds a NUL character, which no path and no database takes"
MOST_BYTES = 64 * 1024
"""No secret is longer; a device such as /dev/zero never ends."""


def resolve(tree: Tree, folder: Path) -> tuple[Tree, list[Problem]]:
    """The tree with a SecretStr for each reference, and what could not be resolved.

    Files are relative to `folder`. A reference that leads nowhere becomes an empty SecretStr. The
    key file's is its path, or a KeyVariable.
    """
    problems: list[Problem] = []
    return {key: _resolved(each, (key,), folder, problems) for key, each in tree.items()}, problems


def laid_over(high: Tree, low: Tree) -> Tree:
    """Both trees in one: tables are joined key by key; of all else, `high` is what counts."""
    both = dict(low)
    for key, value in high.items():
        below = low.get(key)
        # A reference is one value: joined, { file } and { env } would be neither.
        if isinstance(value, dict) and isinstance(below, dict) and not reference(below):
            value = laid_over(value, below)
        both[key] = value
    return both


def reference(node: object) -> tuple[str, str] | None:
    """Kind and name, where the node is a table of one kind and its name and nothing else."""
    if isinstance(node, dict) and len(node) == 1:
        [(kind, name)] = node.items()
        if kind in KINDS and isinstance(name, str):
            return kind, name
    return None


def _resolved(node: object, at: Location, folder: Path, problems: list[Problem]) -> object:
    if isinstance(node, str) and "\0" in node:
        problems.append((at, NUL))
    if found := reference(node):
        try:
            return _meant(at, *found, folder)
        except ConfigError as error:
            problems.append((at, str(error)))
            return None if at == KEY_FILE else SecretStr("")
    if isinstance(node, dict):
        return {key: _resolved(each, (*at, key), folder, problems) for key, each in node.items()}
    if isinstance(node, list):
        return [_resolved(each, (*at, i), folder, problems) for i, each in enumerate(node)]
    return node


def _meant(at: Location, kind: str, name: str, folder: Path) -> SecretStr | KeyVariable | str:
    if "\0" in name:
        raise ConfigError(NUL)
    if at != KEY_FILE:
        return SecretStr(_secret(kind, name, folder))
    if kind == "file":
        raise ConfigError(KEYS_WANTED)
    return KeyVariable(name) if kind == "env" else str(_credential(name))


def _secret(kind: str, name: str, folder: Path) -> str:
    """The secret, without one newline at its end. Raises ConfigError with a sentence."""
    if kind == "env":
        what, text = f"the environment variable {name}", os.environ.get(name)
        if text is None:
            raise ConfigError(f"{what} is not set; set it where harvester is started")
        return _bare(text, what, "secret")
    return secret_file(folder / Path(name) if kind == "file" else _credential(name))


def secret_file(
    path: Path, word: str = "secret", opened: Callable[[Path], BinaryIO] = open_regular
) -> str:
    """What a file holds, without one newline at its end. `word` is what errors call it.

    Raises ConfigError with a sentence.
    """
    what = f"the {word} file {path}"
    return _bare(_text(path, what, word, opened), what, word)


def _bare(text: str, what: str, word: str) -> str:
    bare = text.removesuffix("\n").removesuffix("\r")
    if not bare:
        raise ConfigError(f"{what} is empty; put the {word} into it")
    return bare


def _credential(name: str) -> Path:
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        raise ConfigError(
            "$CREDENTIALS_DIRECTORY is not set: systemd sets it (LoadCredential= in the unit); "
            "on a command line set it to the folder that holds the credentials"
        )
    if "/" in name or name in ("", ".", ".."):
        raise ConfigError('a credential is a bare name; for a path use { file = "…" }')
    return Path(folder, name).absolute()


def _text(path: Path, what: str, word: str, opened: Callable[[Path], BinaryIO]) -> str:
    try:
        with opened(path) as file:
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{what} does not exist; create it, or mend the path") from None
    except IsADirectoryError:
        raise ConfigError(f"{what} is a directory; name a file in it") from None
    except PermissionError:
        raise ConfigError(f"{what} may not be read by the user who runs harvester") from None
    except OSError as error:
        raise ConfigError(f"{what} cannot be read: {error.strerror}") from None
    if len(content) > MOST_BYTES:
        raise ConfigError(f"{what} is too long for a {word}")
    try:
        return content.decode()
    except UnicodeDecodeError:  # its own text would quote the secret's bytes
        raise ConfigError(f"{what} is no text in UTF-8") from None
