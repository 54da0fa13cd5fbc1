"""The JSON of myDevices: what the world holds, in the keys and spellings of the vendor.

Keys are those of the vendor's pages and of payloads its open clients handle. `properties` is a
JSON string; a thing's UUID stands in both `id` and `cayenne_id`, its number in `tina_id`.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from aiohttp import web

from harvester.simulator.chance import identity
from harvester.simulator.mydevices_quirks import Switches
from harvester.simulator.tenants import Company, Location, Tenant, Thing, User
from harvester.simulator.things import Sensor
from harvester.simulator.world import Row

Json = dict[str, object]

REGISTERED = datetime(2025, 5, 26, 18, 36, 40, tzinfo=UTC)


def boom(status: int, message: str) -> web.Response:
    """Return an error as the gateway (hapi with Boom) words it; without `message`, its usual one.

    A 401 for an expired token says no more than one for an invented token.
    """
    error = HTTPStatus(status).phrase
    message = message or ("Invalid credentials" if status == 401 else error)
    body = {"statusCode": status, "error": error, "message": message}
    return web.json_response(body, status=status)


def readings(rows: Sequence[Row], switches: Switches) -> Json:
    """Return the body of a readings answer. The three counters are timings in ms, not counts."""
    return {
        "count_took": 2,
        "took": 5 + len(rows) // 10,
        "transfer": 10 + len(rows),
        "readings": [_reading(row, switches) for row in rows],
    }


def _reading(row: Row, switches: Switches) -> Json:
    sensors = [{"v": value, "channel": _channel(ch, switches)} for ch, value in row.values]
    if row.correlation_id is None:
        return {"ts": row.ms, "sensors": sensors}
    return {"ts": row.ms, "correlation_id": row.correlation_id, "sensors": sensors}


def _channel(channel: str, switches: Switches) -> str | int:
    return int(channel) if switches.channel_as == "int" and channel.isdigit() else channel


def company(tenant: Tenant, it: Company) -> Json:
    return {
        "id": it.id,
        "name": it.name,
        "city": "Ghent",
        "country": "BE",
        "timezone": "Europe/Brussels",
        "industry": json.dumps(["food"]),
        "user_id": tenant.users[0].id,
        "application_id": tenant.name,
        "status": 0,
        "external_id": None,
        "deleted_at": None,
        **_dates(),
    }


def location(tenant: Tenant, it: Location) -> Json:
    return {
        "id": it.id,
        "company_id": it.company_id,
        "parent_id": None,
        "name": it.name,
        "timezone": "Europe/Brussels",
        "user_id": tenant.users[0].id,
        "application_id": tenant.name,
        "status": 0,
        "external_id": None,
        **_dates(),
    }


def thing(tenant: Tenant, it: Thing) -> Json:
    """Return a thing as it stands in lists; a thing asked for by itself has `children` too."""
    properties = {"codec": "lorawan.x.y", "deveui": it.hardware_id, "network": "app.chirpstackio"}
    return {
        "tina_id": it.tina_id,
        "id": it.uuid,
        "cayenne_id": it.uuid,
        "location_id": it.location.id,
        "company_id": it.location.company_id,
        "parent_id": None,
        "hardware_id": it.hardware_id,
        "sensor_use_id": None,
        "sensor_use": it.model.name,
        "sensor_type": it.model.name,
        "thing_name": it.name,
        "thing_type": 0 if it.model.gateway else 1,
        "marker_alert": "animate",
        "properties": json.dumps(properties),
        "device_type_id": identity("device type", it.model.name),
        "enabled": 1,
        "user_id": it.owner.id,
        "application_id": tenant.name,
        "status": 0 if it.active else 1,
        "external_id": None,
        **_dates(),
    }


def thing_with_children(tenant: Tenant, it: Thing, switches: Switches) -> Json:
    children = [_child(it, sensor, switches) for sensor in it.model.sensors if sensor.listed]
    return {**thing(tenant, it), "children": children}


def _child(parent: Thing, sensor: Sensor, switches: Switches) -> Json:
    return {
        "id": identity(parent.uuid, sensor.channel) if sensor.has_id else "",
        "thing_name": sensor.name,
        "sensor_type": sensor.name,
        "type": sensor.type,
        "unit": sensor.unit,
        "parent_id": parent.uuid,
        "company_id": parent.location.company_id,
        "location_id": parent.location.id,
        "properties": json.dumps({"channel": _channel(sensor.channel, switches)}),
    }


def user(it: User, *, enabled: bool) -> Json:
    """Return a Keycloak user object."""
    return {
        "id": it.id,
        "username": it.name,
        "email": it.name,
        "firstName": it.name.split("@")[0].title(),
        "lastName": "",
        "enabled": enabled,
        "emailVerified": True,
        "createdTimestamp": int(REGISTERED.timestamp() * 1000),
        "notBefore": 0,
        "requiredActions": [],
        "attributes": {},
    }


def _dates() -> Json:
    """Return the dates of a row: with and without milliseconds, and in both spellings."""
    created = REGISTERED.strftime("%Y-%m-%dT%H:%M:%SZ")
    updated = (REGISTERED + timedelta(days=17)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return {
        "created_at": created,
        "updated_at": updated,
        "createdAt": created,
        "updatedAt": updated,
    }
