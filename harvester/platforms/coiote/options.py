"""A tenant's settings for Coiote."""

import re
from datetime import timedelta
from typing import Annotated, Self
from urllib.parse import quote

from pydantic import (
    AfterValidator,
    Field,
    PlainValidator,
    SecretStr,
    field_validator,
    model_validator,
)

from harvester.durations import Duration
from harvester.platforms.base import Options, Secret

SECRET_FIELDS = frozenset(
    {
        "actor_token",
        "assertion",
        "client_assertion",
        "client_secret",
        "password",
        "refresh_token",
        "subject_token",
    }
)
"""Fields of RFC 6749, 7521 and 8693 that let somebody in: by reference only."""


def _field(value: object) -> object:
    if not isinstance(value, str | SecretStr):
        raise ValueError("takes a text in quotes, or a secret by reference")
    return value


FormField = Annotated[str | SecretStr, PlainValidator(_field)]
Text = Annotated[str, Field(min_length=1)]

_RESOURCE = re.compile(r"\d{1,5}/\d{1,5}/\d{1,5}", re.ASCII)


def _resource(value: str) -> str:
    if not _RESOURCE.fullmatch(value) or not int(value.partition("/")[0]):  # keys are in object 0
        raise ValueError('takes the path of a resource, such as "3/0/9"')
    return value


ResourcePath = Annotated[str, AfterValidator(_resource)]
"""Object, instance and resource by their numbers, without a slash before them."""


class CoioteOptions(Options):
    """The installation, and maybe how the tenant gets a token of its own: one way or the other.

    `base_url` has no `/api` at its end, however it was written. `retention` is how long it keeps
    the history of a resource. The last `settling` is not asked for yet: a window that ends in the
    platform's future is refused, and its clock may be behind ours. `objects` are those whose
    resources are harvested beside the registry's sensors. Of the resources in `latest` only the
    latest value is harvested, as it changes slowly or has no history. `ask_silent`: devices are
    asked also where they had no contact with the platform since.
    """

    realm: Text | None = None
    client_id: Text | None = None
    client_secret: Secret | None = None
    token_exchange_url: str | None = None
    token_exchange_form: Annotated[dict[str, FormField], Field(min_length=1)] | None = None
    retention: Duration = timedelta(days=30)
    settling: Duration = timedelta(seconds=30)
    objects: tuple[Annotated[int, Field(ge=1, le=65534)], ...] = ()
    latest: tuple[ResourcePath, ...] = ("3/0/9", "4/0/2")
    ask_silent: bool = False

    @field_validator("base_url")
    @classmethod
    def _without_api(cls, value: str) -> str:
        return value.rstrip("/").removesuffix("/api").rstrip("/")

    @field_validator("token_exchange_form")
    @classmethod
    def _secrets_by_reference(
        cls, form: dict[str, FormField] | None
    ) -> dict[str, FormField] | None:
        for key, value in (form or {}).items():
            if key in SECRET_FIELDS and isinstance(value, str):
                raise ValueError(
                    f'{key} is a secret: give it by reference, such as {{ file = "…" }}'
                )
        return form

    @model_validator(mode="after")
    def _one_way_and_whole(self) -> Self:
        account = _given(self.realm, self.client_id, self.client_secret)
        exchange = _given(self.token_exchange_url, self.token_exchange_form)
        if account not in (0, 3):
            raise ValueError(
                "a service account takes realm, client_id and client_secret: give all three or none"
            )
        if exchange not in (0, 2):
            raise ValueError(
                "a token exchange takes token_exchange_url and token_exchange_form: "
                "give both or none"
            )
        if account and exchange:
            raise ValueError(
                "takes a service account (realm, client_id, client_secret) or a token exchange, "
                "not both"
            )
        return self

    @property
    def user_token_url(self) -> str:
        return f"{self.base_url}/api/auth/oauth_password"

    @property
    def invalidation_url(self) -> str:
        return f"{self.base_url}/api/auth/invalidate_token"

    @property
    def own_token_url(self) -> str:
        """Where the tenant's own token is had: as configured, or at its realm."""
        if self.token_exchange_url:
            return self.token_exchange_url
        realm = quote(self.realm or "", safe="")
        return f"{self.base_url}/iam/realms/{realm}/protocol/openid-connect/token"


def _given(*parts: object) -> int:
    return sum(part is not None for part in parts)
