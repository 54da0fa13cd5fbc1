"""What a sweep could not bring into the database: time that is covered is held, whatever became of
what was pulled in it."""

from datetime import timedelta
from pathlib import Path

import pytest
from beating import Key
from fix_devicehive import Hive, hive, no_database, person
from fix_postgres import Database, Postgres

from harvester.simulator.devicehive_quirks import Switches
from harvester.store.spans import from_multirange

SECOND = timedelta(seconds=1)
QUIET = Switches(commands=0)
WAYS = pytest.mark.parametrize("ingest", ["polling", "websocket"])

_PULLED = "select feed, pulled from harvester.coverage where stream = 'readings'"
_REFUSE = "alter table harvester_data.reading add constraint refused check (value <> 666)"
_TAKE = "alter table harvester_data.reading drop constraint refused"


async def covered_in_vain(it: Hive) -> list[Key]:
    """What came in time that is covered, and is not held."""
    rows, held = await it.house.pool.fetch(_PULLED), await it.held()
    pulled = {row["feed"]: from_multirange(row["pulled"]) for row in rows}
    newest = {each.key: each for each in it.fake.arrivals("acme")}
    missing = [each for key, each in newest.items() if held.get(key) != each.value]
    return [
        each.key
        for each in missing
        if any(span.since <= each.at < span.until for span in pulled[each.device])
    ]


@WAYS
async def test_what_had_to_make_room_is_covered_by_nothing_that_came_after_it(
    ingest: str,
    database: Database,
    tmp_path: Path,
    postgres: Postgres,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("harvester.harvest.outlets.MOST_HELD", 20)
    async with hive(database, tmp_path, QUIET, things=2, ingest=ingest) as it:
        await it.beats(2)
        async with no_database(postgres, database):
            await it.beats(8)
        monkeypatch.undo()
        await it.beats(3)
        assert it.truth().keys() > (await it.held()).keys()
        assert await covered_in_vain(it) == []
        assert await it.lost()


@WAYS
async def test_more_than_fits_is_no_loss_while_the_database_is_there(
    ingest: str, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harvester.harvest.outlets.MOST_HELD", 20)
    async with hive(database, tmp_path, QUIET, things=8, ingest=ingest) as it:
        assert all(await it.beats(5))
        assert len(it.truth()) > 20
        assert (await it.held(), await it.lost()) == (it.truth(), {})


@WAYS
async def test_what_the_database_refused_is_covered_by_nothing_that_waited_behind_it(
    ingest: str, database: Database, tmp_path: Path, postgres: Postgres
) -> None:
    async with hive(database, tmp_path, QUIET, things=1, ingest=ingest) as it, person(it) as who:
        play, access = who
        await it.beats(2)
        await it.house.pool.execute(_REFUSE)
        async with no_database(postgres, database):
            for value in (666, 21, 22):
                await play.notify(access, "temperature", value=value)
                await it.beat()
        await it.beat()
        assert 666 not in (await it.held()).values()
        assert await covered_in_vain(it) == []
        await it.house.pool.execute(_TAKE)
        await it.beats(3)
        assert await covered_in_vain(it) == []
