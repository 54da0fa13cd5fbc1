"""The simulated world is the same for everybody, and its truth can be judged by eye."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from harvester.simulator import world as world_module
from harvester.simulator.clock import HandClock
from harvester.simulator.uplinks import QUIET, Habits, Uplink, number
from harvester.simulator.world import Row, World, instant, millis

NOW = datetime(2026, 3, 4, 10, 30, tzinfo=UTC)
SINCE = NOW - timedelta(days=3)
HOURS = timedelta(hours=1)


def world(seed: int = 7, now: datetime = NOW, habits: Habits | None = None) -> World:
    return World(seed, HandClock(now), SINCE, habits=habits)


def all_rows(it: World, as_of: datetime = NOW) -> dict[str, list[Row]]:
    end = millis(as_of)
    return {thing.uuid: list(it.readings(thing, 0, end, end)) for thing in it.things("acme")}


def all_uplinks(it: World) -> list[Uplink]:
    for tenant in it.tenants:
        it.truth(tenant)
    return [uplink for day in it._days.values() for uplink in day]


def test_one_seed_makes_one_world_and_another_seed_another() -> None:
    assert world(7).truth("acme") == world(7).truth("acme")
    assert world(7).truth("acme").keys().isdisjoint(world(8).truth("acme"))
    assert world(7).users("acme") == world(7).users("acme") != world(8).users("acme")


def test_it_does_not_matter_in_which_order_and_when_one_asks() -> None:
    clock = HandClock(SINCE)
    patient, moments = World(7, clock, SINCE), [SINCE + n * 9 * HOURS for n in range(9)]
    seen_live = {}
    for moment in moments:
        clock.set(moment)
        seen_live[moment] = {name: patient.truth(name) for name in ("acme", "globex")}
    hasty = world(7)
    seen_late = {
        moment: {name: hasty.truth(name, moment) for name in ("globex", "acme")}
        for moment in reversed(moments)
    }
    assert seen_live == seen_late
    assert len(seen_live[moments[-1]]["acme"]) > 4000


def test_days_that_were_forgotten_come_back_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    before = world().truth("acme")
    monkeypatch.setattr(world_module, "DAYS_KEPT", 3)
    small = world()
    assert small.truth("acme") == before
    assert len(small._days) <= 3


def test_at_a_greater_pace_things_send_more_often() -> None:
    usual, fast = (World(7, HandClock(NOW), SINCE, pace=pace, habits=QUIET) for pace in (1, 20))
    uplinks = [sum(map(len, all_rows(it).values())) for it in (usual, fast)]
    assert 17 < uplinks[1] / uplinks[0] < 23
    assert [it.uuid for it in usual.things("acme")] == [it.uuid for it in fast.things("acme")]


def test_nobody_sees_an_uplink_before_it_is_published() -> None:
    late = world(habits=replace(QUIET, late=1, delays=(timedelta(hours=5),)))
    soon = world(habits=QUIET)
    assert late.truth("acme") == soon.truth("acme", NOW - 5 * HOURS)
    assert max(at for _, _, at in late.truth("acme")) > NOW - 6 * HOURS


def test_a_correction_replaces_the_value_at_its_instant_once_it_is_published() -> None:
    habits = replace(QUIET, corrected=1, corrected_to_text=0, correction_delays=(2 * HOURS,))
    first = world(habits=QUIET).truth("acme")
    corrected = world(habits=habits).truth("acme")
    assert corrected.keys() == first.keys()
    changed = {key for key in first if first[key] != corrected[key]}
    assert {at for _, _, at in changed} == {at for *_, at in first if at <= NOW - 2 * HOURS}


def test_a_number_corrected_to_text_becomes_a_number_again() -> None:
    habits = replace(QUIET, corrected=1, corrected_to_text=1, correction_delays=(2 * HOURS,))
    first = world(habits=QUIET).truth("acme", NOW - 4 * HOURS)
    it = world(habits=habits)
    now = it.truth("acme")
    assert {key: now[key] for key in first} == first
    in_between = {
        at for key, value in now.items() if str(value).startswith("retracted") for at in [key[2]]
    }
    assert in_between == {at for *_, at in now if NOW - 4 * HOURS < at <= NOW - 2 * HOURS}


def test_of_two_uplinks_at_one_instant_the_greatest_correlation_id_holds() -> None:
    it = world(habits=replace(QUIET, twins=1))
    truth, first_holds = it.truth("acme"), Counter[bool]()
    for uuid, rows in all_rows(it).items():
        for first, second in zip(rows[::2], rows[1::2], strict=True):
            assert first.ms == second.ms and first.correlation_id != second.correlation_id
            assert first.values != second.values
            winner = max(first, second, key=lambda row: row.correlation_id or "")
            first_holds[winner is first] += 1
            for channel, value in winner.values:
                told = number(value)
                assert truth[uuid, channel, instant(first.ms)] == (value if told is None else told)
    assert min(first_holds[True], first_holds[False]) > 100


def test_the_truth_is_floats_and_text_that_is_no_number() -> None:
    it = world()
    sent = {type(v) for rows in all_rows(it).values() for row in rows for _, v in row.values}
    assert sent == {int, float, bool, str}
    for value in it.truth("acme").values():
        if isinstance(value, str):
            with pytest.raises(ValueError, match="could not convert"):
                float(value)
        else:
            assert type(value) is float and value == value
    assert number("-21.50") == -21.5 and number(True) == 1.0 and number("2.4.1") is None


def test_every_mishap_is_present_by_default_but_rare() -> None:
    uplinks = all_uplinks(world())
    share = {
        "late": sum(up.versions[0].published_ms - up.ms > 2000 for up in uplinks),
        "corrected": sum(len(up.versions) == 2 for up in uplinks),
        "corrected to text": sum(len(up.versions) == 3 for up in uplinks),
        "repeated": sum(up.copies == 2 for up in uplinks),
        "anonymous": sum(up.correlation_id is None for up in uplinks),
        "odd words": sum(v == "ERR" for up in uplinks for _, v in up.versions[0].values),
    }
    soon = [up.versions[0].published_ms - up.ms for up in uplinks]
    assert sum(0 < ms <= 2000 for ms in soon) > 0.9 * len(uplinks)
    assert all(0 < count < 0.05 * len(uplinks) for count in share.values()), share


def test_a_repeated_uplink_is_listed_twice() -> None:
    once, twice = world(habits=QUIET), world(habits=replace(QUIET, repeated=1))
    doubled = {
        uuid: [row for row in rows for _ in range(2)] for uuid, rows in all_rows(once).items()
    }
    assert all_rows(twice) == doubled
    assert twice.truth("acme") == once.truth("acme")


def test_what_is_left_out_changes_nothing_of_the_rest() -> None:
    whole = world(habits=QUIET).truth("acme")
    gappy = world(habits=replace(QUIET, missing=0.3)).truth("acme")
    assert gappy.items() < whole.items()
    assert 0.65 < len(gappy) / len(whole) < 0.75


def test_one_thing_reports_on_round_instants_and_the_others_do_not() -> None:
    rows = all_rows(world())
    for thing in world().things("acme"):
        round_ones = [row.ms % 1_800_000 == 0 for row in rows[thing.uuid]]
        assert all(round_ones) if thing.model.on_the_round else not any(round_ones)
    assert sum(thing.model.on_the_round for thing in world().things("acme")) == 1


def test_the_gateway_and_the_deactivated_thing_have_nothing_to_say() -> None:
    rows = all_rows(world())
    silent = [thing for thing in world().things("acme") if not rows[thing.uuid]]
    assert [(thing.model.gateway, thing.active) for thing in silent] == [
        (True, True),
        (False, False),
    ]


def test_every_user_sees_something_and_some_things_are_shared() -> None:
    it = world()
    seers = Counter(len(thing.seen_by) for thing in it.things("acme"))
    assert seers[1] == seers[2] == 4 and seers[3] == 2
    assert {name for thing in it.things("acme") for name in thing.seen_by} == {
        user.name for user in it.users("acme")
    }
    passwords = [user.password for user in it.users("acme")]
    assert all({"&", "+", "%"} <= set(password) for password in passwords)
    assert sum(not password.isascii() for password in passwords) == 1
