"""The command line: one module a group of commands, and what all of them do with a mistake."""

import errno
import logging
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from harvester import logs
from harvester.cli import accounts, check, gaps, keys, migrate, query, run, simulate, status
from harvester.errors import DatabaseError, StoreUnavailable, UserError

INTERRUPTED = 130  # as shells count the end by Ctrl-C
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    # Boxes and colours help nobody in a pipe, and brackets in a text would be taken for markup.
    rich_markup_mode=None,
)
app.command()(run.run)
app.command()(check.check)
app.command()(status.status)
app.command()(gaps.gaps)
app.command()(query.query)
app.command()(migrate.migrate)
app.command()(accounts.login)
app.command()(accounts.logout)
app.command()(simulate.simulate)
app.add_typer(keys.app, name="keys")


def _tell_version(wanted: bool) -> None:
    if wanted:
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
    if context.invoked_subcommand != "run":
        logs.set_up(sys.stderr, level=logging.WARNING)


def main() -> None:
    """Run a command; what the operator must mend is told in a sentence, with its exit code."""
    _open_closed_streams()
    logs.set_up(sys.stderr)
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()
    except typer.TyperException as error:
        _end(_usage(error), os.EX_USAGE)
    except UserError as error:
        _end(str(error), error.exit_code)
    except StoreUnavailable as error:  # gone again after it was reached
        _end(str(error), DatabaseError.exit_code)
    except typer.Abort:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        _discard_output()  # the reader has enough
        sys.exit(1)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        _discard_output()
        _end(f"cannot write: {error.strerror}.", os.EX_IOERR)
    sys.exit(code)


def _open_closed_streams() -> None:
    """In the order of their numbers, or a socket would get one, and what a child process prints."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115


def _discard_output() -> None:
    """Python would complain of what it cannot write when it flushes at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _end(sentence: str, code: int) -> None:
    typer.echo(f"harvester: {sentence}", err=True)
    sys.exit(code)


def _usage(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "harvester"
    said = error.format_message().removeprefix("Invalid value for ").removesuffix(".")
    return f"{said}{'' if said.endswith('?') else '.'} Try: {command} --help"
