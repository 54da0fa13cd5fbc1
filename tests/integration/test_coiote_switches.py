"""What a Coiote may do otherwise, and what befalls its answers: what it costs the harvester."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest
from befallen import slowly
from fix_coiote import BEGIN, HOUR, SLOW, Plant, plant
from fix_platforms import staged
from fix_postgres import Database
from switched import counted

from harvester.simulator.coiote_quirks import BadPoint, Switches, bad_point, refused
from harvester.simulator.faults import Fault

if TYPE_CHECKING:
    from harvester.store.pool import Pool

MINUTE = timedelta(minutes=1)
REASONS: dict[BadPoint, str] = {
    "null": "null",
    "nan": "not_a_number",
    "infinite": "not_a_number",
    "structure": "structure",
    "in_1970": "implausible_instant",
    "in_2099": "implausible_instant",
    "text_date": "no_instant",
    "no_date": "no_instant",
    "no_value": "null",
    "no_object": "no_channel",
}


async def is_whole(it: Plant, but: str = "") -> bool:
    """Whether all is held of what was published until the newest time that is asked for; but of
    one device."""
    held, truth = await it.settled(), it.settled_truth()
    return {key: value for key, value in truth.items() if key[0] != but and key[1] not in SLOW} == {
        key: value for key, value in held.items() if key[0] != but and key[1] not in SLOW
    }


@pytest.mark.parametrize("which", get_args(BadPoint))
async def test_what_is_no_point_is_told_and_nothing_else_is_lost(
    database: Database, tmp_path: Path, which: BadPoint
) -> None:
    async with plant(database, tmp_path, things=2) as it:
        it.fake.faults.add(Fault("deviceMonitoring", bad_point(which), times=None))
        assert await it.beat()
        rows = await it.house.pool.fetch("select distinct reason from harvester_data.rejected")
        assert {row["reason"] for row in rows} - {"same_instant"} == {REASONS[which]}
        assert await is_whole(it)


@pytest.mark.parametrize("told", [True, False])
async def test_a_throttled_user_is_let_alone_and_all_is_had_in_the_end(
    database: Database, tmp_path: Path, told: bool
) -> None:
    switches = Switches(requests_per_minute=30, retry_after=told)
    async with plant(database, tmp_path, switches, own=False) as it:
        before = counted("requests", tenant="acme", outcome="throttled")
        ticks = [await it.beat(MINUTE) for _ in range(8)]
        throttled = counted("requests", tenant="acme", outcome="throttled") - before
        assert True in ticks and throttled > 0
        assert throttled < it.fake.requests.total() / (4 if told else 1.5)
        assert await is_whole(it)


async def test_what_the_platform_keeps_no_longer_is_lost_and_the_rest_is_held(
    database: Database, tmp_path: Path
) -> None:
    switches = Switches(retention=6 * HOUR)
    async with plant(database, tmp_path, switches, things=2, retention="6h") as it:
        assert await it.beat()
        assert await it.lost() == {} and await is_whole(it)
        assert await it.beat(8 * HOUR)
        kept_since = it.clock.now() - 6 * HOUR
        assert {span.until for spans in (await it.lost()).values() for span in spans} == {
            kept_since
        }
        held, truth = await it.settled(), it.settled_truth()
        kept = {key: value for key, value in truth.items() if key[2] >= kept_since}
        assert kept and kept.items() <= held.items()
        assert any(key[2] < kept_since for key in truth.keys() - held.keys())


async def test_a_device_that_was_deleted_costs_its_own_feeds_alone(
    database: Database, tmp_path: Path
) -> None:
    async with plant(database, tmp_path) as it:
        assert await it.beat()
        device, before = it.device("Cold room"), await it.held()
        it.fake.delete(device.id)
        assert not await it.beat()
        reasons = await it.reasons(device.id)
        assert reasons and all(each.startswith("forbidden") for each in reasons)
        assert await is_whole(it, but=device.id)
        assert [await it.beat(HOUR), await it.beat()] == [True, True], "nobody lists it any more"
        assert before.items() <= (await it.held()).items()
        assert await is_whole(it, but=device.id)


@pytest.mark.parametrize(
    "switches",
    [Switches(errors=form, permissions="all") for form in ("error", "empty", "html")],
    ids=lambda switches: switches.errors,
)
async def test_a_device_that_is_not_monitored_stalls_nobody_though_no_code_says_so(
    database: Database, tmp_path: Path, switches: Switches
) -> None:
    async with plant(database, tmp_path, switches) as it:
        await it.beat()
        device = it.device("Cold room")
        it.fake.stop_monitoring(device.id)
        for _ in range(3):
            await it.beat()
        assert any("not enabled" in each for each in await it.reasons(device.id))
        it.fake.requests.clear()
        assert [await it.beat(HOUR / 2) for _ in range(2)][-1], "it is left out of the listing"
        assert await is_whole(it, but=device.id)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (4000, "request_refused"),
        (4001, "request_refused"),
        (4003, "request_refused"),
        (4030, "not_permitted"),
        (4040, "forbidden"),
        (4041, None),
        (4042, None),
        (5030, "server_failed"),
        (5031, "request_refused"),
    ],
)
async def test_a_refusal_is_judged_by_its_code_and_costs_one_device(
    database: Database, tmp_path: Path, code: int, reason: str | None
) -> None:
    async with plant(database, tmp_path) as it:
        device = it.device("Cold room")
        path = f"deviceMonitoring/data/{device.id}"
        fault = it.fake.faults.add(Fault(path, refused(code), times=None))
        assert await it.beat() is (reason is None)
        told = {each.partition(":")[0] for each in await it.reasons(device.id)}
        assert fault.fired and told == ({reason} if reason else set())
        if code != 4030:  # that is of the accounts, which are all refused
            assert await is_whole(it, but=device.id)
        it.fake.faults.clear()
        await it.beat()
        assert it.clock.now() > BEGIN and it.fake.violations == []


async def test_a_discovery_outlives_many_tokens_and_none_of_them_is_refused(pool: Pool) -> None:
    async with staged("coiote", pool) as stage:
        statuses: list[int] = []
        slow = slowly(lambda: stage.clock.advance(MINUTE), statuses)
        fault, calls = stage.fake.faults.add(Fault("GET ", slow, times=None)), stage.calls()
        found = await stage.discovered()
        assert len([each for each in found if each.device]) > 4
        assert statuses == [403], "it may not ask for all at once, and never came too late"
        assert fault.fired > 10
        assert stage.calls() - calls >= fault.fired * MINUTE / (5 * MINUTE)
