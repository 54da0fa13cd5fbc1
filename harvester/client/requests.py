"""One request as it is sent, and where it may go."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from yarl import URL

from harvester.client.answers import printable
from harvester.errors import Unauthorized
from harvester.loopback import is_loopback


@dataclass(frozen=True, slots=True)
class Request:
    """`bearer` is the access token that it is sent with."""

    method: str
    url: URL
    options: Mapping[str, Any] = field(repr=False)
    bearer: str | None = field(default=None, repr=False)

    @property
    def is_read(self) -> bool:
        return self.method == "GET"

    def __str__(self) -> str:
        port = f":{self.url.explicit_port}" if self.url.explicit_port else ""
        return printable(f"{self.method} {self.url.host}{port}{self.url.raw_path}")


def bearing(method: str, url: URL, options: Mapping[str, Any], bearer: str | None) -> Request:
    """Raises Unauthorized for a token that cannot stand in a header."""
    if bearer is None:
        return Request(method, url, options)
    request = Request(
        method, url, {**options, "headers": {"Authorization": f"Bearer {bearer}"}}, bearer
    )
    if not (bearer and bearer.isascii() and bearer.isprintable()):
        raise Unauthorized(f"{request}: the access token cannot stand in a header")
    return request


def private(url: URL) -> bool:
    """Whether nobody on the way can read along."""
    return url.scheme in ("https", "wss") or is_loopback(url.host or "")
