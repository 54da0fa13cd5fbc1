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
    cache_ttl: int = 120  # how long a message is kept; 0: for ever, as 3.0 and 3.1 came
    ids: int = 2**31  # so many there are; of few, one is soon met again at another device
    odd_device_ids: bool = False  # with blanks, signs and letters that a path cannot hold
    stamps: Literal["plain", "zulu", "short"] = "plain"  # short: no fraction where there is none
    content_type: str = "application/json"  # of what succeeds
    commands: float = 0.1  # so many to a device for each uplink of it; 0: none

    @property
    def clock_skew_ms(self) -> int:
        return self.clock_skew // timedelta(milliseconds=1)


AS_DOCUMENTED = Switches()

STRANGE_STATES = frozenset({"fertig", "terminé", "In Arbeit"})

LASTING: Mapping[str, object] = {"cache_ttl": 0}

ASPECTS: Mapping[str, str] = {
    "access": (
        "container_body access_ttl refresh_ttl max_attempts manage_token knows_create jwt_secret"
    ),
    "readings": "cache_ttl ids odd_device_ids stamps content_type commands",
    "tasks": "cache_ttl ids odd_device_ids stamps content_type commands",
}

QUIRKS: Mapping[str, Switches] = {
    "as documented": AS_DOCUMENTED,
    "4.1.0": Switches(version="4.1.0"),
    "refusals without a body": Switches(container_body="empty"),
    "refusals as pages": Switches(container_body="html"),
    "no management of tokens": Switches(manage_token=False),
    "no making of tokens": Switches(knows_create=False),
    "short lives": Switches(access_ttl=60, refresh_ttl=180),
    "kept for ever": Switches(cache_ttl=0),
    "kept for ever, 4.1.0": Switches(version="4.1.0", cache_ttl=0),
    "few ids": Switches(ids=20_000),
    "odd device ids": Switches(odd_device_ids=True),
    "stamps with a zone": Switches(stamps="zulu"),
    "stamps without a fraction": Switches(stamps="short"),
    "JSON by another name": Switches(content_type="text/plain"),
    "no commands": Switches(commands=0),
}
"""Deployments as they may be met."""


def bad_gateway() -> Kind:
    """What the vendor's proxy says while a service starts: JSON that calls itself HTML."""

    async def kind(_request: web.Request, _honest: Answer) -> web.StreamResponse:
        body = '{"error": 502, "message": "Bad Gateway"}'
        return web.Response(status=502, text=body, content_type="text/html")

    return kind
