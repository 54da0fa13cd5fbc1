"""A tenant's settings for myDevices."""

from typing import Self
from urllib.parse import quote

from pydantic import model_validator

from harvester.platforms.base import Options, Secret


class MyDevicesOptions(Options):
    """The user-level client, without a secret if it is a public one, and maybe an admin client."""

    base_url: str = "https://api.mydevices.com"
    client_id: str
    client_secret: Secret | None = None
    auth_url: str = "https://auth.mydevices.com/auth"
    realm: str | None = None
    admin_client_id: str | None = None
    admin_client_secret: Secret | None = None

    @model_validator(mode="after")
    def _whole_admin_or_none(self) -> Self:
        parts = (self.realm, self.admin_client_id, self.admin_client_secret)
        if any(part is not None for part in parts) and not all(parts):
            raise ValueError(
                "an admin client takes realm, admin_client_id and admin_client_secret: "
                "give all three or none"
            )
        return self

    @property
    def user_token_url(self) -> str:
        return f"{self.base_url.rstrip('/')}/v1.0/oauth/token"

    @property
    def admin_token_url(self) -> str:
        realm = quote(self.realm or "", safe="")
        return f"{self.auth_url.rstrip('/')}/realms/{realm}/protocol/openid-connect/token"
