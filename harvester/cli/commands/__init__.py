"""What is said of each command: its words and options, what they mean, and an example.

These modules import no more than that takes, as --help and a mistake in the words read them all.
What a command does lies beside this folder, and is imported when it is called: to harvest takes
libraries that are half a second in coming.
"""

import logging
import os
import sys
from typing import Annotated

import typer

from harvester.cli.commands import accounts, daemon, keys, tenants

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    # Boxes and colours help nobody in a pipe, and brackets in a text would be taken for markup.
    rich_markup_mode=None,
)
app.command()(daemon.run)
app.command()(daemon.check)
app.command()(tenants.status)
app.command()(tenants.gaps)
app.command()(tenants.query)
app.command()(daemon.migrate)
app.command()(accounts.login)
app.command()(accounts.logout)
app.command()(daemon.simulate)
app.add_typer(keys.app, name="keys")


def _tell_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"harvester {version('harvester')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _harvester(
    context: typer.Context,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell the version."),
    ] = False,
) -> None:
    """Pulls sensor readings of several customers from several IoT clouds into your Postgres.

    Each command has a --help with an example. Those that need a configuration read
    /etc/harvester/config.toml, unless --config names another file.

    \b
    Begin with:
      harvester check --config config.toml
      harvester run --config config.toml
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(os.EX_USAGE)
    from harvester import logs

    level = logging.INFO if context.invoked_subcommand == "run" else logging.WARNING
    logs.set_up(sys.stderr, level=level)
