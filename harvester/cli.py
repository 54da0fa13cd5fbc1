"""The command line."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from harvester import config, logs, service
from harvester.errors import DatabaseError, StoreUnavailable, UserError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Pulls sensor readings of several customers from several IoT clouds into your Postgres.",
)


@app.callback()
def _harvester() -> None:
    """Keep `run` a command of its own while it is the only one."""


@app.command()
def run(
    config_file: Annotated[
        Path, typer.Option("--config", help="The configuration file.", metavar="FILE")
    ] = Path("/etc/harvester/config.toml"),
) -> None:
    """Harvest until stopped by SIGTERM or Ctrl-C.

    Example: harvester run --config config.toml
    """
    asyncio.run(service.run(config.load(config_file)))


def main() -> None:
    """Run a command; what the operator must mend is told in a sentence, with its exit code."""
    logs.set_up()
    try:
        app()
    except UserError as error:
        typer.echo(f"harvester: {error}", err=True)
        sys.exit(error.exit_code)
    except StoreUnavailable as error:  # gone again before the first tick
        typer.echo(f"harvester: {error}", err=True)
        sys.exit(DatabaseError.exit_code)
