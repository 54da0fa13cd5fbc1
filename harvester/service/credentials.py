"""Who logs in at a tenant's platform."""

from __future__ import annotations

from pydantic import SecretStr

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


def _revealed(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None
