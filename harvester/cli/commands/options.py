"""Options that several commands have in common."""

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_CONFIG = Path("/etc/harvester/config.toml")

ConfigFile = Annotated[
    Path, typer.Option("--config", help="The configuration file.", metavar="FILE")
]
TenantName = Annotated[
    str | None,
    typer.Argument(help="One tenant; without it, all.", metavar="TENANT", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV, for programs.")]
