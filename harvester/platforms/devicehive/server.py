"""What the server says of itself at `/info`: its clock, and which generation it is of."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from harvester.errors import Forbidden, Malformed, RequestRefused
from harvester.platforms.base import Api
from harvester.platforms.devicehive import instants

Generation = Literal["3", "4"]

CAUTIOUS: Generation = "3"
"""What fits both: it asks for a millisecond too much at either end."""


@dataclass(frozen=True, slots=True)
class Server:
    """The server's clock, and its generation as far as that can be told."""

    now: datetime
    generation: Generation


async def asked(api: Api) -> Server:
    """Raises Malformed where there is no DeviceHive, and the transient errors of `Api`."""
    try:
        answer = await api.get("/info")
    except (Forbidden, Malformed, RequestRefused) as error:
        # Everybody may ask this, so whoever refuses is something else.
        raise Malformed(
            f"{error}: no DeviceHive is there; base_url ends in /rest, as https://HOST/api/rest",
            error.excerpt if isinstance(error, Malformed) else "",
        ) from error
    said = answer if isinstance(answer, dict) else {}
    now = instants.read(said.get("serverTimestamp"))
    if now is None:
        raise Malformed("/info tells no serverTimestamp that can be read")
    return Server(now, _generation(said.get("apiVersion")))


def _generation(version: object) -> Generation:
    major = version.partition(".")[0] if isinstance(version, str) else ""
    return "4" if major.isdecimal() and int(major) >= 4 else CAUTIOUS
