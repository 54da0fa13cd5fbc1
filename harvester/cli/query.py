"""The user's cookbook, run from the command line."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import asyncpg
import typer

from harvester import config, shown
from harvester.cli.options import DEFAULT_CONFIG, AsCsv, AsJson, ConfigFile, chosen, one_form
from harvester.config import Settings
from harvester.errors import DatabaseError
from harvester.service.database import reading
from harvester.store.cookbook import cookbook
from harvester.store.pool import translated

LONGEST = 60
"""Seconds of a query."""

Columns = tuple[str, ...]
Name = Annotated[
    str | None,
    typer.Argument(
        help="Which one; without it, they are listed.", metavar="NAME", show_default=False
    ),
]


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
    one_form(as_json, as_csv)
    queries = cookbook()
    if name is None:
        titles = [{"query": each, "title": found.title} for each, found in queries.items()]
        _print(("query", "title"), titles, as_json, as_csv)
        return
    chosen(name, queries, what="query", hint="NAME")
    columns, rows = asyncio.run(_answer(config.load(config_file), queries[name].text))
    _print(columns, rows, as_json, as_csv)


def _print(columns: Columns, rows: Sequence[shown.Row], as_json: bool, as_csv: bool) -> None:
    if as_json:
        shown.write_json(rows)
    elif as_csv:
        shown.write_csv(columns, rows)
    else:
        shown.console().print(shown.table((list(row.values()) for row in rows), *columns))


async def _answer(settings: Settings, text: str) -> tuple[Columns, list[shown.Row]]:
    async with reading(settings) as pool, pool.acquire() as connection:
        with translated():
            async with connection.transaction(readonly=True):
                await connection.execute(f"set local statement_timeout = '{LONGEST}s'")
                prepared = await connection.prepare(text)
                try:
                    rows = await prepared.fetch()
                except asyncpg.QueryCanceledError as error:
                    raise DatabaseError(
                        f"The query took longer than {LONGEST} s. Look at its text, and ask for "
                        "less in psql: name a device or a span of ts."
                    ) from error
                return tuple(each.name for each in prepared.get_attributes()), [*map(dict, rows)]
