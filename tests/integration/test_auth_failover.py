"""A database that loses what it committed, by a failover to a late standby or a restore."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from accessed import standing
from fix_platforms import Stage, staged
from fix_postgres import Connection, Database
from persons import log_out

from harvester.errors import CredentialRefused, StoreUnavailable
from harvester.model import Credentials
from harvester.store import credentials
from harvester.store.pool import open_pool

if TYPE_CHECKING:
    from harvester.store.pool import Pool

DAY = timedelta(days=1)

_ROW = "select to_jsonb(c)::text from vault.credential c where account_id = $1"
_PUT = """
insert into vault.credential
select (jsonb_populate_record(null::vault.credential, $1::text::jsonb)).*
"""
_NOTING = """
create table public.seen (how text);
create function public.see() returns trigger language plpgsql as $$
begin insert into public.seen values (current_setting('synchronous_commit')); return null; end $$;
create trigger seen after update of generation on vault.credential
for each row execute function public.see();
do $$ begin
    execute format('alter database %I set synchronous_commit = {setting}', current_database());
end $$;
"""


@pytest.fixture
async def stage(pool: Pool) -> AsyncIterator[Stage]:
    async with staged("mydevices", pool, quirk="rotating refresh tokens") as stage:
        yield stage


@asynccontextmanager
async def lost(stage: Stage) -> AsyncIterator[None]:
    """What is committed of Ana's row in here is gone afterwards."""
    account_id = await stage.account(stage.ana.name)
    row = await stage.pool.fetchval(_ROW, account_id)
    yield
    await stage.pool.execute("delete from vault.credential where account_id = $1", account_id)
    await stage.pool.execute(_PUT, row)


async def test_a_running_daemon_sends_no_older_refresh_token_after_a_failover(
    stage: Stage,
) -> None:
    keeper = await stage.keeper()
    first = await keeper.token()
    async with lost(stage):
        second = await keeper.replace(first)
    stage.clock.advance(DAY)
    third = await keeper.token()
    assert third not in (first, second)
    assert await (await stage.keeper(owner="two")).token() == third
    assert stage.fake.token_calls == {"password": 1, "refresh_token": 2}
    assert stage.fake.violations == []


async def test_no_older_token_is_handed_out_in_the_place_of_a_refused_one(stage: Stage) -> None:
    keeper = await stage.keeper()
    first = await keeper.token()
    async with lost(stage):
        second = await keeper.replace(first)
    third = await keeper.replace(second)
    assert third not in (first, second)
    assert stage.fake.token_calls == {"password": 1, "refresh_token": 2}
    assert stage.fake.violations == []


@pytest.mark.parametrize(
    ("setting", "kept"), [("off", "local"), ("local", "local"), ("remote_apply", "remote_apply")]
)
async def test_a_token_is_on_disk_when_it_is_committed_whatever_the_server_is_set_to(
    database: Database, connection: Connection, setting: str, kept: str
) -> None:
    await connection.execute(_NOTING.format(setting=setting))
    async with (
        open_pool(database.dsn, database.password) as pool,
        staged("mydevices", pool) as stage,
    ):
        await (await stage.keeper()).token()
    assert await connection.fetchval("select array_agg(how) from public.seen") == [kept]


async def test_a_first_token_that_the_database_never_had_is_logged_out_too(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise StoreUnavailable("away")

    with monkeypatch.context() as outage:
        outage.setattr(credentials, "save", away)
        assert await (await stage.keeper()).token()
    assert not await log_out(stage), "nothing of it is in the database"
    with pytest.raises(CredentialRefused):
        await (await stage.keeper(Credentials(stage.ana.name))).token()
    assert await standing(stage, stage.ana.name) == ("needs_login", "logged_out")
    assert list((stage.spills / "one").iterdir()) == []
