"""The shapes of the fake DeviceHive's answers. Keys are there whether or not they have a value."""

from datetime import datetime

from aiohttp import web

from harvester.simulator.devicehive_quirks import Switches
from harvester.simulator.devicehive_site import Account, Network
from harvester.simulator.tenants import Thing
from harvester.simulator.world import millis

_PAGE = "<html><head><title>401</title></head><body><h1>Unauthorized</h1></body></html>"


def error(status: int, message: str) -> web.Response:
    """An error in the platform's own words."""
    return web.json_response({"error": status, "message": message}, status=status)


def unauthorized(path: str, message: str, switches: Switches, now: datetime) -> web.Response:
    """A 401 of the servlet container: `error` is a phrase here, and newer ones say no more."""
    if switches.container_body == "empty":
        return web.Response(status=401)
    if switches.container_body == "html":
        return web.Response(status=401, text=_PAGE, content_type="text/html")
    old = switches.version == "3.5.0"
    body = {
        "timestamp": millis(now) if old else now.isoformat(timespec="milliseconds"),
        "status": 401,
        "error": "Unauthorized",
        "message": (message or "No message available") if old else "",
        "path": path,
    }
    return web.json_response(body, status=401)


def instant(at: datetime) -> str:
    """UTC, in milliseconds, without a zone."""
    return at.replace(tzinfo=None).isoformat(timespec="milliseconds")


def device(thing: Thing, network: Network) -> dict[str, object]:
    return {
        "id": thing.uuid,
        "name": thing.name,
        "data": None,
        "networkId": network.id,
        "deviceTypeId": 1,
        "isBlocked": not thing.active,
    }


def network(it: Network) -> dict[str, object]:
    return {"id": it.id, "name": it.name, "description": None}


def user(account: Account, networks: list[Network]) -> dict[str, object]:
    return {
        "id": account.id,
        "login": account.login,
        "role": account.role,
        "status": account.status,
        "lastLogin": None,
        "data": None,
        "introReviewed": False,
        "allDeviceTypesAvailable": True,
        "networks": [network(each) for each in networks],
    }
