"""See it work: simulated customers, a real harvest, and a comparison of what came of it.

Everything lives in a temporary folder and on loopback, and is gone at the end.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import asyncpg
import typer
from rich.console import Console
from rich.table import Table

from harvester import config, logs, service
from harvester.clock import SystemClock
from harvester.errors import UserError
from harvester.simulator.clock import RealClock
from harvester.simulator.fakes import Secret, simulated
from harvester.simulator.tenants import Tenant
from harvester.simulator.world import World

if TYPE_CHECKING:
    from harvester.store.pool import Pool

HISTORY = timedelta(hours=24)
SEED = "demo"
PLATFORM = "mydevices"

Key = tuple[str, str, str, datetime]
"""tenant, device, channel, instant"""
Facts = Mapping[Key, float | str]

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
_PUBLISHED_AND_HELD = """
select tenant, device, channel, ts, raw_value, text from harvester.readings where ts >= $1
"""
_TABLE = """
select tenant, device_name, quantity, to_char(ts, 'HH24:MI:SS') as at,
       coalesce(round(value::numeric, 2)::text, text) as value, unit
from (select *, row_number() over (partition by tenant order by ts desc, channel) as place
      from harvester.latest_readings where quantity is not null) newest
where place <= 5
order by tenant, place
"""


def configure(
    world: World,
    url: str,
    folder: Path,
    *,
    interval: str = "5s",
    history: str = "24h",
    head: str = "",
) -> Path:
    """Write a configuration for all tenants of the world, with its secrets in files beside it.

    `history` should be longer than the world is old, as it ends when the daemon begins.
    """
    text = f'state_directory = "state"\n{head}\n[web]\nport = 0\n'
    secrets: dict[str, str] = {}
    for tenant in world.tenants.values():
        options = simulated(PLATFORM).options(tenant, url)
        for key, value in options.items():
            if isinstance(value, Secret):
                secrets[f"{tenant.name}.{key}"] = value
        text += _TENANT.format(
            name=tenant.name,
            platform=PLATFORM,
            interval=interval,
            history=history,
            options="\n".join(_option(tenant, *option) for option in options.items()),
        )
        for user in tenant.users:
            text += _ACCOUNT.format(user=user.name)
            secrets[user.name] = user.password
    for name, secret in secrets.items():
        (folder / name).write_text(secret, "utf-8")
    path = folder / "config.toml"
    path.write_text(text, "utf-8")
    return path


def _option(tenant: Tenant, key: str, value: object) -> str:
    """A line of TOML, which writes these values as JSON does; a secret stands in a file."""
    if isinstance(value, Secret):
        return f'{key} = {{ file = "{tenant.name}.{key}" }}'
    return f"{key} = {json.dumps(value)}"


def published(world: World, as_of: datetime) -> dict[Key, float | str]:
    """What the platform had published up to an instant."""
    return {
        (tenant, *key): value
        for tenant in world.tenants
        for key, value in world.truth(tenant, as_of).items()
    }


async def held(pool: Pool, since: datetime) -> dict[Key, float | str]:
    """What the database holds, as its public view shows it. Raises ValueError for a row twice."""
    rows = await pool.fetch(_PUBLISHED_AND_HELD, since)
    facts = {
        (row["tenant"], row["device"], row["channel"], row["ts"]): (
            row["raw_value"] if row["text"] is None else row["text"]
        )
        for row in rows
    }
    if len(facts) != len(rows):
        raise ValueError(f"{len(rows) - len(facts)} readings are there twice")
    return facts


@dataclass(frozen=True, slots=True)
class Comparison:
    """`before` and `after`: what was published when the run began, and when it was compared."""

    before: Facts
    after: Facts
    held: Facts

    @property
    def differences(self) -> list[str]:
        """What is missing, and what is held that was not published, a line each.

        What was corrected since the run began may be held as it was or as it is.
        """
        return [
            f"{_shown(key)}: published {said}, held {self.held.get(key)!r}"
            for key in sorted(self.before.keys() | self.held.keys())
            if self.held.get(key) not in (said := self._said(key))
        ]

    def _said(self, key: Key) -> list[float | str]:
        return [facts[key] for facts in (self.before, self.after) if key in facts]

    def sentence(self, since: datetime, began: datetime) -> str:
        found, differing = sum(key in self.held for key in self.before), len(self.differences)
        verdict = f"{differing} differ" if differing else "equal"
        return (
            f"Published from {since:%Y-%m-%d %H:%M:%S} to {began:%Y-%m-%d %H:%M:%S} UTC: "
            f"{len(self.before)} readings; in the database: {found}; {verdict}."
        )


def _shown(key: Key) -> str:
    return f"{key[0]} {key[1]} channel {key[2]} at {key[3].isoformat()}"


async def run(once: bool) -> int:
    """Harvest the simulated tenants: once and compare, or until Ctrl-C. The exit code."""
    began = SystemClock().now()
    world = World(SEED, RealClock(), began - HISTORY)
    with tempfile.TemporaryDirectory(prefix="harvester-demo-") as folder:
        async with simulated(PLATFORM).serve(world) as fake:
            path = configure(world, fake.url, Path(folder))
            settings = await asyncio.to_thread(config.load, path)
            if once:
                return await _once(world, began, settings)
            typer.echo(f"Harvesting two simulated tenants from {fake.url}; Ctrl-C ends it.")
            await service.run(settings)
    return 0


async def _once(world: World, began: datetime, settings: config.Settings) -> int:
    async with AsyncExitStack() as stack:
        with service.instance(settings.state_directory) as owner:
            house = await stack.enter_async_context(service.opened(settings, SystemClock(), owner))
            for each in settings.tenants:
                tenant = await stack.enter_async_context(service.working(house, each))
                await tenant.tick()
            Console().print(_table(await house.pool.fetch(_TABLE)))
            comparison = Comparison(
                before=published(world, began),
                after=published(world, world.clock.now()),
                held=await held(house.pool, world.since),
            )
            for line in comparison.differences[:20]:
                typer.echo(line)
            typer.echo(comparison.sentence(world.since, began))
            return 1 if comparison.differences else 0


def _table(rows: list[asyncpg.Record]) -> Table:
    table = Table(box=None, header_style="bold")
    for name in rows[0].keys() if rows else ():
        table.add_column(name, no_wrap=True)
    for row in rows:
        table.add_row(*(str(value or "") for value in row.values()))
    return table


def demo(
    once: Annotated[bool, typer.Option(help="Harvest 24 h, compare and exit.")] = False,
) -> None:
    """Harvest two simulated customers; without --once until Ctrl-C."""
    sys.exit(asyncio.run(run(once)))


def main() -> None:
    """Run the demo; what the operator must mend is told in a sentence."""
    logs.set_up()
    try:
        typer.run(demo)
    except UserError as error:
        typer.echo(f"harvester demo: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
