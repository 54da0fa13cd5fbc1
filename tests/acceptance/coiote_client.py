"""The vendor's own client, which reads at a Coiote what its users read, and tells what it saw.

Reads what to do as JSON: url, a user, a service account, a device and a resource of it, since and
until. It asks for whole seconds, and for a page from a millisecond after the last point on.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from coiote.auth import Credentials, ServiceAccount
from coiote.client import Coiote

POINTS, DEVICES, REPORTS = 10, 4, 25
"""Of a page."""
FIELDS = ["id", "friendlyName", "properties.registeredObjects"]


def devices(client: Coiote) -> Iterator[list[Any]]:
    """Pages of devices."""
    bookmark, more = None, True
    while more:
        page = client.devices.get_device_details(None, FIELDS, DEVICES, bookmark)
        bookmark = page.nextPageBookmark
        more = bookmark is not None
        yield [[each.id, each.friendlyName] for each in page.devices]


def changed(client: Coiote, since: datetime) -> Iterator[Any]:
    """Reports since an instant, until a page tells nothing more; some come twice."""
    seen: set[Any] = set()
    while True:
        page = client.task_reports.find_reports_since(since, limit=REPORTS)
        known = len(seen)
        seen |= {(each.taskId, each.deviceId, each.lastUpdateTime) for each in page}
        if len(seen) == known:
            return
        yield from map(report, page)
        since = page[-1].lastUpdateTime


def report(it: Any) -> Any:
    at = it.lastUpdateTime.isoformat()
    return [f"{it.taskId} {it.deviceId}", at, it.status, it.summary]


def known(client: Coiote, device: str, resource: str, since: datetime, until: datetime) -> Any:
    """What the vendor grants to users of a device, by pages and at once."""
    span = {"start_time": since, "end_time": until}
    of = {"device_id": device, "lwm2m_url": f"/{resource}", **span}
    latest = client.data_model.get_device_parameter(device, "Temperature.0.")
    defined = client.device_resources.get_defined_resources(device, ["Temperature"])
    return {
        "ids": client.devices.get_all(None).json(),
        "name": client.devices.get_one(device).friendlyName,
        "history": [
            [[each.date.isoformat(), each.value] for each in page.data]
            for page in client.device_monitoring.get_data_iterator(**of, limit=POINTS)
        ],
        "days": len(client.device_monitoring.get_all_data(**of)),
        "latest": [[each.name, each.value, each.updateTime.isoformat()] for each in latest],
        "defined": [
            [each.id, [[it.id, it.name, it.type.value] for it in each.resourceDefinitions]]
            for each in defined
        ],
    }


def done(client: Coiote, device: str, since: datetime) -> Any:
    """The same of its tasks, and how what is not granted is refused."""
    reports = client.task_reports
    keys = reports.get_reports(f"deviceId eq '{device}'")
    one_by_one = [reports.get_report_for_device_task(each.taskId, each.deviceId) for each in keys]
    try:
        reports.find_reports_since(since)
    except ValueError as error:
        return {"reports": [report(each) for each in one_by_one], "refused": str(error)}


def main(url: str, user: Any, account: Any, asked: Any) -> None:
    client, service = Coiote(url, Credentials(**user)), Coiote(url, ServiceAccount(**account))
    device, since = asked["device"], datetime.fromisoformat(asked["since"])
    until = datetime.fromisoformat(asked["until"])
    saw = known(client, device, asked["resource"], since, until) | done(client, device, since)
    saw["details"] = list(devices(service))
    saw["changed"] = list(changed(service, since))
    print(json.dumps(saw))  # noqa: T201  what the test reads


if __name__ == "__main__":
    main(**json.load(sys.stdin))
