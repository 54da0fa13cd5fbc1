"""However many ask across an expiry, in however many daemons: one renewal."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from asking import digest_of
from fix_platforms import Stage, staged
from fix_postgres import Database
from persons import log_in

from harvester.store.pool import open_pool

DAY = timedelta(days=1)
CALLERS = 200
SCRIPT = Path(__file__).parent.parent / "asking.py"


@pytest.fixture
async def stage(database: Database) -> AsyncIterator[Stage]:
    """Ana's access token has ended, and her refresh token serves once."""
    async with (
        open_pool(database.dsn, database.password) as pool,
        staged("mydevices", pool, quirk="rotating refresh tokens") as stage,
    ):
        await log_in(stage)
        stage.clock.advance(DAY)
        yield stage


async def test_two_daemons_with_hundreds_of_callers_make_one_renewal(stage: Stage) -> None:
    keepers = [await stage.keeper(owner=owner) for owner in ("one", "two")]
    asking = (keepers[n % 2].token() for n in range(2 * CALLERS))
    tokens = await asyncio.gather(*asking)
    assert len({token.access_token for token in tokens}) == 1
    assert stage.fake.token_calls == {"password": 1, "refresh_token": 1}
    assert stage.fake.violations == []


async def test_as_many_in_two_processes_make_one_renewal_too(
    stage: Stage, database: Database
) -> None:
    async with AsyncExitStack() as stack:
        running = [
            await stack.enter_async_context(process(stage, database, owner))
            for owner in ("one", "two")
        ]
        given = await asyncio.gather(*(asked(each) for each in running))
    newest = digest_of((await (await stage.keeper()).token()).access_token)
    assert given == [{newest: CALLERS}] * 2
    assert stage.fake.token_calls == {"password": 1, "refresh_token": 1}
    assert stage.fake.violations == []


@asynccontextmanager
async def process(stage: Stage, database: Database, owner: str) -> AsyncIterator[Process]:
    """One that is ready to begin."""
    path = os.pathsep.join([str(SCRIPT.parent), str(SCRIPT.parent.parent)])
    running = await asyncio.create_subprocess_exec(
        sys.executable, str(SCRIPT), stdin=PIPE, stdout=PIPE, env={**os.environ, "PYTHONPATH": path}
    )
    assert running.stdin and running.stdout
    try:
        running.stdin.write(json.dumps(await told(stage, database, owner)).encode() + b"\n")
        assert await running.stdout.readline() == b"ready\n"
        yield running
    finally:
        if running.returncode is None:
            running.kill()
        await running.wait()


async def asked(running: Process) -> dict[str, int]:
    """What all callers of a process were given, once it may begin."""
    said, _ = await running.communicate(b"go\n")
    given: dict[str, int] = json.loads(said)
    return given


async def told(stage: Stage, database: Database, owner: str) -> dict[str, object]:
    options = stage.options.model_dump(include={"base_url", "client_id"})
    return {
        "dsn": database.dsn,
        "database_password": database.password,
        "url": stage.fake.url,
        "platform": stage.platform,
        "options": options,
        "secret": stage.tenant.user_client.secret,
        "user": stage.ana.name,
        "password": stage.ana.password,
        "account_id": await stage.account(stage.ana.name),
        "owner": owner,
        "folder": str(stage.spills / owner),
        "now": stage.clock.now().isoformat(),
        "callers": CALLERS,
    }
