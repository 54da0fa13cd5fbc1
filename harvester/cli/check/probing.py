"""Platforms asked for any answer, and held tokens tried with one read."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

import aiohttp

from harvester import platforms
from harvester.auth.blame import forbidden, is_token_dead
from harvester.auth.held import account_name
from harvester.auth.telling import login_command
from harvester.cli.check.findings import Finding, Subject
from harvester.cli.check.keeping import Login, Who
from harvester.client import Client
from harvester.clock import Clock
from harvester.config import Tenant
from harvester.errors import Forbidden, Malformed, PlatformError, TransientError, Unauthorized
from harvester.model import Credentials, Discovered
from harvester.platforms.base import Access, Params, Platform
from harvester.service.credentials import credentials_of
from harvester.service.tenant import client_of

PATIENCE = 10.0
"""Seconds of a platform to answer, and of an account's read."""
UNTIL_LOGIN = "unknown until login"
NO_DEVICE = "no device is to be seen"
MISSING = "a permission is missing"


class HeldToken:
    """Reads with one token: `platforms.base.Api`. It is never renewed, and nobody logs in.

    `forbidden` is what it may not read, as last told.
    """

    def __init__(
        self, client: Client, adapter: Access, credentials: Credentials, access_token: str
    ) -> None:
        self._client = client
        self._adapter = adapter
        self._credentials = credentials
        self._access_token = access_token
        self.forbidden: Forbidden | None = None

    async def get(self, path: str, params: Params | None = None) -> object:
        """Raises Unauthorized where the token is no good, or nobody can tell whether it is."""
        try:
            return await self._read(path, params)
        except Forbidden as error:
            self.forbidden = error
            raise
        except Unauthorized as error:
            refusal = error
        if await is_token_dead(self._adapter, self._credentials, refusal, self._read) is not False:
            raise refusal
        self.forbidden = forbidden(refusal)
        raise self.forbidden

    async def _read(self, path: str, params: Params | None = None) -> object:
        return await self._client.get(path, params, self._bearer)

    async def _bearer(self) -> str:
        return self._access_token


async def probed(tenant: Tenant, logins: dict[Who, Login] | None, clock: Clock) -> list[Finding]:
    """The platform of a tenant, then its accounts; `logins` is None where none could be read."""
    adapter = platforms.adapter(tenant.platform)(tenant.options)
    platform = await _answering(tenant)
    async with client_of(tenant, clock, concurrency=1) as client:
        accounts = [
            _account(tenant, client, each, logins, clock, tried=platform.state == "ok")
            for each in credentials_of(tenant, adapter)
        ]
        return [platform, *await asyncio.gather(*accounts)]


async def _answering(tenant: Tenant) -> Finding:
    """Whether the base URL gives any HTTP answer."""
    subject, url = Subject("platform", tenant.name), tenant.options.base_url
    timeout = aiohttp.ClientTimeout(total=PATIENCE)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(url, allow_redirects=False),
        ):
            return subject.ok(f"{url} answers")
    except (aiohttp.ClientError, OSError) as error:
        return subject.wrong(f"{url} {_trouble(error)}")


def _trouble(error: Exception) -> str:
    match error:
        case TimeoutError():
            return f"gave no answer within {PATIENCE:.0f} s"
        case aiohttp.ClientConnectorCertificateError(certificate_error=ssl.SSLError() as cause):
            return f"has a certificate that is not to be trusted: {_said(cause)}"
        case aiohttp.ClientSSLError():
            return f"does not speak TLS as we do: {_said(error.os_error)}"
        case aiohttp.ClientConnectorError():
            return f"cannot be reached: {_said(error.os_error)}"
    return f"gave no answer in HTTP: {type(error).__name__}"


def _said(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return getattr(error, "strerror", None) or str(error)


async def _account(
    tenant: Tenant,
    client: Client,
    credentials: Credentials,
    logins: dict[Who, Login] | None,
    clock: Clock,
    *,
    tried: bool,
) -> Finding:
    subject = Subject("account", account_name(tenant.name, credentials.user))
    if logins is None:
        return subject.unknown("its login cannot be read")
    login = logins.get((tenant.name, credentials.user), Login())
    if login.broken:
        return subject.unknown(f"its login cannot be opened; {UNTIL_LOGIN}")
    if login.stopped:
        return subject.wrong(login.stopped)
    if login.access_token is None:
        return _ended(subject, "no token is held", UNTIL_LOGIN, tenant, credentials, login)
    if login.expires_at is not None and login.expires_at <= clock.now():
        return _ended(subject, "its token has expired", UNTIL_LOGIN, tenant, credentials, login)
    if not tried:
        return subject.unknown("its token was not tried, as the platform does not answer")
    adapter = platforms.adapter(tenant.platform)(tenant.options)
    api = HeldToken(client, adapter, credentials, login.access_token)
    try:
        return await _tried(subject, adapter, api, credentials)
    except Unauthorized:
        told = "its token is refused"
        return _ended(subject, told, "the daemon will renew it", tenant, credentials, login)


def _ended(
    subject: Subject,
    told: str,
    comes: str,
    tenant: Tenant,
    credentials: Credentials,
    login: Login,
) -> Finding:
    """A token that serves no more: a fault where the daemon has nothing to get another with."""
    if login.has_more or not credentials.is_empty:
        return subject.unknown(f"{told}; {comes}")
    command = login_command(tenant.name, credentials.user or "")
    return subject.wrong(
        f"{told}, and there is neither a password nor a way to renew it: {command}"
    )


async def _tried(
    subject: Subject, adapter: Platform, api: HeldToken, credentials: Credentials
) -> Finding:
    """Raises Unauthorized."""
    try:
        first = await _first(adapter, api, credentials)
    except Unauthorized:
        raise
    except Forbidden as error:
        return _forbidden(subject, error)
    except (TransientError, TimeoutError) as error:
        return subject.unknown(f"its token could not be tried: {error or 'no answer in time'}")
    except Malformed as error:
        return subject.wrong(f"its token reads what is not understood: {error}")
    except PlatformError as error:
        return subject.wrong(str(error))
    return _read(subject, api, first)


async def _first(platform: Platform, api: HeldToken, who: Credentials) -> Discovered | None:
    """What a discovery finds first. Raises TimeoutError, and what the discovery raises."""
    # An adapter's discovery is a generator: closed, it asks no more.
    found = cast("AsyncGenerator[Discovered]", platform.discover(api, who))
    async with asyncio.timeout(PATIENCE), aclosing(found):
        return await anext(found, None)


def _read(subject: Subject, api: HeldToken, first: Discovered | None) -> Finding:
    if first is None and api.forbidden is not None:  # an adapter goes on with what it may read
        return _forbidden(subject, api.forbidden)
    if api.forbidden is not None and api.forbidden.status == 401:
        return subject.ok(f"its token reads, but {MISSING}: {api.forbidden}")
    return subject.ok("its token reads" if _sees(first) else f"its token reads; {NO_DEVICE}")


def _forbidden(subject: Subject, error: Forbidden) -> Finding:
    """Of 403 and 404 nobody knows what the token is worth."""
    told = f"its token is good, but {MISSING}" if error.status == 401 else "its token may not read"
    return subject.wrong(f"{told}: {error}")


def _sees(first: Discovered | None) -> bool:
    """Where devices appear with their readings only, there is a feed of all of them."""
    if first is None:
        return False
    return first.device is not None or any(feed.stream == "readings" for feed in first.feeds)
