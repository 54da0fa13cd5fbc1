"""What is not in the database, and why."""

import asyncio
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import typer

from harvester import shown
from harvester.cli.given import chosen, configured, instant, one_form
from harvester.clock import SystemClock
from harvester.config import Settings, Tenant
from harvester.service.database import reading
from harvester.store import overview

KINDS = ("missing", "lost")
COLUMNS = ("tenant", "stream", "feed", "kind", "since", "until", "lasts", "reason")


def gaps(
    config_file: Path,
    tenant: str | None,
    between: tuple[str | None, str | None],
    kind: str | None,
    limit: int,
    as_json: bool,
    as_csv: bool,
) -> None:
    """The widest first, in one form."""
    one_form(as_json, as_csv)
    now = SystemClock().now()
    since, until = between
    span = instant(since, "--since", now), instant(until, "--until", now)
    if kind is not None:
        chosen(kind, KINDS, what="kind", hint="--kind")
    settings, tenants = configured(config_file, tenant)
    rows = asyncio.run(_found(settings, tenants, span, kind, limit))
    found = rows[0]["found"] if rows else 0
    if as_json:
        shown.write_json({name: row[name] for name in COLUMNS} for row in rows)
    elif as_csv:
        shown.write_csv(COLUMNS, rows)
    else:
        _print(rows)
    if found > len(rows):
        sys.stdout.flush()
        typer.echo(f"{len(rows)} of {found} gaps shown; --limit {found} shows all.", err=True)


async def _found(
    settings: Settings,
    tenants: list[Tenant],
    span: tuple[datetime | None, datetime | None],
    kind: str | None,
    limit: int,
) -> list[dict[str, Any]]:
    async with reading(settings) as pool:
        return await overview.gaps(
            pool, {each.name: edge(each) for each in tenants}, span, kind, limit
        )


def edge(tenant: Tenant) -> timedelta:
    """How far behind now a well pulled feed may be: a tick, and the wait for the next one."""
    return 2 * tenant.longest_tick


def _print(rows: Sequence[shown.Row]) -> None:
    if not rows:
        typer.echo("No gaps.")
        return
    cells = ([row[name] for name in COLUMNS] for row in rows)
    shown.console().print(shown.table(cells, *COLUMNS, right=["lasts"]))
