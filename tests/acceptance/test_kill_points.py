"""The daemon killed at every named point of a token call, and started again plainly.

Each point once; on all platforms and settings by `make proof`. docs/reliability.md has what came.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import cycle
from pathlib import Path

import pytest
from acceptance.renewing import Outcome, Setting, site_of
from fix_postgres import Database, Postgres

from harvester.simulator.mydevices_quirks import Switches

POINTS = (
    "before_lease",
    "after_lease",
    "before_intent",
    "in_intent",
    "after_intent",
    "before_send",
    "after_send",
    "after_answer",
    "before_spill",
    "in_spill",
    "after_spill",
    "before_commit",
    "in_commit",
    "after_commit",
    "before_hand_out",
    "after_hand_out",
)
"""In the order of a renewal; `in_` is in a transaction, or in a file that no disk has for sure."""
LOST = ("after_send", "after_answer", "before_spill")
"""The platform has answered, and the answer is nowhere."""
AT_ONCE = (os.cpu_count() or 1) + 1
ROTATING = Switches(rotate=True)
WITH, WITHOUT, *_ = SETTINGS = (
    Setting(
        "myDevices, rotating, a password configured",
        "mydevices",
        "refresh_token",
        lost=Outcome("active", None, {"refresh_token": 2, "password": 1}, 1),
        switches=ROTATING,
    ),
    Setting(
        "myDevices, rotating, no password",
        "mydevices",
        "refresh_token",
        lost=Outcome("needs_login", "revoked", {"refresh_token": 2}, 1),
        secret=None,
        switches=ROTATING,
    ),
    Setting(
        "myDevices, rotating, a password kept by `harvester login --keep-password`",
        "mydevices",
        "refresh_token",
        lost=Outcome("active", None, {"refresh_token": 2, "password": 1}, 1),
        secret=None,
        by_hand="login --keep-password",
        switches=ROTATING,
    ),
    Setting(
        "myDevices, not rotating, a password configured",
        "mydevices",
        "refresh_token",
        lost=Outcome("active", None, {"refresh_token": 2}),
    ),
    Setting(
        "myDevices, not rotating, no password",
        "mydevices",
        "refresh_token",
        lost=Outcome("active", None, {"refresh_token": 2}),
        secret=None,
    ),
    Setting(
        "myDevices, the first login",
        "mydevices",
        "password",
        lost=Outcome("active", None, {"password": 2}),
        by_hand=None,
        switches=ROTATING,
    ),
    Setting(
        "myDevices, the tenant's own client",
        "mydevices",
        "client_credentials",
        lost=Outcome("active", None, {"client_credentials": 2}),
        secret="client",
        by_hand=None,
    ),
    Setting(
        "DeviceHive, a password configured",
        "devicehive",
        "refresh_token",
        lost=Outcome("active", None, {"refresh_token": 2}),
    ),
    Setting(
        "DeviceHive, no password",
        "devicehive",
        "refresh_token",
        lost=Outcome("active", None, {"refresh_token": 2}),
        secret=None,
    ),
    Setting(
        "DeviceHive, a refresh token configured",
        "devicehive",
        "configured",
        lost=Outcome("active", None, {"refresh_token": 2}),
        secret="refresh_token",
        by_hand=None,
    ),
    Setting(
        "DeviceHive, the first login",
        "devicehive",
        "password",
        lost=Outcome("active", None, {"password": 2}),
        by_hand=None,
    ),
    Setting(
        "Usergrid, a user",
        "usergrid",
        "password",
        lost=Outcome("active", None, {"password": 2}),
    ),
    Setting(
        "Usergrid, the application's client",
        "usergrid",
        "client_credentials",
        lost=Outcome("active", None, {"client_credentials": 2}),
        secret="client",
        by_hand=None,
    ),
    Setting(
        "Coiote, a user",
        "coiote",
        "password",
        lost=Outcome("active", None, {"password": 2}),
    ),
    Setting(
        "Coiote, a service account",
        "coiote",
        "client_credentials",
        lost=Outcome("active", None, {"client_credentials": 2}),
        secret="client",
        by_hand=None,
    ),
)
NARROWING = ("before_send:2", "after_send:2", "after_answer:2")
"""DeviceHive's login is two calls; the second makes a token that can only read."""

Case = tuple[Setting, str]


def expected(setting: Setting, point: str) -> Outcome:
    """One call that gives a token, unless the answer to one got lost."""
    if point in LOST or point in NARROWING:
        return setting.lost
    return Outcome("active", None, {next(iter(setting.lost.calls)): 1})


async def come_to(case: Case, database: Database, folder: Path) -> Outcome:
    """Kill a daemon, start it again, and see how the account stands and what that took."""
    setting, point = case
    async with site_of(setting, database, folder) as site:
        await site.begin()
        await site.killed(point)
        state = await site.restarted()
        outcome = await site.outcome()
        assert (state, site.spilled()) == (outcome.state, [])
        if state != "active":
            await site.restarted()
        return await site.outcome()


async def side_by_side(
    cases: Sequence[Case], postgres: Postgres, template: str, folder: Path
) -> dict[tuple[str, str], Outcome]:
    """How each came out, by the names of setting and point."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(number: int, case: Case, database: Database) -> Outcome:
        async with slots:
            return await come_to(case, database, folder / str(number))

    async with AsyncExitStack() as stack:
        databases = [await stack.enter_async_context(postgres.made(template)) for _ in cases]
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(one(number, case, database))
                for number, (case, database) in enumerate(zip(cases, databases, strict=True))
            ]
    results = zip(cases, tasks, strict=True)
    return {(setting.name, point): task.result() for (setting, point), task in results}


@pytest.mark.timeout(180)
async def test_killed_at_any_point_an_account_works_again_or_says_why_it_cannot(
    postgres: Postgres, template: str, tmp_path: Path
) -> None:
    cases = list(zip(cycle((WITH, WITHOUT)), POINTS, strict=False))
    found = await side_by_side(cases, postgres, template, tmp_path)
    assert found == {(each[0].name, each[1]): expected(*each) for each in cases}


@pytest.mark.timeout(60)
async def test_a_refresh_token_whose_answers_get_lost_is_sent_twice_and_never_again(
    database: Database, tmp_path: Path
) -> None:
    async with site_of(WITHOUT, database, tmp_path) as site:
        await site.begin()
        for _ in range(2):
            await site.killed("after_send")
        assert await site.restarted() == "needs_login"
        again = Outcome("needs_login", "answer_lost", {"refresh_token": 2}, 1)
        assert await site.outcome() == again


@pytest.mark.proof
@pytest.mark.timeout(600)
@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
async def test_of_each_platform_and_setting(
    setting: Setting,
    postgres: Postgres,
    template: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    began = asyncio.get_running_loop().time()
    cases = [(setting, point) for point in points_of(setting)]
    found = await side_by_side(cases, postgres, template, tmp_path)
    assert found == {(setting.name, point): expected(setting, point) for _, point in cases}
    with capsys.disabled():
        seconds = asyncio.get_running_loop().time() - began
        print(f"\n{row(setting)} {len(cases)} | {seconds:.0f} |")  # noqa: T201


def points_of(setting: Setting) -> tuple[str, ...]:
    narrows = setting.platform == "devicehive" and setting.by_hand is None
    return POINTS + NARROWING if narrows else POINTS


def row(setting: Setting) -> str:
    """The beginning of its row in the document's table."""
    outcomes = (expected(setting, point) for point in ("before_send", "after_send"))
    return f"| {setting.name} | {' | '.join(map(told, outcomes))} |"


def told(outcome: Outcome) -> str:
    calls = ", ".join(f"{number} {grant}" for grant, number in outcome.calls.items())
    said = "works" if outcome.state == "active" else f"`{outcome.state}`, `{outcome.reason}`"
    return f"{said}: {calls}"


def test_the_document_says_what_is_proven() -> None:
    text = (Path(__file__).parents[2] / "docs/reliability.md").read_text("utf-8")
    assert [each.name for each in SETTINGS if row(each) not in text] == []
    assert [point for point in POINTS + NARROWING if f"| `{point}` |" not in text] == []
