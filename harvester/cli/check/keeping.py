"""What is kept: the key file, the database, and the logins that lie sealed in it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harvester import platforms
from harvester.auth.held import Account, Held
from harvester.auth.life import NEEDS_LOGIN, QUARANTINED, Life
from harvester.auth.outlook import Outlook
from harvester.auth.sealed import Vault
from harvester.auth.telling import remedy
from harvester.cli.check.findings import Finding, Subject
from harvester.clock import SystemClock
from harvester.config import Settings
from harvester.errors import ConfigError, StoreUnavailable, TokenError, UserError
from harvester.migrate import pending
from harvester.platforms.base import Access
from harvester.service.credentials import account_of, credentials_of
from harvester.service.database import NOT_MADE, exists, reached
from harvester.store import accounts
from harvester.store.pool import open_pool
from harvester.vault import KeyRing, Keys, OwnKeyFile

if TYPE_CHECKING:
    from harvester.store.pool import Pool

Who = tuple[str, str | None]
"""Tenant and user; None is the tenant's own client."""


@dataclass(frozen=True, slots=True)
class Login:
    """What is kept for an account. `broken` and `stopped` are why it is of no use, if it is."""

    access_token: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None
    has_more: bool = False
    """A refresh token or a password, with which the daemon gets another."""
    outlook: Outlook | None = None
    """Of the token, where there is one."""
    logs_in: bool = False
    """By itself, with a client or a password that was not refused."""
    broken: str | None = None
    stopped: str | None = None
    """It is left alone, or waits for a person: why, and what to do."""


@dataclass(slots=True)
class Kept:
    """What was found of it, and the logins, as far as they could be read."""

    findings: list[Finding]
    logins: dict[Who, Login] | None = None


async def kept(settings: Settings) -> Kept:
    """Look at the key file and the database. Nothing is made, and nothing is changed."""
    keys, ring = await asyncio.to_thread(_keys, settings)
    subject = Subject("database", _place(settings))
    try:
        database, logins = await _database(settings, subject, ring)
    except (UserError, StoreUnavailable) as error:
        return Kept([keys, subject.wrong(str(error))])
    if keys.state == "unknown":
        logins = {}  # nothing can lie there that the daemon will open
    broken = [login.broken for login in (logins or {}).values() if login.broken]
    if broken:
        keys = Subject("keys", keys.name).wrong("; ".join(broken))
    return Kept([keys, database], logins)


def _keys(settings: Settings) -> tuple[Finding, KeyRing | None]:
    source = settings.keys
    subject = Subject("keys", str(source))
    try:
        if isinstance(source, OwnKeyFile) and not source.path.exists():
            return subject.unknown("not made yet; harvester run makes it"), None
        return subject.ok("can be read"), source.load()
    except OSError as error:
        return subject.wrong(f"cannot be read: {error.strerror}"), None
    except ConfigError as error:
        return subject.wrong(str(error).removeprefix(f"{source}: ")), None


def _place(settings: Settings) -> str:
    """Where the database is, without the user."""
    if settings.database.dsn is None:
        return "embedded"
    parts = urlsplit(settings.database.dsn)
    return f"{parts.netloc.rpartition('@')[2]}{parts.path}"


async def _database(
    settings: Settings, subject: Subject, ring: KeyRing | None
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
        logins = await _logins(settings, pool, ring) if ring else None
        return subject.ok(f"{server}, up to date"), logins


async def _logins(settings: Settings, pool: Pool, ring: KeyRing) -> dict[Who, Login]:
    clock = SystemClock()
    keys = Keys(lambda: ring, clock)
    ids = await accounts.ids(pool, [each.name for each in settings.tenants])
    logins = {}
    for tenant in settings.tenants:
        adapter = platforms.adapter(tenant.platform)(tenant.options)
        for credentials in credentials_of(tenant, adapter):
            who = (tenant.name, credentials.user)
            if who in ids:
                account = account_of(
                    tenant,
                    credentials,
                    ids[who],
                    deployment=settings.deployment,
                    owner="",  # nobody's: no lease is taken
                )
                vault = Vault(account, pool, keys)
                logins[who] = await _login(account, adapter, vault, clock.now())
    return logins


async def _login(account: Account, adapter: Access, vault: Vault, now: datetime) -> Login:
    """What the account's row holds, opened as the daemon opens it."""
    try:
        kept = await vault.load()
        password = await vault.password(kept)
    except TokenError as error:
        return Login(broken=str(error))
    credentials, life = account.credentials, kept.life.known_with(account.digest)
    has_password = (password or credentials.password) is not None
    logs_in = (credentials.user is None or has_password) and life.refused is None
    stopped = _stopped(account, life, has_more=logs_in or not credentials.is_empty)
    login = Login(has_more=password is not None, logs_in=logs_in, stopped=stopped)
    if kept.held is None:
        return login
    return _holding(login, kept.held, now, reusable=adapter.reuses_refresh_tokens)


def _holding(login: Login, held: Held, now: datetime, *, reusable: bool) -> Login:
    outlook = Outlook.of(held, logs_in=login.logs_in, reusable=reusable)
    renews = outlook.renewable and (held.refresh_ends_at is None or held.refresh_ends_at > now)
    return replace(
        login,
        access_token=held.token.access_token,
        expires_at=held.token.expires_at,
        has_more=login.has_more or renews,
        outlook=outlook,
    )


def _stopped(account: Account, life: Life, *, has_more: bool) -> str | None:
    """Who needs a login, and has by now what it takes to make it, needs no person."""
    if not life.is_stopped or (life.state == NEEDS_LOGIN and life.refused is None and has_more):
        return None
    what = "left alone" if life.state == QUARANTINED else "needs a login"
    mends = remedy(account.tenant, account.credentials.user, life.state)
    return f"{what}, {life.reason}: {mends}"
