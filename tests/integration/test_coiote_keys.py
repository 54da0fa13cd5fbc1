"""The keys of devices come with answers that nobody can narrow: they are kept and told nowhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from fix_coiote import Plant, plant
from fix_postgres import Database
from structlog.testing import capture_logs

from harvester.simulator.faults import Answer, Fault, Kind

if TYPE_CHECKING:
    from harvester.store.pool import Pool

ONE_DEVICE = "/devices/"
_TABLES = """
select format('%I.%I', schemaname, tablename) as name
from pg_tables where schemaname in ('harvester_data', 'vault')
"""


def begun_with_its_key(cut: int | None) -> Kind:
    """An honest answer about a device, but the key comes first, and it ends after so many bytes."""

    async def kind(request: web.Request, honest: Answer) -> web.StreamResponse:
        answer = await honest(request)
        assert isinstance(answer, web.Response)
        told = json.loads(answer.text or "")
        text = json.dumps({"dtlsPsk": told["dtlsPsk"], **told} if "dtlsPsk" in told else told)
        return web.Response(text=text[:cut], content_type="application/json")

    return kind


async def stored(pool: Pool) -> str:
    """All that the database holds."""
    rows = [
        # The names are as Postgres quotes them.
        await pool.fetch(f"select to_jsonb(t)::text as row from {table['name']} t")  # noqa: S608
        for table in await pool.fetch(_TABLES)
    ]
    return "".join(row["row"] for each in rows for row in each)


async def told(it: Plant, cut: int | None) -> str:
    """What there is to be read after two ticks; whatever befell them, they asked for devices."""
    with capture_logs() as logs:
        await it.beat()
        it.fake.faults.add(Fault(ONE_DEVICE, begun_with_its_key(cut), times=None))
        await it.beat()
    assert it.fake.requests["GET /api/coiotedm/v3/devices/{device}"]
    return await stored(it.house.pool) + repr(logs)


@pytest.mark.parametrize("cut", [None, 100])
async def test_no_key_of_a_device_is_stored_or_logged(
    database: Database, tmp_path: Path, cut: int | None
) -> None:
    async with plant(database, tmp_path, own=False) as it:
        everything = await told(it, cut)
        assert "Cold room" in everything, "else nothing was looked at"
        assert ("malformed" in everything) is (cut is not None)
        assert "Psk" not in everything
        assert [each.psk for each in it.fake.site.of("acme") if each.psk in everything] == []
        assert it.fake.violations == []
