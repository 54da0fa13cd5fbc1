"""The user's cookbook, run from the command line."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import asyncpg

from harvester import config, shown
from harvester.cli.given import chosen, one_form
from harvester.config import Settings
from harvester.errors import DatabaseError
from harvester.service.database import reading
from harvester.store.cookbook import cookbook
from harvester.store.pool import translated

LONGEST = 60
"""Seconds of a query."""

Columns = tuple[str, ...]


def query(config_file: Path, name: str | None, as_json: bool, as_csv: bool) -> None:
    """The answer of one, or which there are."""
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
