"""The JSON of what myDevices does for people. Nobody documents it: names are those of its clients.

An instant is told as in other rows, with milliseconds.
"""

from datetime import datetime

from aiohttp import web

from harvester.simulator import mydevices_asked as asked
from harvester.simulator.faults import Refusal
from harvester.simulator.mydevices_quirks import Switches
from harvester.simulator.mydevices_shapes import REGISTERED, Json
from harvester.simulator.mydevices_tasks import Alert, Report, Run
from harvester.simulator.tenants import Tenant

PAGE = 10
"""Rows of a page."""


def listed(request: web.Request, name: str, found: list[Json], switches: Switches) -> web.Response:
    """Return a list in the form that is switched on; 404 where there is no such list."""
    match switches.tasks_as:
        case "absent":
            raise Refusal(404)
        case "rows":
            page = asked.number(request, "page", 0)
            rows = found[page * PAGE : (page + 1) * PAGE]
            body = {"count": len(found), "limit": PAGE, "page": page, "rows": rows}
            return web.json_response(body)
        case "named":
            return web.json_response({name: found, "total": len(found)})
        case "odd":
            odd = [{key: said for key, said in each.items() if key != "id"} for each in found]
            return web.json_response({name: [*odd, None, "none", [1]], "total": len(odd)})
    return web.json_response(found)


def report(tenant: Tenant, it: Report) -> Json:
    return {
        "id": it.id,
        "company_id": it.company.id,
        "user_id": tenant.users[0].id,
        "application_id": tenant.name,
        "name": it.name,
        "status": 0,
        **_dates(REGISTERED, REGISTERED),
    }


def run(it: Run) -> Json:
    first, last = it.history[0], it.history[-1]
    return {
        "id": it.id,
        "report_id": it.report.id,
        "status": last.state,
        **_dates(first.at, last.at),
    }


def alert(tenant: Tenant, it: Alert) -> Json:
    """Return an alert as it stands; when it was last on is null if it never was."""
    last = it.history[-1]
    alarms = [each.at for each in it.history if each.state == "triggered"]
    return {
        "id": it.id,
        "title": f"{it.thing.name} Alert",
        "thing_id": it.thing.uuid,
        "application_id": tenant.name,
        "enabled": True,
        "triggered": last.state == "triggered",
        "last_triggered": _told(alarms[-1]) if alarms else None,
        "total_triggered": len(alarms),
        "triggers": [
            {"channel": "3", "unit": "c", "conditions": [{"operator": "gt", "value": "8"}]}
        ],
        **_dates(REGISTERED, last.at),
    }


def _dates(created: datetime, updated: datetime) -> Json:
    return {"created_at": _told(created), "updated_at": _told(updated)}


def _told(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
