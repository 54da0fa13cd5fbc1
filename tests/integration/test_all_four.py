"""A day of all platforms side by side, with an outage of each and all kinds of faults: what is held
in the end is what is true, save what one of them had forgotten, and that is told as lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from adversity import mishaps
from fix_postgres import Database
from harvested import Facts, Harvested, Task
from mischief import ACTS, LEFT_ALONE
from offered import acts
from together import DAY, DIFFERENT, HOUR, MINUTE, OUTAGE, Party, Together, Way, together

from harvester.model import Spans, Window
from harvester.simulator.fakes import TaskTruth

FORGETS = "devicehive"
MARGIN = timedelta(seconds=45)
"""What a poll may last, as the clock moves while nothing gets on."""
SLOWEST = 15 * MINUTE
"""So long a platform may need to tell of a change."""
SAID = {"same_instant", "structure", "malformed"}
"""Why something is rejected that devices or any fault say; the world has empty objects."""
OWN = {"null", "not_a_number", "unstorable_text", "implausible_instant", "no_instant", "no_channel"}
"""And of what one platform's own faults put among the readings."""

WAYS = [
    pytest.param(Way("a day", HOUR, 9 * MINUTE, "websocket"), id="make test"),
    pytest.param(
        Way("polled", 5 * MINUTE, 9 * MINUTE, "polling", rounds=2),
        id="polled",
        marks=pytest.mark.proof,
    ),
    pytest.param(
        Way("told", 20 * MINUTE, 6 * MINUTE, "websocket", rounds=2),
        id="told",
        marks=pytest.mark.proof,
    ),
    pytest.param(
        Way("again", 10 * MINUTE, 9 * MINUTE, "polling", rounds=2),
        id="again",
        marks=pytest.mark.proof,
    ),
]


@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("way", WAYS)
async def test_a_day_ends_with_all_that_could_be_had(
    way: Way, database: Database, tmp_path: Path
) -> None:
    async with together(database, tmp_path, way) as it:
        await it.day()
        for party in it.parties:
            check_all_befell(party)
        forgetful = it.party(FORGETS)
        while not await it.ticked(forgetful):
            it.clock.advance(forgetful.tenant.settings.polled_every)
        await check_forgetful(it, forgetful, way)
        others = [each for each in it.parties if each is not forgetful]
        it.clock.advance(26 * HOUR)  # what was told late is looked at again
        while not await it.ticked(*others):
            it.clock.advance(HOUR)
        for party in others:
            await check_whole(it, party)
        for party in it.parties:
            await check_tokens(it, party)


def check_all_befell(party: Party) -> None:
    """Each kind of fault at least once, and each act."""
    assert party.adversity.to_come == []
    assert {name for _, name in party.adversity.befell} == {
        str(each) for each in mishaps(party.platform)
    }
    assert {name for _, name in party.done} == set(acts(party.platform)) - LEFT_ALONE


async def check_whole(it: Together, party: Party) -> None:
    """All of the day is held; nothing of it is missing, and nothing lost."""
    database = Harvested(it.house.pool, party.platform)
    held, truth = of_the_day(await database.readings()), of_the_day(truth_of(party))
    assert differences(held, truth) == []
    assert await database.gaps(DAY.until) == []
    told, true = await database.tasks(), tasks_of(party)
    assert told.keys() == true.keys()
    old = it.clock.now() - SLOWEST
    assert {name: told[name] for name in true if true[name].now.at < old} == {
        name: standing(task) for name, task in true.items() if task.now.at < old
    }
    assert await database.rejected() <= SAID | OWN


async def check_forgetful(it: Together, party: Party, way: Way) -> None:
    """What is not held came in while it was lost; and no more is lost than must be."""
    database = Harvested(it.house.pool, party.platform)
    lost = await database.lost()
    held, truth = await database.readings(), truth_of(party)
    assert held.keys() <= truth.keys()
    skew = party.fake.switches.clock_skew
    day = Window(DAY.since + skew, DAY.until + skew)  # what came in before is not wanted
    last = {each.key: each for each in party.fake.arrivals(party.platform)}
    came = [(each.device, each.at) for key, each in last.items() if held.get(key) != truth[key]]
    assert untold(came, day, lost) == []
    told, true = await database.tasks(), tasks_of(party)
    assert told.keys() <= true.keys()
    unlike = [task for name, task in true.items() if told.get(name) != standing(task)]
    assert untold([(str(each.device), each.now.at) for each in unlike], day, lost) == []
    check_justified(party, lost, way)
    assert await database.rejected() <= SAID | {"no_device"}  # what nobody understands is of none


def check_justified(party: Party, lost: Mapping[str, list[Spans]], way: Way) -> None:
    """From the last poll before the outage, until what was kept at the first one after it: or at
    the one after that, where a token ended meanwhile, as the pause between two calls may be that
    long."""
    every, skew = party.tenant.settings.polled_every, party.fake.switches.clock_skew
    outage, after = party.adversity.outage, 2 * every + MARGIN
    since, until = outage.since + skew - every - MARGIN, outage.until + skew + after - way.retention
    spans = {span for feeds in lost.values() for each in feeds for span in each}
    beyond = [each for each in spans if not since <= each.since < each.until <= until]
    assert beyond == [], "\n".join(party.troubles)
    assert spans, "or the outage has shown nothing"
    longest = max(each.until - each.since for each in spans)
    assert longest <= OUTAGE + after - way.retention


async def check_tokens(it: Together, party: Party) -> None:
    """Each account goes on, and no call was made without need."""
    database, adversity = Harvested(it.house.pool, party.platform), party.adversity
    states = await database.accounts()
    assert set(states) == {"active"}
    assert adversity.sent_again == []
    again = [each for each in party.fake.violations if "used refresh token sent again" in each]
    assert party.fake.violations == again
    assert len(again) <= len(adversity.spoilt)
    excuses = 2 * adversity.of_tokens + len(states) * (adversity.of_refusals + len(party.done))
    assert await database.hasty_calls(adversity.outage) <= excuses


def truth_of(party: Party) -> Facts:
    found: Facts = party.fake.truth(party.platform)
    return found


def tasks_of(party: Party) -> Mapping[str, TaskTruth]:
    found: Mapping[str, TaskTruth] = party.fake.task_truth(party.platform)
    return found


def of_the_day(facts: Facts) -> Facts:
    return {key: value for key, value in facts.items() if key[2] < DAY.until}


def standing(task: TaskTruth) -> Task:
    return task.kind, task.device, task.now.state


def untold(
    came: Iterable[tuple[str, datetime]], day: Window, lost: Mapping[str, list[Spans]]
) -> list[tuple[str, datetime]]:
    """What came from a device in the day, and in no time that its feeds lost."""
    return [
        (device, at)
        for device, at in came
        if day.since <= at < day.until
        and not any(span.since <= at < span.until for spans in lost[device] for span in spans)
    ]


def differences(held: Facts, truth: Facts) -> list[str]:
    keys = sorted(held.keys() | truth.keys())
    return [
        f"{key}: {held.get(key)!r}, and not {truth.get(key)!r}"
        for key in keys
        if held.get(key) != truth.get(key)
    ]


@pytest.mark.parametrize("platform", DIFFERENT)
def test_what_is_done_or_left_alone_is_all_that_there_is(platform: str) -> None:
    own = {each for each in {*ACTS, *LEFT_ALONE} if each.casefold().startswith(f"fake{platform}.")}
    assert own == set(acts(platform))
