"""The command line, and what all commands do with a mistake."""

import atexit
import errno
import gc
import os
import sys
from pathlib import Path

import typer

from harvester.cli.commands import app
from harvester.errors import DatabaseError, StoreUnavailable, UserError

__all__ = ["app", "main"]

INTERRUPTED = 130  # as shells count the end by Ctrl-C
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def main() -> None:
    """Run a command; what the operator must mend is told in a sentence, with its exit code."""
    _open_closed_streams()
    # Else Python looks through all modules before it ends, and takes them apart: a quarter of the
    # time that a command needs.
    atexit.register(gc.freeze)
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
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115  open until the end


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
