"""One TOML file, the environment over it, checked at once into frozen types.

What is wrong is collected: one ConfigError tells it all, a sentence a line, and no sentence
quotes a value, which might be a secret in the wrong place.
"""

import os
import tomllib
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict, SettingsError

from harvester.config import urls
from harvester.config.references import laid_over, resolve
from harvester.config.sentences import sentence
from harvester.config.settings import Account, Database, Settings, Tenant, Web
from harvester.config.tree import Location, Problem, Tree, dotted, nearest
from harvester.errors import ConfigError

__all__ = ["Account", "Database", "Settings", "Tenant", "Web", "load"]

PREFIX = "HARVESTER_"
MOST_BYTES = 16 * 2**20
"""Thousands of tenants are a tenth of it; a device such as /dev/zero never ends."""


class _Environment(BaseSettings):
    """What the environment may lay over the file. Never made: `Settings` checks both together."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__")

    deployment: str
    state_directory: str
    key_file: str
    database: Database
    web: Web
    auth_events: str
    tenant: list[Any]


def load(path: Path) -> Settings:
    """Read the configuration file, and the environment over it. Blocks on files.

    Raises ConfigError with everything that is wrong.
    """
    try:
        return _loaded(path)
    except RecursionError:
        pass
    raise ConfigError(f"{path}, or a variable {PREFIX}…: is nested too deeply")


def _loaded(path: Path) -> Settings:
    folder = path.parent.absolute()
    file, environment = _file(path), _environment()
    tree, problems = resolve(laid_over(environment, file), folder)
    problems += urls.misplaced(tree)
    settings, findings = _checked(tree, folder)
    lines = [*_strangers()]
    for location, text in problems + findings:
        origin = _variable(environment, location) or path
        lines.append(": ".join((str(origin), *filter(None, [dotted(tree, location)]), text)))
    if settings is None or lines:
        raise ConfigError("\n".join(lines))
    return settings


def _checked(tree: Tree, folder: Path) -> tuple[Settings | None, list[Problem]]:
    try:
        return Settings.model_validate(tree, context={"folder": folder}), []
    except ValidationError as error:
        # Returned and not raised again: pydantic's text would travel along as the context.
        found = error.errors(include_url=False, include_input=False)
    return None, [(each["loc"], text) for each in found if (text := sentence(tree, each))]


def _file(path: Path) -> Tree:
    try:
        tree = tomllib.loads(_content(path).decode())
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: there is no such file; begin with config.example.toml"
        ) from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is no text in UTF-8") from None
    except ValueError as error:  # not only TOMLDecodeError: an integer of thousands of digits
        raise ConfigError(f"{path}: is no TOML: {error}") from None
    if not tree:
        raise ConfigError(f"{path}: says nothing; begin with config.example.toml")
    # systemd names several, with colons between, where a unit asks for several.
    systemd = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    return {"state_directory": systemd or "~/.local/state/harvester"} | tree


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ConfigError(f"{path}: is too long for a configuration")
    return content


def _environment() -> Tree:
    try:
        return EnvSettingsSource(_Environment)()
    except SettingsError:
        # Its own text, and its cause, hold the value.
        pass
    raise ConfigError(f"{PREFIX}DATABASE, {PREFIX}WEB and {PREFIX}TENANT take JSON")


def _strangers() -> Iterator[str]:
    """Variables that were meant for us and that nothing reads.

    Not all with our prefix: a container's links set such as HARVESTER_PORT on their own.
    """
    known = list(_Environment.model_fields)
    for name in sorted(os.environ):
        key, nested, _ = name.removeprefix(PREFIX).lower().partition("__")
        if not name.startswith(PREFIX) or key in known:
            continue
        close = get_close_matches(key, known, n=1, cutoff=0.75)
        if nested or close:
            yield f"environment variable {name}: unknown key; {nearest(key, known)}"


def _variable(environment: Tree, location: Location) -> str | None:
    """The environment variable that said what stands at a location; None if the file did."""
    node: Any = environment
    words = []
    for part in location:
        if not isinstance(node, dict):
            break
        if part not in node:
            return None
        words.append(str(part).upper())
        node = node[part]
    return f"environment variable {PREFIX}{'__'.join(words)}" if words else None
