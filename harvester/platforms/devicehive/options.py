"""A tenant's settings for DeviceHive."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, model_validator

from harvester.durations import Duration
from harvester.model import TaskState
from harvester.platforms.base import Options

_REST = "/rest"
_SHORTEST = timedelta(seconds=15)
"""Kept for less, messages would be gone between two polls that are a third of it apart."""


def _long_enough(retention: timedelta) -> timedelta:
    if retention < _SHORTEST:
        raise ValueError('takes "15s" or longer: nobody can be asked often enough for less')
    return retention


class DeviceHiveOptions(Options):
    """Where the API is and, if it is another place, the auth service: both with `/rest`.

    `retention` is how long the installation keeps notifications and commands. `generation` of the
    server is found out where it is not given.
    """

    auth_url: str | None = None
    websocket_url: str | None = None
    ingest: Literal["polling", "websocket"] = "polling"
    retention: Annotated[Duration, AfterValidator(_long_enough)] = timedelta(seconds=120)
    generation: Literal["3", "4"] | None = None
    measuring_commands: tuple[str, ...] = ("*/read",)
    """Shell patterns of the commands whose results are readings."""
    command_states: Mapping[str, TaskState] = {}
    """What words of this installation's devices mean, in any case, beside those that we know."""

    @model_validator(mode="after")
    def _socket_is_known(self) -> Self:
        is_beside = self.base_url.rstrip("/").endswith(_REST)
        if self.ingest == "websocket" and not (self.websocket_url or is_beside):
            raise ValueError(
                "give a websocket_url: base_url, which does not end in /rest, tells none"
            )
        return self

    @property
    def login_url(self) -> str:
        return f"{(self.auth_url or self.base_url).rstrip('/')}/token"

    @property
    def refresh_url(self) -> str:
        return f"{self.login_url}/refresh"

    @property
    def create_url(self) -> str:
        return f"{self.login_url}/create"

    @property
    def socket_url(self) -> str:
        """As it is configured, or beside the API."""
        beside = urlsplit(self.base_url.rstrip("/").removesuffix(_REST) + "/websocket")
        scheme = "ws" if beside.scheme == "http" else "wss"
        return self.websocket_url or beside._replace(scheme=scheme).geturl()
