"""Reports of tasks that are not over: asked for again one by one, ever more slowly."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from harvester.clock import within
from harvester.errors import PlatformError, Unreachable
from harvester.harvest.kit import Kit
from harvester.harvest.pulling import normalized
from harvester.model import Said
from harvester.store import task_reports
from harvester.store.leases import Lease
from harvester.store.task_reports import DueTask
from harvester.store.writer import Batch

MOST = 200
"""Reports that are asked for in one tick; those that waited longest go first."""
PATIENCE = timedelta(seconds=10)


async def follow(kit: Kit, lease: Lease, now: datetime) -> bool:
    """Ask for what no listing has shown for long enough; whether all of it was answered.

    Raises Fenced, StoreUnavailable.
    """
    if kit.work.stream != "task_reports":
        return True
    due = await task_reports.due(kit.pool, lease.tenant_id, now, kit.work.follow_up, MOST)
    answered = True
    for each in due:
        if kit.stopping.is_set():
            return False
        answered = await _followed(kit, lease, each, now) and answered
    return answered


async def _followed(kit: Kit, lease: Lease, due: DueTask, now: datetime) -> bool:
    what, identities = f"{kit.work.tenant} tasks one by one", [due.task.identity]
    try:
        said = await within(kit.clock, PATIENCE, _said(kit, due))
    except (PlatformError, TimeoutError) as error:
        reason = error.reason if isinstance(error, PlatformError) else Unreachable.reason
        kit.failures.failing(what, reason, error=str(error), task=due.task.identity)
        await task_reports.asked(kit.pool, lease, identities, now)
        return False
    kit.failures.well(what)
    if said:
        batch = Batch(due.feed_id, None, False, normalized(said, now), now, None)
        await kit.straight(lease).write(batch)
    else:
        await task_reports.vanished(kit.pool, lease, identities, now)
    return True


async def _said(kit: Kit, due: DueTask) -> Sequence[Said]:
    """Through whichever account may see it. Raises PlatformError."""
    refusal: PlatformError | None = None
    for account_id in due.accounts:
        if seat := kit.work.seats.get(account_id):
            try:
                return await kit.work.platform.task_report(seat.api, due.feed, due.task)
            except PlatformError as error:
                refusal = error
    raise refusal or PlatformError("no account that is configured here sees it")
