"""The daemon itself."""

import asyncio
from functools import partial
from pathlib import Path

from harvester import config
from harvester.service import daemon


def run(config_file: Path) -> None:
    """Until it is stopped."""
    reread = partial(config.load, config_file)
    asyncio.run(daemon.run(reread(), reread))
