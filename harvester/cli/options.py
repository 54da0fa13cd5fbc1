"""Options that several commands have in common."""

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_CONFIG = Path("/etc/harvester/config.toml")

ConfigFile = Annotated[
    Path, typer.Option("--config", help="The configuration file.", metavar="FILE")
]
