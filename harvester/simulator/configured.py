"""The configuration of a daemon that harvests what is simulated, with its secrets in files."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from harvester.simulator.fakes import Secret, simulated
from harvester.simulator.tenants import Tenant
from harvester.simulator.world import World

_TENANT = """
[[tenant]]
name = "{name}"
platform = "{platform}"
interval = "{interval}"
history = "{history}"
[tenant.options]
{options}
"""
_ACCOUNT = """
[[tenant.account]]
user = "{user}"
password = {{ file = "{user}" }}
"""


@dataclass(frozen=True, slots=True)
class Served:
    """A world, and where the fake of a platform speaks for it.

    Where several speak for one world, `suffix` tells their tenants apart.
    """

    platform: str
    world: World
    url: str
    suffix: str = ""

    @property
    def tenants(self) -> dict[str, Tenant]:
        """By the names under which they are configured."""
        return {f"{name}{self.suffix}": tenant for name, tenant in self.world.tenants.items()}


def configure(
    served: Sequence[Served],
    folder: Path,
    *,
    interval: str = "5s",
    history: str | None = None,
    head: str = "",
    web_port: int = 0,
) -> Path:
    """Write a configuration for all tenants that are served; the path of its file.

    All that was ever published is wanted, unless `history` is given. `head` stands before the
    first table, or is the first of them. Raises OSError.
    """
    text = f"{head}\n[web]\nport = {web_port}\n"
    for each in served:
        for name, tenant in each.tenants.items():
            options = simulated(each.platform).options(tenant, each.url)
            text += _TENANT.format(
                name=name,
                platform=each.platform,
                interval=interval,
                history=history or _history(each.world),
                options="\n".join(_option(name, *option) for option in options.items()),
            )
            text += "".join(_ACCOUNT.format(user=user.name) for user in tenant.users)
            for file, secret in _secrets(name, tenant, options):
                _write(folder / file, secret)
    path = folder / "config.toml"
    _write(path, f'state_directory = "state"\n{text}')
    return path


def _history(world: World) -> str:
    """A `history` that reaches back beyond the world's beginning, by an hour at least."""
    return f"{(world.clock.now() - world.since) // timedelta(hours=1) + 2}h"


def _option(name: str, key: str, value: object) -> str:
    """A line of TOML; a secret stands in a file."""
    if isinstance(value, Secret):
        return f'{key} = {{ file = "{name}.{key}" }}'
    return f"{key} = {_toml(value)}"


def _toml(value: object) -> str:
    """TOML writes all but its tables as JSON does."""
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        pairs = (f"{json.dumps(key)} = {_toml(each)}" for key, each in value.items())
        return f"{{ {', '.join(pairs)} }}"
    return json.dumps(value)


def _secrets(name: str, tenant: Tenant, options: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """The files' names and what they hold; a user has one password, wherever the tenant is."""
    for key, value in options.items():
        if isinstance(value, Secret):
            yield f"{name}.{key}", value
    for user in tenant.users:
        yield user.name, user.password


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, "utf-8")
