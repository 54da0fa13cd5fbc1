"""A platform that forgets, harvested on a moved clock: what it is asked in time, and what not."""

from datetime import timedelta
from pathlib import Path

import pytest
from fix_devicehive import away, hive, no_database, person
from fix_postgres import Database, Postgres

from harvester.client import TRIES
from harvester.harvest.workers import AT_ONCE
from harvester.service.tenant import working
from harvester.simulator.devicehive_quirks import Switches
from harvester.simulator.faults import Fault, refuse

SECOND = timedelta(seconds=1)
RETENTION = 120 * SECOND
WAYS = pytest.mark.parametrize("ingest", ["polling", "websocket"])


@WAYS
async def test_asked_in_time_all_that_came_is_held(
    ingest: str, database: Database, tmp_path: Path
) -> None:
    async with hive(database, tmp_path, Switches(), ingest=ingest) as it:
        assert it.every == RETENTION / 3
        assert all(await it.beats(12))
        assert len(it.truth()) > 50
        assert (await it.held(), await it.lost()) == (it.truth(), {})


async def test_a_pause_longer_than_the_platform_remembers_is_lost_and_no_more(
    database: Database, tmp_path: Path
) -> None:
    async with hive(database, tmp_path, Switches(), things=2) as it:
        await it.beats(3)
        last = it.clock.now()
        it.clock.advance(RETENTION * 4)
        assert await it.tick()
        gone = it.clock.now() - RETENTION - last
        lost = await it.lost()
        assert len(lost) == 4
        assert all(gone <= each <= gone + 3 * SECOND for each in lost.values())
        missing = it.truth().keys() - (await it.held()).keys()
        came = {each.key: each.at for each in it.fake.arrivals("acme")}
        assert missing
        assert all(last - 2 * SECOND <= came[key] <= last + gone for key in missing)


async def test_a_restart_within_what_the_platform_remembers_loses_nothing(
    database: Database, tmp_path: Path
) -> None:
    async with hive(database, tmp_path, Switches(), things=2) as it:
        await it.beats(3)
        it.clock.advance(RETENTION - 10 * SECOND)
        async with working(it.house, it.tenant.settings) as anew:
            assert await anew.ticks()
        assert (await it.held(), await it.lost()) == (it.truth(), {})


async def test_while_the_database_is_away_polls_go_on_and_nothing_is_lost(
    database: Database, tmp_path: Path, postgres: Postgres
) -> None:
    async with hive(database, tmp_path, Switches(), things=2) as it:
        await it.beats(2)
        async with no_database(postgres, database):
            asked = it.fake.requests["GET /api/rest/device/{device}/notification"]
            assert not any(await it.beats(10))
            now = it.fake.requests["GET /api/rest/device/{device}/notification"]
            assert now - asked == 10 * 4
        assert await it.beat()
        assert (await it.held(), await it.lost()) == (it.truth(), {})


async def test_a_device_that_hangs_costs_itself_and_the_others_no_time(
    database: Database, tmp_path: Path
) -> None:
    async with hive(database, tmp_path, Switches()) as it:
        await it.beats(2)
        hanging = [*it.fake.tokens.site.devices][:2]
        for device in hanging:
            it.fake.hang(device)
        began = it.clock.now()
        assert not any(await it.beats(8))
        assert it.clock.now() - began <= 9 * it.every, "no beat went by"
        held, lost = await it.held(), await it.lost()
        assert lost.keys() == set(hanging)
        others = {key: value for key, value in it.truth().items() if key[0] not in hanging}
        assert {key: value for key, value in held.items() if key[0] not in hanging} == others


async def test_a_device_that_is_forbidden_is_lost_by_itself(
    database: Database, tmp_path: Path
) -> None:
    async with hive(database, tmp_path, Switches(), things=2) as it:
        await it.beats(1)
        device = next(iter(it.fake.tokens.site.devices))
        it.fake.faults.add(Fault(f"{device}/notification", refuse(403), times=None))
        await it.beats(6)
        assert (await it.lost()).keys() == {device}
        [gap] = await it.house.pool.fetch("select * from harvester.gaps where kind = 'lost'")
        assert (gap["feed"], gap["stream"]) == (device, "readings")


async def test_after_an_outage_the_platform_is_not_asked_for_each_device_in_vain(
    database: Database, tmp_path: Path
) -> None:
    async with hive(database, tmp_path, Switches(), things=60) as it:
        await it.beats(1)
        async with away(it.fake):
            began = it.fake.requests.total()
            await it.beat()
            assert it.fake.requests.total() - began < 2 * 2 * AT_ONCE * TRIES + 20
        assert await it.beat()


async def test_a_new_device_is_found_before_its_first_reading_is_gone(
    database: Database, tmp_path: Path
) -> None:
    async with hive(database, tmp_path, Switches(), things=1) as it:
        await it.beats(2)
        async with person(it) as (play, access):
            await play.notify(access, "temperature", value=21.5)
            it.clock.advance(SECOND)
            await play.notify(access, "temperature", value=21.7)
        assert all(await it.beats(2))
        held = await it.held()
        assert [held[key] for key in sorted(held) if key[0] == "probe"] == [21.5, 21.7]
        assert (held, await it.lost()) == (it.truth(), {})
