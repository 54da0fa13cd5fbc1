"""The shapes of the fake DeviceHive's answers. Keys are there whether or not they have a value."""

from datetime import datetime

from aiohttp import web

from harvester.simulator import world
from harvester.simulator.devicehive_cache import Command, Notification
from harvester.simulator.devicehive_quirks import Switches
from harvester.simulator.devicehive_site import Account, Device, Network
from harvester.simulator.world import millis

Json = dict[str, object]

DEVICE_TYPE = 1
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


def stamp(ms: int, switches: Switches) -> str:
    """Epoch milliseconds as UTC, usually with milliseconds and without a zone."""
    short = switches.stamps == "short" and ms % 1000 == 0
    told = world.instant(ms).replace(tzinfo=None)
    zone = "Z" if switches.stamps == "zulu" else ""
    return told.isoformat(timespec="seconds" if short else "milliseconds") + zone


def device(it: Device) -> Json:
    return {
        "id": it.id,
        "name": it.name,
        "data": it.data,
        "networkId": it.network,
        "deviceTypeId": DEVICE_TYPE,
        "isBlocked": it.is_blocked,
    }


def network(it: Network) -> Json:
    return {"id": it.id, "name": it.name, "description": None}


def network_with_devices(it: Network, devices: list[Device]) -> Json:
    """Its devices do not say whose they are, nor of what type."""
    left_out = ("networkId", "deviceTypeId")
    rows = [
        {key: value for key, value in device(each).items() if key not in left_out}
        for each in devices
    ]
    return {**network(it), "devices": rows}


def device_type() -> Json:
    return {"id": DEVICE_TYPE, "name": "Default Device Type", "description": None}


def notification(it: Notification, switches: Switches) -> Json:
    return {
        "id": it.id,
        "notification": it.name,
        "deviceId": it.device,
        "networkId": it.network,
        "deviceTypeId": it.device_type,
        "timestamp": stamp(it.timestamp, switches),
        "parameters": it.parameters,
    }


def command(it: Command, switches: Switches) -> Json:
    return {
        "id": it.id,
        "command": it.name,
        "timestamp": stamp(it.timestamp, switches),
        "lastUpdated": stamp(it.updated, switches),
        "userId": it.user,
        "deviceId": it.device,
        "networkId": it.network,
        "deviceTypeId": it.device_type,
        "parameters": it.parameters,
        "lifetime": it.lifetime,
        "status": it.status,
        "result": it.result,
    }


def message(it: Notification | Command, switches: Switches) -> Json:
    return command(it, switches) if isinstance(it, Command) else notification(it, switches)


def inserted(it: Notification | Command, switches: Switches) -> Json:
    """What is answered to who sent it."""
    told: Json = {"id": it.id, "timestamp": stamp(it.timestamp, switches)}
    if isinstance(it, Command):
        told |= {"lastUpdated": stamp(it.updated, switches), "userId": it.user}
    return told


def user(account: Account, networks: list[Network]) -> Json:
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
