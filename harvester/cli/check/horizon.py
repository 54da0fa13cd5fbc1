"""Who would need a person, had the daemon been down until some instant; nobody is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from harvester import platforms, shown
from harvester.auth.held import account_name
from harvester.auth.telling import login_command
from harvester.cli.check.findings import Finding, Subject
from harvester.cli.check.keeping import Login, Who
from harvester.config import Settings
from harvester.model import Credentials
from harvester.service.credentials import credentials_of


def horizons(
    settings: Settings, logins: Mapping[Who, Login] | None, until: datetime
) -> Iterator[Finding]:
    """A finding for each account; `logins` is None where none could be read."""
    for tenant in settings.tenants:
        adapter = platforms.adapter(tenant.platform)(tenant.options)
        for credentials in credentials_of(tenant, adapter):
            subject = Subject("account", account_name(tenant.name, credentials.user))
            if logins is None:
                yield subject.unknown("its login cannot be read")
            else:
                login = logins.get((tenant.name, credentials.user)) or _unseen(credentials)
                yield _horizon(subject, tenant.name, credentials, login, until)


def _unseen(credentials: Credentials) -> Login:
    return Login(logs_in=credentials.user is None or credentials.password is not None)


def _horizon(
    subject: Subject, tenant: str, credentials: Credentials, login: Login, until: datetime
) -> Finding:
    if login.broken:
        return subject.unknown("its login cannot be opened")
    if login.stopped:
        return subject.wrong(login.stopped)
    if login.logs_in:
        what = "its password" if credentials.user is not None else "the tenant's client"
        return subject.ok(f"needs nobody: {what} logs it in again")
    if login.outlook is None:
        return _without_token(subject, tenant, credentials)
    what = "refresh token" if login.outlook.renewable else "token"
    end = login.outlook.unattended_until
    if end is None:
        return subject.unknown(f"nobody knows when its {what} ends")
    if end > until:
        return subject.ok(f"needs nobody: its {what} lasts until {shown.instant(end)}")
    return subject.wrong(f"its {what} ends {shown.instant(end)}; {_advice(tenant, credentials)}")


def _without_token(subject: Subject, tenant: str, credentials: Credentials) -> Finding:
    if not credentials.is_empty:
        return subject.unknown("nobody knows when its configured token ends, until it is used")
    return subject.wrong(f"no token is held; {_advice(tenant, credentials)}")


def _advice(tenant: str, credentials: Credentials) -> str:
    """Afterwards; where a token is configured, another one would do as well."""
    command = login_command(tenant, credentials.user or "")
    if credentials.is_empty:
        return f"then {command}, or keep a password before: --keep-password"
    return f"then give it another one in the configuration, or {command}"
