"""Who logs in at a tenant's platform, and whose tokens come of it."""

from __future__ import annotations

from pydantic import SecretStr

from harvester.auth.held import Account, digest
from harvester.config import Tenant
from harvester.model import Credentials
from harvester.platforms.base import Access


def credentials_of(settings: Tenant, adapter: Access) -> list[Credentials]:
    """The users as configured, then the tenant's own client where it has one."""
    users = [
        Credentials(
            each.user,
            _revealed(each.password),
            refresh_token=_revealed(each.refresh_token),
            access_token=_revealed(each.access_token),
        )
        for each in settings.accounts
    ]
    return users + ([Credentials(None)] if adapter.own_client else [])


def account_of(
    settings: Tenant, credentials: Credentials, account_id: int, *, deployment: str, owner: str
) -> Account:
    """The account of these credentials, by its id in the database."""
    return Account(
        account_id=account_id,
        tenant=settings.name,
        platform=settings.platform,
        credentials=credentials,
        deployment=deployment,
        owner=owner,
        digest=digest(settings.options, credentials),
    )


def _revealed(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None
