"""What may befall an answer, and what it costs: no more than it must, and no reading."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest
from fix_postgres import Database
from fix_simulator import BEGIN, Play
from switched import READINGS, TOKEN_CALL, failures, noted, one_feed, switched

from harvester import client
from harvester.auth.held import FIRST_BACKOFF
from harvester.simulator import faults
from harvester.simulator.faults import Fault, Kind, cut, delay, drip, hang, refuse, throttle
from harvester.simulator.mydevices_quirks import BadReading, bad_reading

HALF_AN_HOUR = timedelta(minutes=30)
SECOND = timedelta(seconds=1)
REASONS: dict[BadReading, set[str]] = {
    "null": {"null"},
    "nan": {"not_a_number"},
    "infinite": {"not_a_number"},
    "nul_character": {"unstorable_text"},
    "structure": {"structure"},
    "in_1970": {"implausible_instant"},
    "in_2099": {"implausible_instant"},
    "text_instant": {"no_instant"},
    "no_instant": {"no_instant"},
    "no_channel": {"no_channel"},
    "no_value": {"null"},
    "no_sensors": set(),
    "no_object": {"no_channel"},
}


async def whole(play: Play) -> bool:
    """Whether all that was published before the play began is held."""
    return await play.held(until=BEGIN) == play.published(until=BEGIN)


@pytest.mark.parametrize("which", get_args(BadReading))
async def test_what_is_no_reading_is_told_and_nothing_else_is_lost(
    database: Database, tmp_path: Path, which: BadReading
) -> None:
    async with switched(database, tmp_path) as play:
        play.fake.faults.add(Fault(READINGS, bad_reading(which), times=None))
        assert await play.tick()
        assert {row["reason"] for row in await play.rejected()} == REASONS[which]
        assert await whole(play)


@pytest.mark.parametrize("asked_for", [HALF_AN_HOUR, BEGIN + HALF_AN_HOUR], ids=["seconds", "date"])
async def test_nothing_is_read_before_the_end_of_the_patience_that_was_asked_for(
    database: Database, tmp_path: Path, asked_for: timedelta
) -> None:
    async with switched(database, tmp_path) as play:
        play.fake.faults.add(Fault(READINGS, throttle(asked_for)))
        assert not await play.tick()
        assert "throttled" in (await failures(play)).values()
        asked = noted(play, "/")
        play.clock.set(BEGIN + HALF_AN_HOUR - 2 * client.PATIENCE)
        assert not await play.tick()
        assert asked == []
        play.clock.set(BEGIN + HALF_AN_HOUR - SECOND)
        assert await play.tick()
        assert min(asked) >= BEGIN + HALF_AN_HOUR
        assert await whole(play)
        assert await failures(play) == {}


async def test_patience_without_end_is_not_given(database: Database, tmp_path: Path) -> None:
    async with switched(database, tmp_path) as play:
        play.fake.faults.add(Fault(READINGS, throttle(timedelta(days=9999))))
        assert not await play.tick()
        play.clock.advance(client.LONGEST_QUIET)
        assert await play.tick()
        assert await whole(play)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_server_that_fails_for_a_moment_costs_no_window(
    database: Database, tmp_path: Path, status: int
) -> None:
    async with switched(database, tmp_path) as play:
        fault = play.fake.faults.add(Fault(one_feed(play) + READINGS, refuse(status), times=2))
        assert await play.tick()
        assert fault.fired == 2
        assert await whole(play)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(refuse(403), "forbidden"), (refuse(404), "forbidden"), (refuse(500), "server_failed")],
    ids=["403", "404", "500"],
)
async def test_one_thing_that_cannot_be_had_costs_its_feed_only_and_is_told(
    database: Database, tmp_path: Path, kind: Kind, reason: str
) -> None:
    async with switched(database, tmp_path) as play:
        feed = one_feed(play)
        fault = play.fake.faults.add(Fault(feed + READINGS, kind, times=None))
        assert not await play.tick()
        assert await failures(play) == {feed: reason}
        missing = play.published(until=BEGIN).keys() - await play.held(until=BEGIN)
        assert {key[1] for key in missing} == {feed}
        assert fault.fired <= client.TRIES
        play.fake.faults.clear()
        assert await play.tick()
        assert await whole(play)
        assert await failures(play) == {}


async def test_a_read_that_is_refused_once_costs_one_renewal(
    database: Database, tmp_path: Path
) -> None:
    async with switched(database, tmp_path) as play:
        play.fake.faults.add(Fault(READINGS, refuse(401)))
        assert await play.tick()
        assert play.fake.token_calls["refresh_token"] == 1
        assert await whole(play)


@pytest.mark.parametrize("after", [0, 1, 300, 10**9], ids=lambda n: f"after {n} bytes")
async def test_an_answer_to_a_read_that_was_cut_is_asked_for_again(
    database: Database, tmp_path: Path, after: int
) -> None:
    async with switched(database, tmp_path) as play:
        fault = play.fake.faults.add(Fault(one_feed(play) + READINGS, cut(after), times=2))
        assert await play.tick()
        assert fault.fired == 2
        assert await whole(play)


async def test_a_token_call_whose_answer_was_cut_is_not_repeated_at_once(
    database: Database, tmp_path: Path
) -> None:
    async with switched(database, tmp_path) as play:
        play.fake.faults.add(Fault(TOKEN_CALL, cut(100)))
        assert not await play.tick()
        accounts = 3  # two users and the tenant's own client
        assert play.fake.token_calls.total() == accounts
        play.clock.advance(FIRST_BACKOFF)
        assert await play.tick()
        assert play.fake.token_calls.total() == accounts + 1
        assert await whole(play)


async def test_a_feed_that_drips_holds_up_no_other(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = asyncio.Event()

    async def sleep(_seconds: float) -> None:
        await gate.wait()

    monkeypatch.setattr(faults, "sleep", sleep)
    async with switched(database, tmp_path) as play:
        feed = one_feed(play)
        play.fake.faults.add(Fault(feed + READINGS, drip(10, 1)))
        others = {key for key in play.published() if key[1] != feed}
        tick = asyncio.create_task(play.tick())
        while not tick.done() and (await play.held()).keys() != others:
            await asyncio.sleep(0)
        assert not tick.done()
        gate.set()
        assert await tick
        assert await whole(play)


@pytest.mark.parametrize(
    ("kind", "limit"),
    [
        (drip(1, 0.01), "WHOLE_SECONDS"),
        (delay(3600), "READ_SECONDS"),
        (hang(), "READ_SECONDS"),
    ],
    ids=["drip", "delay", "hang"],
)
async def test_an_answer_that_takes_too_long_is_given_up(
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: Kind,
    limit: str,
) -> None:
    monkeypatch.setattr(client.sessions, limit, 0.3)
    async with switched(database, tmp_path) as play:
        feed = one_feed(play)
        play.fake.faults.add(Fault(feed + READINGS, kind, times=None))
        assert not await play.tick()
        assert await failures(play) == {feed: "unreachable"}
        play.fake.faults.clear()
        assert await play.tick()
        assert await whole(play)
