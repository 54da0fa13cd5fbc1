"""What is kept: the key file, the database, and the logins that lie sealed in it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harvester.auth.held import Account, renewable
from harvester.auth.sealed import opened
from harvester.cli.check.findings import Finding, Subject
from harvester.config import Settings, Tenant
from harvester.errors import ConfigError, SealBroken, StoreUnavailable, UserError
from harvester.migrate import pending
from harvester.model import Credentials
from harvester.service.database import NOT_MADE, exists, reached
from harvester.store import reports, tokens
from harvester.store.pool import open_pool
from harvester.vault import KeyRing

if TYPE_CHECKING:
    from harvester.store.pool import Pool

Who = tuple[str, str | None]
"""Tenant and user; None is the tenant's own client."""


@dataclass(frozen=True, slots=True)
class Login:
    """What is kept for an account. Without an access token, why there is none to try."""

    access_token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None
    has_more: bool = False
    """A refresh token or a password, with which the daemon gets another."""
    broken: str | None = None


@dataclass(slots=True)
class Kept:
    """What was found of it, and the logins, as far as they could be read."""

    findings: list[Finding]
    logins: dict[Who, Login] | None = None


async def kept(settings: Settings, now: datetime) -> Kept:
    """Look at the key file and the database. Nothing is made, and nothing is changed."""
    keys, ring = await asyncio.to_thread(_keys, settings)
    subject = Subject("database", _place(settings))
    try:
        database, logins = await _database(settings, subject, ring, now)
    except (UserError, StoreUnavailable) as error:
        return Kept([keys, subject.wrong(str(error))])
    if keys.state == "unknown":
        logins = {}  # nothing can lie there that the daemon will open
    broken = [login.broken for login in (logins or {}).values() if login.broken]
    if broken:
        keys = Subject("keys", keys.name).wrong("; ".join(broken))
    return Kept([keys, database], logins)


def _keys(settings: Settings) -> tuple[Finding, KeyRing | None]:
    path = settings.keys
    subject = Subject("keys", str(path))
    try:
        if settings.key_file is None and not path.exists():
            return subject.unknown("not made yet; harvester run makes it"), None
        return subject.ok("can be read"), KeyRing.load(path)
    except OSError as error:
        return subject.wrong(f"cannot be read: {error.strerror}"), None
    except ConfigError as error:
        return subject.wrong(str(error).removeprefix(f"{path}: ")), None


def _place(settings: Settings) -> str:
    """Where the database is, without the user."""
    if settings.database.dsn is None:
        return "embedded"
    parts = urlsplit(settings.database.dsn)
    return f"{parts.netloc.rpartition('@')[2]}{parts.path}"


async def _database(
    settings: Settings, subject: Subject, ring: KeyRing | None, now: datetime
) -> tuple[Finding, dict[Who, Login] | None]:
    """Raises UserError, StoreUnavailable."""
    if not await asyncio.to_thread(exists, settings):
        return subject.unknown(NOT_MADE), {}
    async with reached(settings) as login, open_pool(login.dsn, login.password) as pool:
        async with pool.acquire() as connection:
            version = connection.get_server_version()
            missing = await pending(connection)
        server = f"Postgres {version.major}.{version.minor}"
        if missing:
            count = f"{len(missing)} migration{'s' if len(missing) > 1 else ''} to apply"
            told = f"{server}; {count}: harvester run or harvester migrate does it"
            return subject.ok(told), None
        logins = await _logins(settings, pool, ring, now) if ring else None
        return subject.ok(f"{server}, up to date"), logins


async def _logins(settings: Settings, pool: Pool, ring: KeyRing, now: datetime) -> dict[Who, Login]:
    tenants = {each.name: each for each in settings.tenants}
    ids = await reports.accounts(pool, list(tenants))
    return {
        (name, user): await _login(
            pool, ring, _account(settings, tenants[name], user, account_id), now
        )
        for (name, user), account_id in ids.items()
    }


def _account(settings: Settings, tenant: Tenant, user: str | None, account_id: int) -> Account:
    return Account(
        account_id=account_id,
        tenant=tenant.name,
        platform=tenant.platform,
        credentials=Credentials(user),
        deployment=settings.deployment,
        owner="",  # nobody's: no lease is taken
    )


async def _login(pool: Pool, ring: KeyRing, account: Account, now: datetime) -> Login:
    """What the account's rows hold, opened as the daemon opens them, and no more than is needed."""
    row = await tokens.load(pool, account.account_id)
    password = await tokens.load_password(pool, account.account_id)
    try:
        if password:
            opened(ring, account, password.key_id, password.password, "password")
        if row is None or row.access_token is None:
            return Login(has_more=password is not None)
        access = opened(ring, account, row.key_id, row.access_token, "access_token")
    except SealBroken as error:
        return Login(broken=str(error))
    has_more = password is not None or renewable(row, now)
    return Login(access, row.expires_at, has_more=has_more)
