"""What the simulated world does other than simply, and that all of it is held in the end."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from fix_postgres import Database
from fix_simulator import BEGIN, Play
from switched import counted, switched

from harvester.simulator.uplinks import QUIET, Habits

SIX_HOURS = timedelta(hours=6)
NUMBER_TO_TEXT = replace(QUIET, corrected=0.3, corrected_to_text=1)


async def a_day_and_a_half(play: Play) -> None:
    for _ in range(6):
        play.clock.advance(SIX_HOURS)
        assert await play.tick()


@pytest.mark.parametrize(
    "habits",
    [replace(QUIET, late=0.5), replace(QUIET, corrected=0.5, corrected_to_text=0)],
    ids=["late", "corrected"],
)
async def test_what_is_said_later_of_a_span_is_held_in_the_end(
    database: Database, tmp_path: Path, habits: Habits
) -> None:
    async with switched(database, tmp_path, habits=habits) as play:
        assert await play.tick()
        first = await play.held(until=BEGIN)
        await a_day_and_a_half(play)
        truth = play.published(until=BEGIN)
        assert first != truth
        assert await play.held(until=BEGIN) == truth


async def test_a_number_that_becomes_text_and_a_number_again_is_held_once(
    database: Database, tmp_path: Path
) -> None:
    async with switched(database, tmp_path, habits=NUMBER_TO_TEXT) as play:
        assert await play.tick()
        assert "retracted" in str((await play.held()).values())
        assert await play.held() == play.published()
        play.clock.advance(timedelta(hours=1))
        assert await play.tick()
        assert await play.held(until=BEGIN)
        await a_day_and_a_half(play)
        assert await play.held(until=BEGIN) == play.published(until=BEGIN)


async def test_an_uplink_listed_twice_is_held_once_and_rejected_never(
    database: Database, tmp_path: Path
) -> None:
    outcomes = ("stored", "corrected", "rejected")
    async with switched(database, tmp_path, habits=replace(QUIET, repeated=0.5)) as play:
        names = [f"readings_{each}" for each in ("pulled", *outcomes)]
        before = [counted(name, tenant="acme") for name in names]
        assert await play.tick()
        held = await play.held()
        assert held == play.published()
        after = [counted(name, tenant="acme") for name in names]
        pulled, *rest = (now - was for now, was in zip(after, before, strict=True))
        assert rest == [len(held), 0, 0]
        assert pulled > len(held)
        assert await play.rejected() == []


async def test_of_two_uplinks_of_one_instant_the_ids_decide_and_the_other_is_told(
    database: Database, tmp_path: Path
) -> None:
    async with switched(database, tmp_path, habits=replace(QUIET, twins=0.5)) as play:
        assert await play.tick()
        assert await play.held() == play.published()
        assert {row["reason"] for row in await play.rejected()} == {"same_instant"}


@pytest.mark.parametrize(
    "habits",
    [
        replace(QUIET, anonymous=1),
        replace(QUIET, missing=0.9),
        replace(QUIET, odd_words=0.5),
    ],
    ids=["anonymous", "missing", "odd words"],
)
async def test_uplinks_that_say_less_or_otherwise_are_held_as_said(
    database: Database, tmp_path: Path, habits: Habits
) -> None:
    async with switched(database, tmp_path, habits=habits) as play:
        assert await play.tick()
        assert await play.held() == play.published()
        assert await play.rejected() == []
