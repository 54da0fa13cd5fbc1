"""The shapes of the fake Coiote's answers: instants, and devices with all that is known of them."""

from harvester.simulator.coiote_asked import Json, member
from harvester.simulator.coiote_objects import OBJECTS, registered
from harvester.simulator.coiote_quirks import Switches
from harvester.simulator.coiote_site import Device
from harvester.simulator.world import instant


def stamp(ms: int) -> str:
    """Epoch milliseconds as ISO 8601 in UTC, always with three digits of a second."""
    return instant(ms).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def device(it: Device, registered_ms: int, contact_ms: int | None) -> Json:
    """A device whole, with the key that it proves itself by."""
    contact = None if contact_ms is None else stamp(contact_ms)
    return {
        "id": it.id,
        "domain": it.domain,
        "connectorType": "management",
        "bootstrap": False,
        "directGroups": [f"root{it.domain.rstrip('/').replace('/', '.')}"],
        "properties": _properties(it, registered_ms, contact_ms),
        "blacklisted": False,
        "managementEnabled": True,
        "lastSessionTime": contact,
        "lastContactTime": contact,
        "lastRegisterTime": stamp(registered_ms) if contact else None,
        "firstRegisterTime": stamp(registered_ms) if contact else None,
        "creationTime": stamp(registered_ms),
        "ipAddress": None,
        "serialNumber": f"{it.thing.hardware_id}\n",
        "oui": None,
        "modelName": it.thing.model.name,
        "hardwareVersion": None,
        "softwareVersion": None,
        "productClass": None,
        "manufacturer": "Acme Sensors",
        "description": None,
        "friendlyName": it.thing.name,
        "securityMode": "psk",
        "dtlsIdentity": it.endpoint,
        "dtlsPsk": {"HexadecimalPsk": it.psk},
    }


def _properties(it: Device, registered_ms: int, contact_ms: int | None) -> dict[str, str]:
    model = it.thing.model
    instances = [f"/{number}/{instance}" for number, instance in registered(model)]
    objects = sorted({number for number, _ in registered(model)})
    versions = [f"{number}:{OBJECTS[number].version}" for number in objects]
    told = {
        "endpointName": it.endpoint,
        "registeredObjects": ",".join(("/1/0", "/3", *instances)),
        "objectVersions": ",".join(("1:1.1", *versions)),
        "registeredQueueMode": "true" if it.thing.tina_id % 2 == 0 else "false",
        "lastRegisterUpdate": stamp(registered_ms).replace("T", " ").removesuffix("Z"),
    }
    if contact_ms is not None:
        told["lwm2mLastUpOpTime"] = str(contact_ms)
    return told


def selected(whole: Json, fields: list[str], switches: Switches) -> Json:
    """A device with no more than the fields that were asked for; all of them where none were."""
    told: Json = {}
    for field in fields or whole:
        name, _, rest = field.partition(".")
        if name not in whole:
            continue
        if rest:
            part = told.setdefault(name, {})
            if isinstance(part, dict) and member(whole, field) is not None:
                part[rest] = member(whole, field)
        else:
            told[name] = whole[name]
    if switches.nulls == "absent":
        return {name: value for name, value in told.items() if value is not None}
    return told
