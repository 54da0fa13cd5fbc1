"""A tenant's settings for DeviceHive."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal

from annotated_types import Ge

from harvester.durations import Duration
from harvester.model import TaskState
from harvester.platforms.base import Options


class DeviceHiveOptions(Options):
    """Where the API is and, if it is another place, the auth service: both with `/rest`.

    `retention` is how long the installation keeps notifications and commands. `generation` of the
    server is found out where it is not given.
    """

    auth_url: str | None = None
    websocket_url: str | None = None
    ingest: Literal["polling", "websocket"] = "polling"
    retention: Annotated[Duration, Ge(timedelta(seconds=15))] = timedelta(seconds=120)
    generation: Literal["3", "4"] | None = None
    measuring_commands: tuple[str, ...] = ("*/read",)
    """Shell patterns of the commands whose results are readings."""
    command_states: Mapping[str, TaskState] = {}
    """What words of this installation's devices mean, in any case, beside those that we know."""

    @property
    def login_url(self) -> str:
        return f"{(self.auth_url or self.base_url).rstrip('/')}/token"

    @property
    def refresh_url(self) -> str:
        return f"{self.login_url}/refresh"

    @property
    def create_url(self) -> str:
        return f"{self.login_url}/create"
