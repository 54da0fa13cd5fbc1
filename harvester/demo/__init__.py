"""See it work: simulated platforms, a real harvest, and a comparison of what came of it.

Everything lives in a temporary folder and on loopback, and is gone at the end.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Annotated

import typer

from harvester import config
from harvester.demo.playing import run
from harvester.errors import UserError


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Harvest what there is by now, compare, and exit.")
    ] = False,
) -> None:
    """Harvest a customer of all simulated platforms into a Postgres of its own, until Ctrl-C."""
    # What lays its own database over a configuration must not get invented readings from here.
    for name in [name for name in os.environ if name.startswith(config.PREFIX)]:
        del os.environ[name]
    sys.exit(asyncio.run(run(once)))


def main() -> None:
    """Run the demo; what its user must mend is told in a sentence."""
    try:
        typer.run(demo)
    except UserError as error:
        typer.echo(f"harvester demo: {error}", err=True)
        sys.exit(error.exit_code)
