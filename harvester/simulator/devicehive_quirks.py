"""How the fake DeviceHive may differ from deployment to deployment, and what a proxy may say."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from aiohttp import web

from harvester.simulator.faults import Answer, Kind


@dataclass(frozen=True, slots=True)
class Switches:
    """What differs between versions, or is set by installation. Lifetimes are in seconds."""

    version: Literal["3.5.0", "4.1.0"] = "3.5.0"
    # What the container makes of a refusal by itself, or a proxy of that.
    container_body: Literal["json", "empty", "html"] = "json"
    access_ttl: int = 1_800
    refresh_ttl: int = 15_724_800
    max_attempts: int = 10  # wrong passwords in a row that lock an account
    manage_token: bool = True  # whether clients may have other tokens made
    knows_create: bool = True  # whether there is `/token/create` at all
    jwt_secret: str = "devicehive"  # noqa: S105 - the vendor's own, of its tests
    clock_skew: timedelta = timedelta(0)  # how far the platform's clock is ahead of the world's


AS_DOCUMENTED = Switches()

QUIRKS: Mapping[str, Switches] = {
    "as documented": AS_DOCUMENTED,
    "4.1.0": Switches(version="4.1.0"),
    "refusals without a body": Switches(container_body="empty"),
    "refusals as pages": Switches(container_body="html"),
    "no management of tokens": Switches(manage_token=False),
    "no making of tokens": Switches(knows_create=False),
    "short lives": Switches(access_ttl=60, refresh_ttl=180),
}
"""Deployments as they may be met."""


def bad_gateway() -> Kind:
    """What the vendor's proxy says while a service starts: JSON that calls itself HTML."""

    async def kind(_request: web.Request, _honest: Answer) -> web.StreamResponse:
        body = '{"error": 502, "message": "Bad Gateway"}'
        return web.Response(status=502, text=body, content_type="text/html")

    return kind
