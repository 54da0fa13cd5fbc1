"""What accounts had in the vault before there was one row for each goes on serving."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from fix_platforms import NOW, ring
from fix_postgres import Database, Postgres

from harvester import migrate as room
from harvester.auth.held import Account
from harvester.auth.sealed import Kept, Vault
from harvester.clock import SystemClock
from harvester.migrate import migrate, migrations
from harvester.model import Credentials
from harvester.vault import Context, Keys

BEFORE = 6
"""The last file under which tokens and passwords lay in tables of their own."""
OLD = """
insert into harvester_data.tenant (name, platform) values ('acme', 'mydevices');
insert into harvester_data.account (tenant_id, user_name) values (1, 'ana'), (1, 'bo'), (1, 'cy');
"""
TOKEN = "insert into vault.token values ($1, $2, 'k', $3, $4, $5, $6, $7)"
PASSWORD = "insert into vault.password values ($1, 'k', $2, $3)"
DAY = timedelta(days=1)


def sealed(text: str, user: str, field: str) -> bytes:
    return ring().seal(text, Context("test", "acme", user, field)).data


async def filled(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ana has a token and a password, Bo was logged out, of Cy only a password is kept."""
    files = await asyncio.to_thread(migrations)
    async with database.connected() as connection:
        with monkeypatch.context() as before:
            before.setattr(room, "migrations", lambda: files[:BEFORE])
            await migrate(connection)
        await connection.execute(OLD)
        access, refresh = (sealed(f, "ana", f) for f in ("access_token", "refresh_token"))
        await connection.execute(TOKEN, 1, 7, access, NOW + DAY, refresh, NOW + 2 * DAY, NOW)
        await connection.execute(TOKEN, 2, 3, None, None, None, None, NOW)
        for number, user in ((1, "ana"), (3, "cy")):
            await connection.execute(PASSWORD, number, sealed("hunter2", user, "password"), NOW)
        assert len(await migrate(connection)) == len(files) - BEFORE


async def kept(database: Database, number: int, user: str) -> tuple[Kept, str | None]:
    account = Account(number, "acme", "mydevices", Credentials(user), "test", "one")
    async with database.pooled() as pool:
        vault = Vault(account, pool, Keys(ring, SystemClock()))
        found = await vault.load()
        return found, await vault.password(found)


async def test_tokens_and_passwords_of_before_still_serve(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with postgres.made("template1") as database:
        await filled(database, monkeypatch)
        ana, password = await kept(database, 1, "ana")
        assert ana.held and ana.life.state == "active"
        token = ana.held.token
        assert (token.access_token, token.refresh_token) == ("access_token", "refresh_token")
        assert (token.expires_at, token.refresh_expires_at) == (NOW + DAY, NOW + 2 * DAY)
        assert (ana.generation, ana.held.since, password) == (7, NOW, "hunter2")
        bo, password = await kept(database, 2, "bo")
        assert (bo.life.state, bo.life.reason) == ("needs_login", "logged_out")
        assert (bo.generation, bo.held, password) == (3, None, None)
        cy, password = await kept(database, 3, "cy")
        assert (cy.held, password) == (None, "hunter2")
