"""A tenant's settings for DeviceHive."""

from harvester.platforms.base import Options


class DeviceHiveOptions(Options):
    """Where the API is and, if it is another place, the auth service: both with `/rest`."""

    auth_url: str | None = None

    @property
    def login_url(self) -> str:
        return f"{(self.auth_url or self.base_url).rstrip('/')}/token"

    @property
    def refresh_url(self) -> str:
        return f"{self.login_url}/refresh"

    @property
    def create_url(self) -> str:
        return f"{self.login_url}/create"
