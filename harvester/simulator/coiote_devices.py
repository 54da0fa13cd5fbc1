"""The devices of the fake Coiote: their ids, each by itself, and page by page."""

import base64
from binascii import Error
from collections.abc import Mapping

from harvester.simulator import coiote_asked as asked, coiote_shapes as shapes
from harvester.simulator.coiote_asked import Json, Query
from harvester.simulator.coiote_auth import Token
from harvester.simulator.coiote_errors import Coded
from harvester.simulator.coiote_points import Points
from harvester.simulator.coiote_quirks import Switches
from harvester.simulator.coiote_site import Device, Site
from harvester.simulator.world import World, millis

USUAL, MOST = 100, 1000
"""Devices of an answer."""
_BOTH = frozenset({"eq", "startswith"})
SEARCHED: Mapping[str, frozenset[str]] = {
    "id": _BOTH,
    "domain": _BOTH,
    "friendlyName": _BOTH,
    "properties.endpointName": _BOTH,
    "managementEnabled": frozenset({"eq"}),
}
"""What devices are searched by."""


class Devices:
    """What answers questions for devices."""

    def __init__(
        self,
        world: World,
        switches: Switches,
        site: Site,
        points: Points,
        violations: list[str],
    ) -> None:
        self._world = world
        self._switches = switches
        self._site = site
        self._points = points
        self._violations = violations

    def ids(self, token: Token, query: Query) -> list[str]:
        """All ids at once."""
        return [device.id for device, _ in self._found(token, query)]

    def one(self, token: Token, identifier: str) -> Json:
        """One device whole: no field of it can be left out."""
        device = self._site.device(token, identifier)
        return shapes.selected(self._whole(device), [], self._switches)

    def details(self, token: Token, query: Query) -> Json:
        """Some devices, by id; the bookmark is the last of them."""
        limit = asked.whole(query, "limit", USUAL, range(MOST + 1), 4000)
        after = _opened(query.get("pageBookmark"))
        found = sorted(self._found(token, query), key=lambda each: each[0].id)
        left = [(device, whole) for device, whole in found if device.id > after]
        shown = left[: min(limit, self._switches.device_cap or MOST)]
        fields = [field for field in query.get("fieldSelection", "").split(",") if field]
        if not fields or "dtlsPsk" in fields:
            self._violations.append("the keys of devices (dtlsPsk) asked for")
        told: Json = {
            "devices": [shapes.selected(whole, fields, self._switches) for _, whole in shown]
        }
        if shown and len(left) > len(shown):
            told["nextPageBookmark"] = base64.urlsafe_b64encode(shown[-1][0].id.encode()).decode()
        elif self._switches.nulls == "null":
            told["nextPageBookmark"] = None
        return told

    def _found(self, token: Token, query: Query) -> list[tuple[Device, Json]]:
        meets = asked.criterion(query, SEARCHED)
        wholes = [(device, self._whole(device)) for device in self._site.visible(token)]
        return [(device, whole) for device, whole in wholes if meets(whole)]

    def _whole(self, device: Device) -> Json:
        contact_ms = self._points.last_contact(device.thing, millis(self._world.clock.now()))
        return shapes.device(device, millis(self._world.since), contact_ms)


def _opened(bookmark: str | None) -> str:
    try:
        return base64.b64decode(bookmark or "", altchars=b"-_", validate=True).decode()
    except (Error, UnicodeDecodeError):
        raise Coded(4000, "Invalid pageBookmark") from None
