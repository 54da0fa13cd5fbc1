"""The daemon itself."""

import asyncio
from functools import partial

from harvester import config, service
from harvester.cli.options import DEFAULT_CONFIG, ConfigFile


def run(config_file: ConfigFile = DEFAULT_CONFIG) -> None:
    """Harvest until stopped by SIGTERM or Ctrl-C.

    At SIGHUP the configuration is read again, and what changed in it is applied.

    \b
    Example: harvester run --config config.toml
    """
    reread = partial(config.load, config_file)
    asyncio.run(service.run(reread(), reread))
