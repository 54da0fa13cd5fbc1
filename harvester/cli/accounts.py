"""Accounts by hand: log one in with a password typed here, or log it out."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import typer

from harvester import platforms, shown
from harvester.auth import Account, by_hand
from harvester.auth.sealed import PATIENCE, Vault
from harvester.cli.given import chosen, configured
from harvester.clock import SystemClock
from harvester.config import Settings, Tenant
from harvester.config.references import secret_file
from harvester.errors import (
    ConfigError,
    CredentialRefused,
    PlatformError,
    ServerFailed,
    StoreUnavailable,
    Throttled,
    TokenError,
    UserError,
)
from harvester.model import Credentials, Token
from harvester.service.credentials import account_of
from harvester.service.database import exists
from harvester.service.house import House, opened
from harvester.service.tenant import client_of
from harvester.store import accounts, catalog

_EXIT_CODES = (
    (CredentialRefused, os.EX_NOPERM),
    (TokenError, os.EX_TEMPFAIL),  # another instance renews it just now
    (Throttled, os.EX_TEMPFAIL),
    (ServerFailed, os.EX_TEMPFAIL),
    (PlatformError, os.EX_UNAVAILABLE),
)


@dataclass(frozen=True, slots=True)
class _Configured:
    """One account as the configuration has it."""

    settings: Settings
    tenant: Tenant
    user: str

    @property
    def key(self) -> str | None:
        """Of what the configuration has for the daemon to log in with, as "password"."""
        [account] = [each for each in self.tenant.accounts if each.user == self.user]
        return next(iter(account.secrets), None)


def login(
    config_file: Path, tenant: str, user: str, password_file: Path | None, *, keep_password: bool
) -> None:
    """With a password from the file, or typed. Raises UserError."""
    account = _configured(config_file, tenant, user)
    credentials = Credentials(user, _password(account, password_file))
    token = asyncio.run(_log_in(account, credentials, keep_password))
    until = shown.instant(token.expires_at) if token.expires_at else "the platform refuses it"
    typer.echo(
        f"{tenant}/{user} is logged in; its token lasts until {until}. A running daemon takes it "
        "up by itself when it next works the tenant."
    )
    if keep_password:
        typer.echo("Its password is kept, sealed.")
    elif account.key != "password":
        typer.echo("Its password is not kept: log in again once the token can be renewed no more.")
    if keep_password and account.key:
        typer.echo(f"The configuration has {account.key} too, and it is used, not the kept one.")


def logout(config_file: Path, tenant: str, user: str) -> None:
    """At the platform where it can be done, and here. Raises UserError."""
    account = _configured(config_file, tenant, user)
    ended, kept = asyncio.run(_log_out(account))
    if not kept:
        typer.echo(f"{tenant}/{user}: neither token nor password was kept.")
    elif ended:
        typer.echo(
            f"{tenant}/{user} is logged out, here and at {account.tenant.platform}: its token and "
            "kept password are forgotten."
        )
    else:
        typer.echo(
            f"{tenant}/{user} is logged out here: its token and kept password are forgotten. Its "
            f"session at {account.tenant.platform} lives on until it ends by itself, and a daemon "
            "that holds the token uses it until then: restart the daemon to stop that."
        )
    if account.key:
        typer.echo(
            f"The configuration has {account.key} for this user, with which the daemon goes on: "
            "take it out to prevent that."
        )


def _configured(config_file: Path, tenant: str, user: str) -> _Configured:
    """Raises UserError for a wrong configuration, and refuses names that are not in it."""
    settings, [found] = configured(config_file, tenant)
    if not found.accounts:
        raise UserError(
            f"{config_file}: tenant {tenant} has no accounts; add a [[tenant.account]] with "
            "this user.",
            os.EX_USAGE,
        )
    chosen(user, [each.user for each in found.accounts], what=f"user of {tenant}", hint="USER")
    return _Configured(settings, found, user)


def _password(account: _Configured, password_file: Path | None) -> str:
    """As a file says it, or as it is typed. Raises UserError."""
    if password_file is not None:
        try:  # a pipe is waited for: the person who named it is there
            return secret_file(password_file, "password", lambda path: path.open("rb"))
        except ConfigError as error:
            raise UserError(f"--password-file: {error}", os.EX_NOINPUT) from None
    if not sys.stdin.isatty():
        raise UserError(
            "There is no terminal to ask for the password on: give it with --password-file FILE.",
            os.EX_USAGE,
        )
    asked = f"Password of {account.user} at {account.tenant.platform}"
    return str(typer.prompt(asked, hide_input=True, err=True))


async def _log_in(wanted: _Configured, credentials: Credentials, keep: bool) -> Token:
    tenant = wanted.tenant
    adapter = platforms.adapter(tenant.platform)(tenant.options)
    async with (
        _opened(wanted) as house,
        client_of(tenant, house.clock, concurrency=1) as client,
    ):
        tenant_id = await catalog.tenant(house.pool, tenant.name, tenant.platform)
        account_id = await catalog.account(house.pool, tenant_id, wanted.user)
        account, vault = _vault(wanted, house, account_id, credentials)
        with _told(account):
            return await by_hand.log_in(
                account, adapter, client, vault, house.clock, keep_password=keep, waits=_waits
            )


async def _log_out(wanted: _Configured) -> tuple[bool, bool]:
    """Whether it was ended at the platform, and whether anything was kept."""
    if not await asyncio.to_thread(exists, wanted.settings):
        return False, False
    tenant = wanted.tenant
    adapter = platforms.adapter(tenant.platform)(tenant.options)
    async with (
        _opened(wanted) as house,
        client_of(tenant, house.clock, concurrency=1) as client,
    ):
        known = await accounts.ids(house.pool, [tenant.name])
        account_id = known.get((tenant.name, wanted.user))
        if account_id is None:
            return False, False
        account, vault = _vault(wanted, house, account_id, Credentials(wanted.user))
        with _told(account):
            return await by_hand.log_out(account, adapter, client, vault, house.clock, waits=_waits)


def _opened(wanted: _Configured) -> AbstractAsyncContextManager[House]:
    """The daemon's own database, for an instance beside the daemon."""
    owner = f"by hand {uuid4()}"
    return opened(wanted.settings, SystemClock(), owner, upgrades=False)


def _vault(
    wanted: _Configured, house: House, account_id: int, credentials: Credentials
) -> tuple[Account, Vault]:
    account = account_of(
        wanted.tenant, credentials, account_id, deployment=house.deployment, owner=house.owner
    )
    return account, Vault(account, house.pool, house.keys)


def _waits() -> None:
    typer.echo(
        f"Another instance has the account in hand just now; waiting for up to {PATIENCE:.0f} s.",
        err=True,
    )


@contextmanager
def _told(account: Account) -> Iterator[None]:
    """A platform's refusal as a sentence with its exit code."""
    try:
        yield
    except PlatformError as error:
        code = next(code for kind, code in _EXIT_CODES if isinstance(error, kind))
        advice = "Try again later."
        if isinstance(error, CredentialRefused):
            advice = (
                "It was tried once; what the reason means stands in "
                f"docs/platforms/{account.platform}.md."
            )
        raise UserError(
            f"Nothing was changed for {account.name}: {error}. {advice}", code
        ) from error
    except StoreUnavailable as error:
        raise UserError(
            f"Perhaps nothing was saved for {account.name}: {error}. Do it again once the "
            "database is back.",
            os.EX_UNAVAILABLE,
        ) from error
