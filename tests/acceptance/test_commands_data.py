"""What commands tell of the database: status, gaps, query; each as a table, JSON and CSV."""

from __future__ import annotations

import asyncio
import csv
import io
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from acceptance.commands import EX_UNAVAILABLE, EX_USAGE, begun, configured, harvester, outcome
from fix_postgres import Connection, Database, Postgres
from fix_store import T0, Site, batch, finding, window

from harvester import config, shown
from harvester.cli import query
from harvester.errors import DatabaseError, StoreUnavailable
from harvester.model import Channel, Feed
from harvester.store import catalog, feeds, leases
from harvester.store.cookbook import cookbook
from harvester.store.writer import Covers

QUERIES = Path(__file__).parents[2] / "sql/queries"
NOON = "2026-03-04T12:00:00+00:00"


def minutes() -> float:
    """From T0 to now."""
    return (datetime.now(UTC) - T0) / timedelta(minutes=1)


@pytest.fixture
async def lived_in(site: Site, connection: Connection) -> Site:
    """Two feeds since T0: of one 100 minutes are missing and 20 lost; the other fails."""
    ann = (await catalog.accounts(site.pool, site.lease, ["ann"]))["ann"]
    channel = Channel("temp", "Room", "temp", "c")
    for device in ("hall", "yard"):
        feed = Feed("readings", device, (device,))
        await site.save(finding(device, channel, feeds=[feed], account_id=ann, name=device))
    hall, yard = [await site.feed_id(device) for device in ("hall", "yard")]
    now = minutes()
    for since, until in ((0, 120), (240, now)):
        said = [("hall", "temp", until - 1, 21.5)]
        span = window(since, until)
        await site.write(batch(hall, *said, span=span, covers=Covers(span.since, looked=True)))
    span = window(0, now - 2000)
    await site.write(batch(yard, span=span, covers=Covers(span.since, looked=True)))
    lost = "update harvester_data.coverage set lost = tstzmultirange(tstzrange($2, $3)) "
    at = [T0 + timedelta(minutes=each) for each in (220, 240)]
    await connection.execute(lost + "where feed_id = $1", hall, *at)
    fail = "update harvester_data.feed set failing_since = $2, failure = $3 where feed_id = $1"
    ago = datetime.now(UTC) - timedelta(hours=3)
    await connection.execute(fail, yard, ago, "GET api.example: 503")
    return site


@pytest.fixture
async def path(lived_in: Site, database: Database, tmp_path: Path) -> Path:
    return await asyncio.to_thread(configured, tmp_path, database, lived_in.name, "newcomer")


async def test_status_is_a_table_with_who_works_and_what_fails(lived_in: Site, path: Path) -> None:
    ended = await harvester("status", config=path)
    assert ended.code == 0, ended.err
    head, row, *rest = [line.split() for line in ended.out.splitlines() if line.strip()]
    told = dict(zip(head, row, strict=False))
    assert (told["tenant"], told["devices"], told["feeds"]) == (lived_in.name, "2", "2")
    below = [" ".join(words) for words in rest]
    assert f"{lived_in.name}: worked by instance test" in below
    assert f"{lived_in.name} readings: of 2 feeds, 1 failing" in below
    assert "yard: for 4 h: GET api.example: 503" in below
    assert "newcomer: not begun; harvester run does it" in below


async def test_status_as_json_is_what_the_view_says(lived_in: Site, path: Path) -> None:
    ended = await harvester("status", lived_in.name, "--json", config=path)
    (stream,) = ended.json
    assert (stream["tenant"], stream["accounts"], stream["feeds"]) == (lived_in.name, 0, 2)
    assert (stream["failing"], stream["unseen"], stream["worked_by"]) == (1, 0, "test")
    assert stream["lost"] == 20 * 60
    assert stream["missing"] == pytest.approx(2100 * 60, abs=60)
    assert stream["wanted"] == pytest.approx(2 * minutes() * 60, abs=60)
    assert stream["lag"] == pytest.approx(2000 * 60, abs=60)
    assert stream["succeeded_at"] is None
    (failure,) = stream["failures"]
    assert (failure["feed"], failure["failure"]) == ("yard", "GET api.example: 503")


async def test_a_tenant_whose_lease_has_ended_is_worked_by_nobody(
    lived_in: Site, path: Path
) -> None:
    await feeds.succeeded(lived_in.pool, lived_in.lease, "readings", datetime.now(UTC))
    await leases.release(lived_in.pool, lived_in.lease)
    ended = await harvester("status", lived_in.name, config=path)
    assert "worked by nobody" in ended.out
    row = ended.out.splitlines()[1].split()
    assert row[-1] == "s"


async def test_status_again_and_again_until_ctrl_c(path: Path) -> None:
    process = await begun("status", "--watch", "--config", path)
    assert process.stdout
    heads = 0
    while heads < 2:
        heads += b"settled" in await process.stdout.readline()
    process.send_signal(signal.SIGINT)
    ended = await outcome(process)
    assert (ended.code, ended.err) == (130, "")


async def test_gaps_the_widest_first_without_the_live_edge(path: Path) -> None:
    ended = await harvester("gaps", "--json", config=path)
    told = [(each["feed"], each["kind"], each["reason"]) for each in ended.json]
    assert told == [
        ("yard", "missing", "GET api.example: 503"),
        ("hall", "missing", "not pulled yet"),
        ("hall", "lost", "the platform no longer has it"),
    ]
    assert ended.json[1]["since"] == NOON
    assert [each["lasts"] for each in ended.json[1:]] == [100 * 60, 20 * 60]


async def test_a_gap_up_to_now_that_is_wider_than_two_intervals_is_no_edge(
    site: Site, database: Database, tmp_path: Path
) -> None:
    feed_id = await site.feed("hall")
    for age, interval, edge in ((9, "5m", True), (11, "5m", False), (11, "6m", True)):
        await site.write(
            batch(feed_id, span=window(0, minutes() - age), covers=Covers(T0, looked=False))
        )
        path = await asyncio.to_thread(configured, tmp_path, database, site.name, interval=interval)
        rows = (await harvester("gaps", "--json", config=path)).json
        assert (rows == []) is edge
        await feeds.failed(site.pool, site.lease, feed_id, "503", T0)
        assert (await harvester("gaps", "--json", config=path)).json, "what fails is no edge"
        await site.pool.execute("update harvester_data.coverage set pulled = '{}'")
        await site.pool.execute(
            "update harvester_data.feed set failure = null, failing_since = null"
        )


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--kind", "lost"], ["lost"]),
        (["--since", "2026-03-04T13:41:00Z", "--until", "2026-03-04T13:50:00Z"], ["lost"]),
        (["--since", "2026-03-04T13:40:00Z", "--until", "2026-03-04T15:00:00+01:00"], ["lost"]),
        (["--until", "2026-03-04T13:41:00Z"], ["missing", "lost"]),
        (["--until", "2026-03-04T12:00:00Z"], []),
        (["--since", "24h"], ["missing"]),
    ],
)
async def test_gaps_of_a_kind_and_a_time(path: Path, words: list[str], found: list[str]) -> None:
    ended = await harvester("gaps", *words, "--json", config=path)
    assert [each["kind"] for each in ended.json] == found


async def test_gaps_as_csv_are_read_again_and_what_is_left_out_is_told(
    lived_in: Site, path: Path
) -> None:
    ended = await harvester("gaps", "--csv", "--limit", "2", config=path)
    rows = list(csv.DictReader(io.StringIO(ended.out)))
    assert [row["feed"] for row in rows] == ["yard", "hall"]
    assert (rows[1]["tenant"], rows[1]["since"], rows[1]["lasts"]) == (
        lived_in.name,
        NOON,
        "6000.0",
    )
    assert ended.err == "2 of 3 gaps shown; --limit 3 shows all.\n"


async def test_gaps_as_a_table(path: Path, database: Database, tmp_path: Path) -> None:
    lines = (await harvester("gaps", config=path)).out.splitlines()
    assert [line.split()[2] for line in lines] == ["feed", "yard", "hall", "hall"]
    assert "100 m" not in lines[2], "hours from 100 minutes on"
    await asyncio.to_thread(configured, tmp_path, database, "newcomer")
    assert (await harvester("gaps", config=path)).out == "No gaps.\n"


@pytest.mark.parametrize("command", ["status", "gaps"])
async def test_a_tenant_that_is_not_configured_is_told_with_the_nearest(
    path: Path, command: str
) -> None:
    ended = await harvester(command, "newcommer", config=path)
    assert ended.code == EX_USAGE
    assert "did you mean newcomer?" in ended.err


async def test_a_query_in_all_three_forms(lived_in: Site, path: Path) -> None:
    name = "latest_temperature"
    (row,) = (await harvester("query", name, "--json", config=path)).json
    assert (row["tenant"], row["device"], row["value"]) == (lived_in.name, "hall", 21.5)
    assert datetime.fromisoformat(row["ts"]).tzinfo
    ended = await harvester("query", name, "--csv", config=path)
    (again,) = csv.DictReader(io.StringIO(ended.out))
    assert again == {key: str(value) for key, value in row.items()}
    head, line = (await harvester("query", name, config=path)).out.splitlines()
    assert head.split() == list(row)
    assert line.split()[:3] == [lived_in.name, "hall", "temp"]


async def test_each_query_of_the_cookbook_is_listed_and_runs(path: Path) -> None:
    lines = (await harvester("query")).out.splitlines()[1:]
    listed = [line.split()[0] for line in lines]
    assert listed == sorted(file.stem for file in QUERIES.glob("*.sql"))
    settings = await asyncio.to_thread(config.load, path)
    for each in (await asyncio.to_thread(cookbook)).values():  # no process for each
        columns, rows = await query._answer(settings, each.text)
        assert columns and shown.as_json(rows)


async def test_a_query_changes_nothing_and_ends(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = await asyncio.to_thread(config.load, path)
    with pytest.raises(StoreUnavailable, match="read-only transaction"):
        await query._answer(settings, "delete from harvester_data.feed returning 1")
    monkeypatch.setattr(query, "LONGEST", 0.05)
    with pytest.raises(DatabaseError, match="longer than"):
        await query._answer(settings, "select pg_sleep(20)")


@pytest.mark.parametrize("words", [["status"], ["gaps"], ["query", "hourly_mean"]])
async def test_a_database_that_is_not_migrated_is_told_and_left_alone(
    postgres: Postgres, tmp_path: Path, words: list[str]
) -> None:
    async with postgres.made("template1") as empty:
        path = await asyncio.to_thread(configured, tmp_path, empty, "acme")
        ended = await harvester(*words, config=path)
        async with empty.connected() as connection:
            made = await connection.fetchval("select to_regnamespace('harvester_data')")
    assert (ended.code, made) == (EX_UNAVAILABLE, None)
    assert "Run harvester migrate" in ended.err


async def test_an_embedded_database_that_was_never_made_is_not_made_to_be_read(
    tmp_path: Path,
) -> None:
    path = await asyncio.to_thread(configured, tmp_path, None, "acme")
    ended = await harvester("status", config=path)
    assert ended.code == EX_UNAVAILABLE
    assert "not made yet; harvester run makes it" in ended.err
    assert not (tmp_path / "state").exists()


async def test_the_queries_are_listed_in_every_form(path: Path) -> None:
    listed = await harvester("query", "--json", config=path)
    names = [each["query"] for each in listed.json]
    assert names == sorted(each.stem for each in QUERIES.glob("*.sql"))
    ended = await harvester("query", "--csv", config=path)
    rows = list(csv.DictReader(io.StringIO(ended.out)))
    assert rows == listed.json and all(each["title"] for each in rows)
