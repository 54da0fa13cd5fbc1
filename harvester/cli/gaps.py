"""What is not in the database, and why."""

import asyncio
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from harvester import shown
from harvester.cli.options import (
    DEFAULT_CONFIG,
    AsCsv,
    AsJson,
    ConfigFile,
    TenantName,
    chosen,
    configured,
    instant,
    one_form,
)
from harvester.clock import SystemClock
from harvester.config import Settings, Tenant
from harvester.service.database import reading
from harvester.service.tenant import SHORTEST_TICK
from harvester.store import reports

KINDS = ("missing", "lost")
MOST = 1_000_000
"""Gaps at once: they are held in memory."""
COLUMNS = ("tenant", "stream", "feed", "kind", "since", "until", "lasts", "reason")

Since = Annotated[
    str | None,
    typer.Option(metavar="INSTANT", help="Leave out what ends before it.", show_default=False),
]
Until = Annotated[
    str | None,
    typer.Option(metavar="INSTANT", help="Leave out what begins after it.", show_default=False),
]
KindOfGap = Annotated[
    str | None, typer.Option(metavar="missing|lost", help="Only this kind.", show_default=False)
]
Limit = Annotated[int, typer.Option(min=1, max=MOST, metavar="N", help="At most so many.")]


def gaps(
    tenant: TenantName = None,
    since: Since = None,
    until: Until = None,
    kind: KindOfGap = None,
    limit: Limit = 100,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    config_file: ConfigFile = DEFAULT_CONFIG,
) -> None:
    """List what is not in the database, and why.

    A gap is a span of time that is wanted of a feed; the widest comes first. It is missing (it
    may still come) or lost (the platform no longer has it). It is shown in full, even where it
    reaches beyond --since or --until. The live edge, which is what came up since the last pull
    and is no wider than two intervals of its tenant, is left out.

    An INSTANT is written with its zone, 2026-03-04T10:00:00Z, or as a time back from now: 24h.

    \b
    Examples:
      harvester gaps --since 24h
      harvester gaps acme --kind lost --csv > lost.csv
    """
    one_form(as_json, as_csv)
    now = SystemClock().now()
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
        return await reports.gaps(
            pool, {each.name: edge(each) for each in tenants}, span, kind, limit
        )


def edge(tenant: Tenant) -> timedelta:
    """How far behind now a well pulled feed may be: a tick, and the wait for the next one."""
    return 2 * max(tenant.polled_every, SHORTEST_TICK)


def _print(rows: Sequence[shown.Row]) -> None:
    if not rows:
        typer.echo("No gaps.")
        return
    cells = ([row[name] for name in COLUMNS] for row in rows)
    shown.console().print(shown.table(cells, *COLUMNS, right=["lasts"]))
