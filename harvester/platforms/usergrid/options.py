"""A tenant's settings for Usergrid."""

from typing import Annotated, Literal, Self
from urllib.parse import quote

from pydantic import Field, model_validator

from harvester.platforms.base import Options, Secret

Name = Annotated[str, Field(min_length=1)]


class UsergridOptions(Options):
    """An application, the level its accounts log in at, and maybe a client of that level.

    Every installation has its own `base_url`. `ttl_seconds` is asked for with each login; without
    it the installation decides, and with a larger one than it allows no login succeeds.
    """

    organization: Name
    application: Name
    level: Literal["application", "management"] = "application"
    client_id: Name | None = None
    client_secret: Secret | None = None
    ttl_seconds: Annotated[int, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _whole_client_or_none(self) -> Self:
        if (self.client_id is None) is not (self.client_secret is None):
            raise ValueError("a client takes client_id and client_secret: give both or none")
        return self

    @property
    def level_url(self) -> str:
        """Below this are the users of the level, and its tokens."""
        base = self.base_url.rstrip("/")
        if self.level == "management":
            return f"{base}/management"
        return f"{base}/{quote(self.organization, safe='')}/{quote(self.application, safe='')}"
