"""A configuration as tests write it, and what is said of a wrong one."""

from pathlib import Path

import pytest

from harvester.config import Settings, load
from harvester.errors import ConfigError

TENANT = """
[[tenant]]
name = "acme"
platform = "mydevices"
interval = "5m"
history = "24h"
[tenant.options]
base_url = "https://api.example"
client_id = "app"
"""
FORGETS = TENANT.replace("mydevices", "devicehive").replace('client_id = "app"\n', "")
"""At a platform that keeps what it can be asked for no longer than two minutes."""


def settings(file: Path, text: str) -> Settings:
    file.write_text(text)
    return load(file)


def complaints(file: Path, text: str) -> list[str]:
    """The sentences, without the file's name where they begin with it."""
    with pytest.raises(ConfigError) as caught:
        settings(file, text)
    assert "hunter2" not in str(caught.value)
    return [line.removeprefix(f"{file}: ") for line in str(caught.value).splitlines()]
