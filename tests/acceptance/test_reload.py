"""SIGHUP to the daemon: what changed is applied, and nothing else is touched."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from acceptance.daemon import forked, metric, scraped
from acceptance.reloading import asked_to_reload
from fix_postgres import Connection, Database
from fix_simulator import configured_for, published
from fix_store import line_to

from harvester.demo.comparison import Comparison, held
from harvester.simulator.clock import RealClock
from harvester.simulator.faults import Fault, delay
from harvester.simulator.mydevices import FakeMydevices, serve
from harvester.simulator.world import World

HISTORY = timedelta(hours=6)
FENCES = """
select t.name, l.fence from harvester_data.tenant t join harvester_data.tenant_lease l
using (tenant_id) where l.until > now()
"""

PULLED_UNTIL = """
select count(*) = 4 and bool_and(pulled_until >= $1 and missing < '1 minute')
from harvester.streams
"""


@dataclass(slots=True)
class Site:
    """A platform, a database and a configuration of two tenants, acme and globex."""

    fake: FakeMydevices
    config_file: Path
    connection: Connection
    whole: str
    """What the configuration says at first."""

    @property
    def without_globex(self) -> str:
        return self.whole[: self.whole.rindex("[[tenant]]")]

    async def fences(self, *tenants: str) -> dict[str, int]:
        """Of the leases held, once these tenants and no others have one."""
        while True:
            found = {row["name"]: row["fence"] for row in await self.connection.fetch(FENCES)}
            if set(found) == set(tenants):
                return found
            await asyncio.sleep(0.02)

    async def taken_anew(self, before: dict[str, int], *tenants: str) -> dict[str, int]:
        """The fences, once these tenants' are higher than before."""
        while True:
            found = await self.fences(*before)
            if all(found[each] > before[each] for each in tenants):
                return found
            await asyncio.sleep(0.02)

    def secret(self, tenant: str) -> Path:
        """The file with the password of the tenant's first user."""
        return self.config_file.with_name(self.fake.world.users(tenant)[0].name)


@pytest.fixture
async def site(database: Database, connection: Connection, tmp_path: Path) -> AsyncIterator[Site]:
    world = World("reload", RealClock(), datetime.now(UTC) - HISTORY, things=2)
    async with serve(world) as fake:
        path = await configured_for(fake, tmp_path, database, interval="1s")
        yield Site(fake, path, connection, path.read_text())


async def test_a_tenant_goes_and_comes_and_the_other_is_not_touched(site: Site) -> None:
    async with forked(site.config_file) as daemon:
        address = await daemon.ready()
        before = await site.fences("acme", "globex")
        site.config_file.write_text(site.without_globex)
        told = await asked_to_reload(daemon)
        assert told.difference == {"removed": ["globex"]}
        assert await site.fences("acme") == {"acme": before["acme"]}
        series = await scraped(address)
        assert 'tenant="globex"' not in series
        assert 'tenant="acme"' in series
        site.config_file.write_text(site.whole)
        told = await asked_to_reload(daemon)
        assert told.difference == {"added": ["globex"]}
        after = await site.fences("acme", "globex")
        assert (after["acme"], after["globex"]) == (before["acme"], before["globex"] + 1)
        assert await daemon.end() == 0
    assert "Traceback" not in "".join(daemon.said)


async def test_another_password_in_the_same_file_is_a_change_and_is_not_shown(site: Site) -> None:
    secret = site.secret("acme")
    right = secret.read_text()
    secret.write_text("hunter2")
    async with forked(site.config_file) as daemon:
        await daemon.ready()
        before = await site.fences("acme", "globex")
        await daemon.told("bad_credentials")
        secret.write_text(right)
        told = await asked_to_reload(daemon)
        assert told.difference == {"changed": [f"acme: account.{secret.name}.password"]}
        after = await site.taken_anew(before, "acme")
        assert after["globex"] == before["globex"]
        assert (await asked_to_reload(daemon)).difference == {}
        assert await daemon.end() == 0
    assert right not in "".join(daemon.said)
    assert "hunter2" not in "".join(daemon.said)


@pytest.mark.parametrize(
    ("spoil", "problems"),
    [
        (lambda _: "[[tenant", ["is no TOML"]),
        (lambda _: None, ["there is no such file"]),
        (lambda s: s.whole.replace('"globex"', '"acme"'), ["two tenants have the same name: acme"]),
        (
            lambda s: s.without_globex.replace("interval", "intervall") + "x = 1\n",
            ["interval", "unknown key"],
        ),
    ],
    ids=["broken", "deleted", "twice", "wrong in two places"],
)
async def test_a_wrong_file_changes_nothing_until_it_is_mended(
    site: Site, spoil: Callable[[Site], str | None], problems: list[str]
) -> None:
    async with forked(site.config_file) as daemon:
        address = await daemon.ready()
        before = await site.fences("acme", "globex")
        if (text := spoil(site)) is None:
            site.config_file.unlink()
        else:
            site.config_file.write_text(text)
        told = await asked_to_reload(daemon)
        lines = [each["problem"] for each in told.of("the configuration is wrong")]
        assert all(any(problem in line for line in lines) for problem in problems)
        assert await metric(address, "harvester_config_last_reload_successful") == 0
        asked = site.fake.requests.total()
        while site.fake.requests.total() < asked + 2:
            await asyncio.sleep(0.02)
        site.config_file.write_text(site.whole)
        await asked_to_reload(daemon)
        assert await metric(address, "harvester_config_last_reload_successful") == 1
        assert await site.fences("acme", "globex") == before
        assert await daemon.end() == 0


async def test_what_only_a_restart_changes_is_told_and_stays(site: Site) -> None:
    async with forked(site.config_file) as daemon:
        address = await daemon.ready()
        site.config_file.write_text(site.whole.replace("[web]\n", '[web]\nhost = "::1"\n'))
        told = await asked_to_reload(daemon)
        [restart] = told.of("only a restart")
        assert restart["keys"] == ["web.host"]
        assert await metric(address, "harvester_config_last_reload_successful") == 1
        assert await daemon.end() == 0


async def test_a_tenant_that_cannot_be_added_stops_nobody(site: Site) -> None:
    site.config_file.write_text(site.without_globex)
    async with forked(site.config_file) as daemon:
        address = await daemon.ready()
        await site.connection.execute(
            "insert into harvester_data.tenant (name, platform) values ('globex', 'devicehive')"
        )
        site.config_file.write_text(site.whole)
        told = await asked_to_reload(daemon)
        [problem] = told.of("not applied")
        assert problem["tenant"] == "globex"
        assert "A tenant cannot move to another platform" in problem["error"]
        assert await metric(address, "harvester_config_last_reload_successful") == 0
        await site.fences("acme")
        await site.connection.execute("delete from harvester_data.tenant where name = 'globex'")
        assert (await asked_to_reload(daemon)).difference == {"added": ["globex"]}
        await site.fences("acme", "globex")
        assert await daemon.end() == 0


async def test_many_signals_at_once_are_as_good_as_one(site: Site) -> None:
    async with forked(site.config_file) as daemon:
        await daemon.ready()
        before = await site.fences("acme", "globex")
        site.config_file.write_text(site.without_globex)
        for _ in range(20):
            daemon.process.send_signal(signal.SIGHUP)
        await site.fences("acme")
        site.config_file.write_text(site.whole)
        for _ in range(20):
            daemon.process.send_signal(signal.SIGHUP)
            await asyncio.sleep(0.01)
        after = await site.fences("acme", "globex")
        assert after["acme"] == before["acme"]
        assert await daemon.end() == 0
    assert "Traceback" not in "".join(daemon.said)


async def test_after_many_reloads_the_database_holds_exactly_what_was_published(
    site: Site, database: Database
) -> None:
    dice = random.Random("reloads")  # noqa: S311
    site.fake.faults.add(Fault("/readings", delay(0.05), times=None))
    changed = site.whole.replace('"1s"', '"2s"')
    began = datetime.now(UTC)
    async with forked(site.config_file) as daemon:
        await daemon.ready()
        for _ in range(25):
            text = dice.choice([site.whole, site.without_globex, changed, "broken"])
            site.config_file.write_text(text)
            daemon.process.send_signal(signal.SIGHUP)
            await asyncio.sleep(dice.uniform(0, 0.3))
        site.config_file.write_text(site.whole)
        await asked_to_reload(daemon)
        while not await site.connection.fetchval(PULLED_UNTIL, began):
            await asyncio.sleep(0.05)
        assert await daemon.end() == 0
    before, world = published(site.fake.world, began), site.fake.world
    after = published(world, datetime.now(UTC))
    async with database.pooled() as pool:
        found = await held(pool, world.since)
    assert Comparison(before=before, after=after, held=found).differences == []
    assert "Traceback" not in "".join(daemon.said)


async def test_a_stop_during_a_reload_and_a_reload_during_a_stop_end_well(site: Site) -> None:
    site.fake.faults.add(Fault("/readings", delay(0.5), times=None))
    async with forked(site.config_file) as daemon:
        await daemon.ready()
        await site.fences("acme", "globex")
        site.config_file.write_text(site.without_globex)
        daemon.process.send_signal(signal.SIGHUP)
        await daemon.told("configuration read again")
        daemon.process.send_signal(signal.SIGTERM)
        await daemon.told("draining")
        site.config_file.write_text(site.whole)
        for _ in range(3):
            daemon.process.send_signal(signal.SIGHUP)
        assert await daemon.process.wait() == 0
        await daemon.end()
    await site.fences()
    assert "Traceback" not in "".join(daemon.said)


async def test_after_a_kill_during_a_reload_a_start_goes_on(site: Site) -> None:
    async with forked(site.config_file) as daemon:
        await daemon.ready()
        before = await site.fences("acme", "globex")
        site.config_file.write_text(site.whole.replace('"1s"', '"2s"'))
        daemon.process.send_signal(signal.SIGHUP)
        await daemon.told("configuration read again")
        await daemon.end(signal.SIGKILL)
    async with forked(site.config_file) as daemon:
        await daemon.ready()
        await site.taken_anew(before, "acme", "globex")
        assert await daemon.end() == 0


async def test_a_reload_while_the_database_is_away_is_told_and_can_be_asked_for_again(
    site: Site, database: Database
) -> None:
    async with line_to(database) as line:
        through = site.whole.replace(database.dsn, line.dsn)
        only_acme = site.without_globex.replace(database.dsn, line.dsn)
        site.config_file.write_text(only_acme)
        async with forked(site.config_file) as daemon:
            await daemon.ready()
            before = await site.fences("acme")
            line.cut()
            site.config_file.write_text(through)
            told = await asked_to_reload(daemon)
            assert [each["tenant"] for each in told.of("not applied")] == ["globex"]
            await line.mend()
            await asked_to_reload(daemon)
            after = await site.fences("acme", "globex")
            assert after["acme"] == before["acme"]
            assert await daemon.end() == 0
