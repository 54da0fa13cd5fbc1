"""What the demo reads from the database: how far it is, and what was asked of each device."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from acceptance.commands import configured
from fix_store import T0, Site, batch, finding, window

from harvester import config
from harvester.demo.comparison import asked
from harvester.demo.figures import backfill
from harvester.store.writer import Covers

LOSE = """
update harvester_data.coverage set lost = tstzmultirange(tstzrange($2, $3)) where feed_id = $1
"""
HOUR = timedelta(hours=1)


async def brought(site: Site) -> None:
    """Of hours since T0 the first three are lost, and the next two are pulled."""
    feed_id = await site.feed("hall", "hall")
    span = window(180, 300)
    await site.write(batch(feed_id, span=span, covers=Covers(span.since, looked=True)))
    await site.pool.execute(LOSE, feed_id, T0, T0 + 3 * HOUR)


async def test_what_is_lost_is_nothing_that_a_backfill_waits_for(
    site: Site, tmp_path: Path
) -> None:
    await brought(site)
    path = configured(tmp_path, None, site.name)
    found = await backfill(site.pool, await asyncio.to_thread(config.load, path))
    assert (found.pulled, found.stored, found.done) == (5, 0, False)
    assert found.wanted > 1_000


async def test_of_each_device_is_told_what_was_asked_for_and_what_is_to_be(site: Site) -> None:
    await brought(site)
    await site.save(finding("unseen"))
    found = (await asked(site.pool))[site.name, "hall"]
    assert found.pulled == (window(180, 300),)
    [missing] = found.missing
    assert missing.since == T0 + 5 * HOUR < missing.until
