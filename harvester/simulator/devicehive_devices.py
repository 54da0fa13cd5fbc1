"""What the fake DeviceHive says and is told of devices, networks and users."""

import re
from collections.abc import Sequence
from typing import TypeVar

from harvester.simulator import devicehive_asked as asking, devicehive_shapes as shapes
from harvester.simulator.chance import dice
from harvester.simulator.devicehive_asked import Asked
from harvester.simulator.devicehive_auth import Bearer
from harvester.simulator.devicehive_cache import Cache, Notification
from harvester.simulator.devicehive_flow import Flow
from harvester.simulator.devicehive_rights import (
    GET_CURRENT_USER,
    GET_DEVICE,
    GET_DEVICE_TYPE,
    GET_NETWORK,
    REGISTER_DEVICE,
    Rights,
)
from harvester.simulator.devicehive_shapes import Json
from harvester.simulator.devicehive_site import Device
from harvester.simulator.faults import Refusal

SORTED_BY = {"name": "name", "network": "networkId", "status": "id", "devicetype": "deviceTypeId"}
"""The fields of a device by which lists are sorted; the status is of old, and the same for all."""
T = TypeVar("T")


class Devices:
    """Each verb takes who asks and what for. All raise Refusal."""

    def __init__(self, rights: Rights, cache: Cache, flow: Flow, violations: list[str]) -> None:
        self._rights = rights
        self._cache = cache
        self._flow = flow
        self._violations = violations
        self._lists = 0

    def listed(self, bearer: Bearer, asked: Asked) -> list[Json]:
        self._rights.check(bearer, GET_DEVICE)
        field = asking.text(asked, "sortField")
        if field is None and ("take" in asked or "skip" in asked):
            self._violations.append("pages of devices were asked for in no order")
        if field is not None and field.lower() not in SORTED_BY:
            raise Refusal(400, "Invalid request parameters")
        rows = [shapes.device(each) for each in self._wanted(bearer, asked)]
        if field is None:  # as it comes, another time otherwise
            self._lists += 1
            dice("devices", self._lists).shuffle(rows)
        else:
            key = SORTED_BY[field.lower()]
            rows.sort(key=lambda row: str(row[key]), reverse=_descends(asked))
        return _page(rows, asked)

    def count(self, bearer: Bearer, asked: Asked) -> Json:
        self._rights.check(bearer, GET_DEVICE)
        return {"count": len(self._wanted(bearer, asked))}

    def get(self, bearer: Bearer, identifier: str) -> Json:
        return shapes.device(self._rights.device(bearer, GET_DEVICE, identifier))

    def save(self, bearer: Bearer, identifier: str, told: Asked) -> None:
        """Register a device, or change one; a notification of the platform's own says so."""
        self._rights.check(bearer, REGISTER_DEVICE)
        if not re.fullmatch(r"[A-Za-z0-9-]+", identifier):
            raise Refusal(400, "Device Id can only contain letters, digits and dashes.")
        network = self._network_for(bearer, told)
        there = self._rights.site.devices.get(identifier)
        if there is None:
            self._register(identifier, network, told)
            return
        if there not in self._rights.devices(bearer):
            raise Refusal(403, "No access to device")
        there.network = network if told.get("networkId") is not None else there.network
        there.name = asking.text(told, "name") or there.name
        there.data = told.get("data")
        there.is_blocked = bool(told.get("isBlocked", there.is_blocked))
        self._tell("$device-update", there)

    def delete(self, bearer: Bearer, identifier: str) -> None:
        """What the cache has of it stays there, and nobody can ask for it."""
        device = self._rights.device(bearer, REGISTER_DEVICE, identifier)
        self._flow.settle()
        del self._rights.site.devices[device.id]

    def networks(self, bearer: Bearer, asked: Asked) -> list[Json]:
        self._rights.check(bearer, GET_NETWORK)
        rows = [shapes.network(each) for each in self._rights.networks(bearer)]
        return _page(_sorted_by_name(rows, asked), asked)

    def network(self, bearer: Bearer, identifier: int) -> Json:
        network = self._rights.network(bearer, identifier)
        devices = self._rights.devices(bearer)
        within = [each for each in devices if each.network == network.id]
        return shapes.network_with_devices(network, within)

    def device_types(self, bearer: Bearer, asked: Asked) -> list[Json]:
        self._rights.check(bearer, GET_DEVICE_TYPE)
        return _page(_sorted_by_name([shapes.device_type()], asked), asked)

    def device_type(self, bearer: Bearer, identifier: int) -> Json:
        self._rights.check(bearer, GET_DEVICE_TYPE)
        if identifier != shapes.DEVICE_TYPE:
            raise Refusal(404, f"Device type with id = {identifier} not found")
        return shapes.device_type()

    def user(self, bearer: Bearer) -> Json:
        self._rights.check(bearer, GET_CURRENT_USER)
        return shapes.user(bearer.account, self._rights.networks(bearer))

    def _wanted(self, bearer: Bearer, asked: Asked) -> Sequence[Device]:
        name, pattern = asking.text(asked, "name"), asking.text(asked, "namePattern")
        network, called = asking.whole(asked, "networkId", 0), asking.text(asked, "networkName")
        names = {each.id: each.name for each in self._rights.networks(bearer)}
        return [
            each
            for each in self._rights.devices(bearer)
            if (name is None or each.name == name)
            and (pattern is None or _like(pattern).fullmatch(each.name))
            and (not network or each.network == network)
            and (called is None or names[each.network] == called)
        ]

    def _network_for(self, bearer: Bearer, told: Asked) -> int:
        networks = {each.id for each in self._rights.networks(bearer)}
        if told.get("networkId") is None:
            return min(networks, default=0)
        network = asking.whole(told, "networkId", 0)
        if network not in self._rights.site.networks:
            raise Refusal(400, "Invalid request parameters")
        if network not in networks:
            raise Refusal(403, "No access to network!")
        return network

    def _register(self, identifier: str, network: int, told: Asked) -> None:
        name = asking.text(told, "name")
        if name is None:
            raise Refusal(400, "Device name is required")
        if not network:
            raise Refusal(403, "No access to network!")
        device = Device(identifier, name, network, told.get("data"), bool(told.get("isBlocked")))
        self._rights.site.devices[identifier] = device
        self._tell("$device-add", device)

    def _tell(self, name: str, device: Device) -> None:
        self._flow.insert(
            Notification(
                id=self._cache.new_id(),
                name=name,
                device=device.id,
                network=None,
                device_type=None,
                timestamp=self._cache.stamp(),
                parameters=shapes.device(device),
            )
        )


def _descends(asked: Asked) -> bool:
    order = asking.text(asked, "sortOrder") or "ASC"
    if order.upper() not in ("ASC", "DESC"):
        raise Refusal(400, f"Unparseable sort order : {order}")
    return order.upper() == "DESC"


def _sorted_by_name(rows: list[Json], asked: Asked) -> list[Json]:
    field = (asking.text(asked, "sortField") or "id").lower()
    if field not in ("id", "name"):
        raise Refusal(400, "Invalid request parameters")
    reverse = _descends(asked)
    return sorted(rows, key=lambda row: str(row[field]).zfill(19), reverse=reverse)


def _page(rows: list[T], asked: Asked) -> list[T]:
    """Nothing is left out unless that is asked for."""
    skip, take = asking.whole(asked, "skip", 0), asking.whole(asked, "take", len(rows))
    if skip < 0 or take < 0:
        raise Refusal(400, "Invalid request parameters")
    return rows[skip : skip + take]


def _like(pattern: str) -> re.Pattern[str]:
    """A pattern of SQL, where % is any text and _ any one character."""
    parts = ({"%": ".*", "_": "."}.get(each, re.escape(each)) for each in pattern)
    return re.compile("".join(parts), re.DOTALL)
