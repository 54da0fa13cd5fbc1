"""What is in the database."""

from typing import Annotated

import typer

from harvester.cli.commands.options import (
    DEFAULT_CONFIG,
    AsCsv,
    AsJson,
    ConfigFile,
    TenantName,
)

MOST = 1_000_000
"""Gaps at once: they are held in memory."""
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
Name = Annotated[
    str | None,
    typer.Argument(
        help="Which one; without it, they are listed.", metavar="NAME", show_default=False
    ),
]


def status(
    tenant: TenantName = None,
    watch: Annotated[bool, typer.Option("--watch", help="Again every 2 s, until Ctrl-C.")] = False,
    as_json: AsJson = False,
    config_file: ConfigFile = DEFAULT_CONFIG,
) -> None:
    """Tell how the tenants stand.

    It is read from the database, whether the daemon runs or not. Time is added up over a
    tenant's feeds: an hour that is missing of each of three feeds is 3 h. "lag" is how far the
    least pulled feed is behind; "pulled" and "settled" (not asked for again) are shares of the
    time that is wanted; "missing" may still come, "lost" never does; "done" is how long ago all
    was done that was due. Below stand who works the tenants, what fails, and each account that is
    not simply active, with what to do about it.

    \b
    Examples:
      harvester status
      harvester status acme --watch
      harvester status --json
    """
    from harvester.cli import status as work

    work.status(config_file, tenant, watch=watch, as_json=as_json)


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
    from harvester.cli import gaps as work

    work.gaps(config_file, tenant, (since, until), kind, limit, as_json, as_csv)


def query(
    name: Name = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    config_file: ConfigFile = DEFAULT_CONFIG,
) -> None:
    """Run one of the queries that come with harvester.

    Without a NAME they are listed. They are the files of sql/queries, read-only, and end after
    a minute at the latest. Instants are printed in ISO 8601 with their zone; in CSV and JSON an
    interval is a number of seconds.

    \b
    Examples:
      harvester query
      harvester query latest_temperature
      harvester query hourly_mean --csv > means.csv
    """
    from harvester.cli import query as work

    work.query(config_file, name, as_json, as_csv)
