"""The command line: one module a group of commands, and what all of them do with a mistake."""

import sys

import typer

from harvester import logs
from harvester.cli import run
from harvester.errors import DatabaseError, StoreUnavailable, UserError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Pulls sensor readings of several customers from several IoT clouds into your Postgres.",
)
app.command()(run.run)


@app.callback()
def _harvester() -> None:
    """Keep `run` a command of its own while it is the only one."""


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
