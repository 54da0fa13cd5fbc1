"""`harvester logout` at a platform that can end a token, and at one that lets nobody do it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from acceptance.commands import Ended, harvester
from fix_postgres import Database
from fix_simulator import stored_in

from harvester.simulator import usergrid
from harvester.simulator.clock import RealClock
from harvester.simulator.configured import Served, configure
from harvester.simulator.usergrid import FakeUsergrid
from harvester.simulator.world import World

ANA = "ana@acme.example"
EVENTS = 'select "grant", outcome from harvester.auth_events order by at'
LEFT = "select count(access_token) + count(password) from vault.credential"


@dataclass(slots=True)
class Site:
    """A Usergrid, and Ana's account there, whose password stands in no configuration."""

    fake: FakeUsergrid
    path: Path
    database: Database

    async def command(self, *words: str | Path) -> Ended:
        return await harvester(*words, "acme", ANA, config=self.path)

    async def fetch(self, query: str) -> list[tuple[object, ...]]:
        async with self.database.connected() as connection:
            rows: list[asyncpg.Record] = await connection.fetch(query)
            return [tuple(row) for row in rows]


@asynccontextmanager
async def logged_in(quirk: str, database: Database, folder: Path) -> AsyncIterator[Site]:
    world = World("logout", RealClock(), datetime.now(UTC) - timedelta(hours=1), things=2)
    async with usergrid.serve(world, switches=usergrid.QUIRKS[quirk]) as fake:
        served, head = [Served("usergrid", world, fake.url)], stored_in(database, folder)
        path = await asyncio.to_thread(lambda: configure(served, folder, head=head))
        text = path.read_text("utf-8")
        path.write_text(text.replace(f'password = {{ file = "{ANA}" }}', ""), "utf-8")
        site = Site(fake, path, database)
        password = ("--password-file", folder / ANA, "--keep-password")
        ended = await site.command("login", *password)
        assert ended.code == 0, ended.err
        yield site


@pytest.mark.parametrize(
    ("quirk", "left", "told"),
    [
        (next(iter(usergrid.QUIRKS)), 0, "is logged out, here and at usergrid"),
        ("guarded", 1, "Its session at usergrid lives on until it ends by itself"),
    ],
)
async def test_a_logout_ends_the_token_where_it_may_and_erases_it_in_any_case(
    quirk: str, left: int, told: str, database: Database, tmp_path: Path
) -> None:
    async with logged_in(quirk, database, tmp_path) as site:
        assert (len(site.fake.tokens._live), await site.fetch(LEFT)) == (1, [(2,)])
        ended = await site.command("logout")
        assert (ended.code, told in ended.out) == (0, True), ended.out
        assert (len(site.fake.tokens._live), await site.fetch(LEFT)) == (left, [(0,)])
        assert await site.fetch(EVENTS) == [("password", "ok"), ("logout", "ok")]
        assert site.fake.violations == []


async def test_a_platform_that_is_away_keeps_nobody_from_logging_out(
    database: Database, tmp_path: Path
) -> None:
    async with logged_in("guarded", database, tmp_path) as site:
        text = site.path.read_text("utf-8")
        site.path.write_text(text.replace(site.fake.url, "http://127.0.0.1:1"), "utf-8")
        ended = await site.command("logout")
        assert (ended.code, "is logged out here" in ended.out) == (0, True), ended.err
        assert await site.fetch(LEFT) == [(0,)]
