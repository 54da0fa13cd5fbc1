"""SIGHUP reads the keys again, whatever became of the configuration."""

from __future__ import annotations

import asyncio
from pathlib import Path

from fix_tenants import Shop
from keys import OLD, line
from structlog.testing import capture_logs

from harvester.vault import KeyFile


def key_file(shop: Shop) -> Path:
    source = shop.settings.keys
    assert isinstance(source, KeyFile)
    return source.path


async def test_a_reload_takes_up_the_keys_that_are_there_now(shop: Shop) -> None:
    text = key_file(shop).read_text()
    key_file(shop).write_text(line("old", OLD) + text)
    assert await shop.reload(shop.settings).now()
    assert shop.house.keys.ring.sealing == "old"
    assert len(list(shop.house.keys.ring)) == 2


async def test_keys_that_cannot_be_read_are_told_and_the_rest_is_applied(shop: Shop) -> None:
    await shop.begun()
    before = list(shop.house.keys.ring)
    await asyncio.to_thread(key_file(shop).unlink)
    with capture_logs() as told:
        assert not await shop.reload(shop.without("globex")).now()
    [wrong] = [each for each in told if each["event"].startswith("the keys cannot be read")]
    assert "this key file does not exist" in wrong["problem"]
    assert told[-1]["event"].startswith("reload failed")
    assert [tenant.name for tenant in shop.tenants] == ["acme"]
    assert list(shop.house.keys.ring) == before
