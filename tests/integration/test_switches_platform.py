"""The ways of a platform that vary, and the ends of its tokens: all of it is held in each."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from fix_postgres import Database
from fix_simulator import BEGIN, Play
from switched import READ, counted, failures, noted, switched

from harvester.simulator.faults import Fault, throttle
from harvester.simulator.mydevices_quirks import QUIRKS, Switches

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
TOKENS_FOR_AN_HOUR = Switches(access_ttl=3600, refresh_ttl=7200)


def calls(play: Play) -> Mapping[str, int]:
    """Token calls of users, by grant."""
    return {grant: n for grant, n in play.fake.token_calls.items() if grant != "client_credentials"}


def refusals() -> tuple[float, float]:
    """Reads with a token that serves no more, and token calls that gave none."""
    return counted("requests", tenant="acme", outcome="unauthorized"), counted(
        "token_failures", tenant="acme"
    )


@pytest.mark.parametrize(
    "quirk",
    [
        "oldest first",
        "out of order",
        "exclusive bounds",
        "channels as numbers",
        "newer statuses",
    ],
)
async def test_one_tick_brings_all_in_every_way_of_answering(
    database: Database, tmp_path: Path, quirk: str
) -> None:
    async with switched(database, tmp_path, switches=QUIRKS[quirk]) as play:
        assert await play.tick()
        assert await play.held(until=BEGIN) == play.published(until=BEGIN)


@pytest.mark.parametrize(
    "quirk", ["capped", "capped, out of order", "capped, exclusive bounds, oldest first", "cursor"]
)
async def test_what_a_page_leaves_out_is_asked_for(
    database: Database, tmp_path: Path, quirk: str
) -> None:
    async with switched(database, tmp_path, switches=QUIRKS[quirk]) as play:
        assert await play.tick()
        assert play.fake.requests[READ] > len(play.world.things("acme")), "no page was cut"
        assert await play.held(until=BEGIN) == play.published(until=BEGIN)


async def test_tokens_are_renewed_before_they_expire(database: Database, tmp_path: Path) -> None:
    async with switched(database, tmp_path, switches=TOKENS_FOR_AN_HOUR) as play:
        before = refusals()
        for renewals in range(4):
            assert await play.tick()
            assert calls(play) == {"password": 2} | (
                {"refresh_token": 2 * renewals} if renewals else {}
            )
            play.clock.advance(HOUR)
        assert refusals() == before


async def test_a_refresh_token_that_expired_is_not_tried(
    database: Database, tmp_path: Path
) -> None:
    async with switched(database, tmp_path, switches=TOKENS_FOR_AN_HOUR) as play:
        assert await play.tick()
        play.clock.advance(3 * HOUR)
        assert await play.tick()
        assert calls(play) == {"password": 4}
        assert await play.held() == play.published()


async def test_a_rotated_refresh_token_is_used_once(database: Database, tmp_path: Path) -> None:
    switches = Switches(access_ttl=3600, refresh_ttl=7200, rotate=True)
    async with switched(database, tmp_path, switches=switches) as play:
        for _ in range(4):
            assert await play.tick()
            play.clock.advance(HOUR)
        assert calls(play) == {"password": 2, "refresh_token": 6}
        assert play.fake.violations == []


async def test_a_session_that_ends_however_often_it_is_renewed_is_begun_anew(
    database: Database, tmp_path: Path
) -> None:
    switches = Switches(access_ttl=3600, refresh_ttl=7200, session_max=9000)
    async with switched(database, tmp_path, switches=switches) as play:
        before = refusals()
        for _ in range(4):
            assert await play.tick()
            play.clock.advance(HOUR)
        assert calls(play)["password"] == 4
        assert refusals() == before


async def test_a_token_revoked_in_the_middle_of_work_is_renewed_once(
    database: Database, tmp_path: Path
) -> None:
    async with switched(database, tmp_path) as play:
        assert await play.tick()
        for user in play.world.users("acme"):
            play.fake.revoke(user.name)
        # No discovery is due: the first who are refused are many reads at once.
        play.clock.advance(HOUR / 2)
        before = refusals()
        assert await play.tick()
        assert refusals() > before
        assert calls(play) == {"password": 2, "refresh_token": 2}
        assert await play.held() == play.published()


async def test_who_was_logged_out_logs_in_with_the_password(
    database: Database, tmp_path: Path
) -> None:
    async with switched(database, tmp_path, switches=TOKENS_FOR_AN_HOUR) as play:
        assert await play.tick()
        play.fake.log_out(play.world.users("acme")[0].name)
        play.clock.advance(HOUR)
        assert await play.tick()
        assert calls(play) == {"password": 3, "refresh_token": 2}
        assert await play.held() == play.published()


async def test_who_was_disabled_is_asked_for_once_and_costs_nobody_else(
    database: Database, tmp_path: Path
) -> None:
    async with switched(database, tmp_path, switches=TOKENS_FOR_AN_HOUR) as play:
        assert await play.tick()
        play.fake.disable(play.world.users("acme")[1].name)
        for _ in range(3):
            play.clock.advance(HOUR)
            await play.tick()
        assert calls(play) == {"password": 2, "refresh_token": 1 + 3}
        only_his = {it.uuid for it in play.world.things("acme") if len(it.seen_by) == 1}
        his_tasks = f"tasks of {play.world.users('acme')[1].name}"
        assert await failures(play) == dict.fromkeys({*only_his, his_tasks}, "account_disabled")
        lost = play.published().keys() - await play.held()
        assert {key[1] for key in lost} == only_his


@pytest.mark.parametrize("skew", [-2 * HOUR, 2 * HOUR], ids=["behind", "ahead"])
async def test_a_platform_whose_clock_is_wrong_is_held_in_full(
    database: Database, tmp_path: Path, skew: timedelta
) -> None:
    switches = Switches(access_ttl=3600, refresh_ttl=7200, rotate=True, clock_skew=skew)
    async with switched(database, tmp_path, switches=switches) as play:
        before = refusals()
        for _ in range(14):
            assert await play.tick()
            play.clock.advance(2 * HOUR)
        assert await play.held(until=BEGIN) == play.published(until=BEGIN)
        assert refusals() == before
        assert play.fake.violations == []


@pytest.mark.parametrize("skew", [-2 * HOUR, 2 * HOUR], ids=["behind", "ahead"])
async def test_a_date_to_wait_until_is_by_the_platforms_clock(
    database: Database, tmp_path: Path, skew: timedelta
) -> None:
    async with switched(database, tmp_path, switches=Switches(clock_skew=skew)) as play:
        at = play.clock.now() + skew + 20 * SECOND
        play.fake.faults.add(Fault("/companies", throttle(at)))
        asked = noted(play, "/companies")
        assert await play.tick()
        assert 20 * SECOND <= asked[1] - BEGIN <= 22 * SECOND
