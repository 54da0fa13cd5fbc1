"""The keys that seal what is secret in the database."""

from pathlib import Path
from typing import Annotated

import typer

from harvester.cli.commands.options import DEFAULT_CONFIG, ConfigFile

app = typer.Typer(rich_markup_mode=None)

_KeyFile = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="The key file to make, in a folder that is there."),
]
_Prepare = Annotated[
    bool,
    typer.Option(
        "--prepare",
        help="Only add the next key to the file. It opens, and seals nothing until it is rotated.",
    ),
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
    from harvester.cli import keys as work

    work.generate(file)


@app.command()
def rotate(config_file: ConfigFile = DEFAULT_CONFIG, prepare: _Prepare = False) -> None:
    """Put a new key first in the key file, and seal anew under it what lies in the database.

    Daemons go on meanwhile, and nobody is logged in. The old keys stay in the file. One that was
    interrupted is finished when it is called again.

    Where daemons have copies of the file, as systemd makes them of its credentials, all of them
    must have the new key before it seals: --prepare, restart them, and only then rotate.

    \b
    Example: harvester keys rotate --config config.toml
    """
    from harvester.cli import keys as work

    work.rotate(config_file, prepare=prepare)
