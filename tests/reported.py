"""Reports of tasks as platforms say them, and what the database holds of them."""

from __future__ import annotations

from typing import Any

import msgspec
from fix_store import Site, at
from prometheus_client import REGISTRY

from harvester.metrics import TASK_REPORT_OUTCOMES
from harvester.model import TaskReport

_REPORT = TaskReport(identity="one/7", task="7", kind="reboot", state="pending", device="one")


def report(identity: str = "one/7", updated: float | None = None, **said: Any) -> TaskReport:
    """A pending one of device `one`, updated at a minute."""
    if updated is not None:
        said["updated_at"] = at(updated)
    return msgspec.structs.replace(_REPORT, identity=identity, **said)


async def reports(site: Site) -> list[dict[str, Any]]:
    found = await site.pool.fetch(
        "select * from harvester.task_reports where tenant = $1 order by identity", site.name
    )
    return [dict(row) for row in found]


async def history(site: Site, *columns: str, identity: str = "one/7") -> list[tuple[Any, ...]]:
    """These columns of all revisions of a report, which are counted from 1."""
    found = await site.pool.fetch(
        "select * from harvester.task_report_history where tenant = $1 and identity = $2"
        " order by revision",
        site.name,
        identity,
    )
    assert [row["revision"] for row in found] == list(range(1, len(found) + 1))
    return [tuple(row[name] for name in columns) for row in found]


def outcomes(site: Site) -> dict[str, int]:
    """How many were counted so far; what is none is left out."""
    counted = {
        each: REGISTRY.get_sample_value(
            "harvester_task_reports_total", {"tenant": site.name, "outcome": each}
        )
        for each in TASK_REPORT_OUTCOMES
    }
    assert None not in counted.values()
    return {each: int(count) for each, count in counted.items() if count}
