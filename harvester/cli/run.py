"""The daemon itself."""

import asyncio

from harvester import config, service
from harvester.cli.options import DEFAULT_CONFIG, ConfigFile


def run(config_file: ConfigFile = DEFAULT_CONFIG) -> None:
    """Harvest until stopped by SIGTERM or Ctrl-C.

    Example: harvester run --config config.toml
    """
    asyncio.run(service.run(config.load(config_file)))
