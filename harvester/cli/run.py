"""The daemon itself."""

import asyncio
from functools import partial
from pathlib import Path

from harvester import config, service


def run(config_file: Path) -> None:
    """Until it is stopped."""
    reread = partial(config.load, config_file)
    asyncio.run(service.run(reread(), reread))
