"""How the tenants stand."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from harvester import shown
from harvester.cli.given import configured
from harvester.cli.standing import AccountStanding, account_standings, lines
from harvester.clock import Clock, SystemClock
from harvester.config import Settings, Tenant
from harvester.service.database import reading
from harvester.store import accounts, overview
from harvester.store.overview import Failing
from harvester.store.streams import Standing, standings

if TYPE_CHECKING:
    from harvester.store.pool import Pool

AGAIN = timedelta(seconds=2)
MOST_FAILING = 3
"""Feeds of a tenant's stream whose failures are told."""
COLUMNS = (
    "tenant",
    "stream",
    "accounts",
    "devices",
    "feeds",
    "lag",
    "pulled",
    "settled",
    "missing",
    "lost",
    "done",
)


@dataclass(frozen=True, slots=True)
class State:
    """What was found of the configured tenants; `workers` are instances."""

    at: datetime
    tenants: dict[str, Tenant]
    accounts: dict[str, list[AccountStanding]]
    streams: list[Standing]
    workers: dict[str, str]
    failing: list[Failing]

    @property
    def unknown(self) -> list[str]:
        """Configured tenants that no daemon has worked yet."""
        known = {each.tenant for each in self.streams}
        return [name for name in self.tenants if name not in known]


def status(config_file: Path, tenant: str | None, *, watch: bool, as_json: bool) -> None:
    """Once, or again and again until it is stopped."""
    settings, tenants = configured(config_file, tenant)
    asyncio.run(_tell(settings, tenants, SystemClock(), watch=watch, as_json=as_json))


async def _tell(
    settings: Settings, tenants: list[Tenant], clock: Clock, *, watch: bool, as_json: bool
) -> None:
    console = shown.console()
    async with reading(settings) as pool:
        state = await _state(pool, tenants, clock)
        if not watch:
            shown.write_json(rows(state)) if as_json else console.print(picture(state))
            return
        with Live(console=console, auto_refresh=False, transient=False) as live:
            while True:
                if as_json:
                    typer.echo(shown.as_json(list(rows(state))))
                elif console.is_terminal:
                    live.update(picture(state), refresh=True)
                else:
                    console.print(picture(state))
                await clock.sleep_until(clock.now() + AGAIN)
                state = await _state(pool, tenants, clock)


async def _state(pool: Pool, tenants: list[Tenant], clock: Clock) -> State:
    names = [each.name for each in tenants]
    seen = await accounts.states(pool, names)
    return State(
        at=clock.now(),
        tenants={each.name: each for each in tenants},
        accounts={each.name: account_standings(each, seen) for each in tenants},
        streams=await standings(pool, names),
        workers=await overview.workers(pool, names),
        failing=await overview.failing(pool, names, MOST_FAILING),
    )


def rows(state: State) -> Iterator[dict[str, Any]]:
    """For programs: the columns of harvester.streams, and what stands below the table."""
    for each in state.streams:
        yield asdict(each) | {
            "accounts": len(state.tenants[each.tenant].accounts),
            "account_states": [account.row() for account in state.accounts[each.tenant]],
            "worked_by": state.workers.get(each.tenant),
            "failures": [asdict(failing) for failing in _of(state, each)],
        }


def picture(state: State) -> Group:
    """For people."""
    below = [*_worked(state), *_troubles(state), *_accounts(state)]
    return Group(_table(state), "", *(Text(line) for line in below), "")


def _table(state: State) -> Table:
    cells = [
        (
            each.tenant,
            each.stream,
            len(state.tenants[each.tenant].accounts),
            each.devices,
            each.feeds,
            shown.duration(each.lag),
            shown.share(each.pulled, each.wanted),
            shown.share(each.settled, each.wanted),
            each.missing,
            each.lost,
            shown.duration(state.at - each.succeeded_at if each.succeeded_at else None),
        )
        for each in state.streams
    ]
    return shown.table(cells, *COLUMNS, right=COLUMNS[2:], gap=1)


def _worked(state: State) -> Iterator[str]:
    owners: dict[str, list[str]] = {}
    for name in state.tenants:
        if name not in state.unknown:
            owners.setdefault(state.workers.get(name, ""), []).append(name)
    for owner, names in sorted(owners.items(), reverse=True):
        by = f"instance {owner}" if owner else "nobody: no daemon runs"
        yield f"{', '.join(names)}: worked by {by}"
    if state.unknown:
        yield f"{', '.join(state.unknown)}: not begun; harvester run does it"


def _troubles(state: State) -> Iterator[str]:
    for each in state.streams:
        of = f"{each.tenant} {each.stream}: of {each.feeds} feeds"
        if each.unseen:
            yield f"{of}, {each.unseen} seen by no account"
        if each.failing:
            yield f"{of}, {each.failing} failing"
        for failing in _of(state, each):
            since = shown.duration(failing.failing_for)
            yield shown.cell(f"  {failing.feed}: for {since}: {failing.failure}")


def _accounts(state: State) -> Iterator[str]:
    for name, tenant in state.tenants.items():
        if name not in state.unknown:
            yield from map(shown.cell, lines(tenant, state.accounts[name], state.at))


def _of(state: State, standing: Standing) -> Iterator[Failing]:
    of = standing.tenant, standing.stream
    return (each for each in state.failing if (each.tenant, each.stream) == of)
