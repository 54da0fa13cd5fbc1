"""Subscriptions of a platform that forgets: what they cover, and what is polled all the same."""

from datetime import timedelta
from pathlib import Path

import pytest
from fix_devicehive import Hive, hive, person
from fix_postgres import Database

from harvester.simulator.devicehive_quirks import Switches

SECOND = timedelta(seconds=1)
LISTED = "GET /api/rest/device/{device}/notification"


def polls(it: Hive) -> int:
    return it.fake.requests[LISTED]


async def test_once_caught_up_no_device_is_polled(database: Database, tmp_path: Path) -> None:
    async with hive(database, tmp_path, Switches(), ingest="websocket") as it:
        await it.beats(2)
        caught_up = polls(it)
        assert caught_up >= 6
        assert all(await it.beats(6))
        assert polls(it) == caught_up
        assert (await it.held(), await it.lost()) == (it.truth(), {})


async def test_after_a_break_what_was_not_told_is_polled(
    database: Database, tmp_path: Path
) -> None:
    async with hive(database, tmp_path, Switches(), ingest="websocket") as it:
        await it.beats(3)
        asked = polls(it)
        it.clock.advance(20 * SECOND)
        it.fake.sockets.drop()
        await it.beats(3)
        assert polls(it) > asked
        assert (await it.held(), await it.lost()) == (it.truth(), {})


async def test_a_platform_that_answers_no_ping_is_polled(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in ("PONG_SECONDS", "CLOSE_SECONDS"):  # which no moved clock shortens
        monkeypatch.setattr(f"harvester.client.sockets.{each}", 0.05)
    async with hive(database, tmp_path, Switches(), ingest="websocket") as it:
        await it.beats(2)
        it.fake.sockets.freeze()
        asked = polls(it)
        await it.beats(2)
        assert polls(it) > asked
        assert (await it.held(), await it.lost()) == (it.truth(), {})


async def test_a_device_that_came_after_the_subscription_is_polled_until_it_is_told_of(
    database: Database, tmp_path: Path
) -> None:
    async with hive(database, tmp_path, Switches(), things=2, ingest="websocket") as it:
        await it.beats(3)
        asked = polls(it)
        async with person(it) as (play, access):
            await play.notify(access, "temperature", value=21.5)
            await it.beats(3)
            assert polls(it) > asked
            caught_up = polls(it)
            await play.notify(access, "temperature", value=21.7)
            await it.beats(3)
        assert polls(it) == caught_up
        assert (await it.held(), await it.lost()) == (it.truth(), {})


async def test_what_is_no_message_is_rejected_in_the_open(
    database: Database, tmp_path: Path
) -> None:
    async with hive(database, tmp_path, Switches(), things=2, ingest="websocket") as it:
        await it.beats(2)
        it.fake.sockets.say("<html>")
        await it.beats(1)
        rows = await it.house.pool.fetch("select reason from harvester_data.rejected")
        assert "no_device" in {row["reason"] for row in rows}
        assert (await it.held(), await it.lost()) == (it.truth(), {})
