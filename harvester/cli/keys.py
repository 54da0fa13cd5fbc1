"""The keys that seal what is secret in the database."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from harvester import vault
from harvester.errors import UserError

app = typer.Typer(rich_markup_mode=None)

_KeyFile = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="The key file to make, in a folder that is there."),
]


@app.callback()
def _keys() -> None:
    """The keys that seal tokens and passwords in the database."""


@app.command()
def generate(file: _KeyFile) -> None:
    """Make a key file with one new key, for its owner alone. One that is there stays as it is.

    \b
    Example: harvester keys generate /etc/harvester/keys
    """
    try:
        made = vault.create(file)
    except OSError as error:
        raise UserError(
            f"The key file {file} cannot be made: {error.strerror}. The folder must be there, and "
            "yours to write to.",
            os.EX_CANTCREAT,
        ) from None
    if not made:
        raise UserError(
            f"{file} is there already, and stays as it is: what it seals would be lost with it. "
            "Name another file.",
            os.EX_CANTCREAT,
        )
    typer.echo(
        f"Made {file} with one new key; only its owner may read it. Name it in the configuration:\n"
        f"\n    key_file = {json.dumps(str(file.absolute()), ensure_ascii=False)}\n\n"
        "Keep a copy apart from the database: who loses it must log in every account again, and "
        "who has\nboth can log in as every account."
    )
