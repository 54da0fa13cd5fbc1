"""Reports of tasks that are not over: asked for again one by one, ever more slowly."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from harvester.errors import Fenced, PlatformError, StoreError, StoreUnavailable
from harvester.harvest.kit import Kit
from harvester.harvest.patience import in_time
from harvester.harvest.pulling import IN_COMMON, Tick, normalized
from harvester.model import Normalized, Said
from harvester.store import task_reports
from harvester.store.leases import Lease
from harvester.store.task_reports import DueTask
from harvester.store.writer import Batch

MOST = 200
"""Reports that are asked for in one tick; those that waited longest go first."""
PATIENCE = timedelta(seconds=10)


async def follow(kit: Kit, lease: Lease, tick: Tick) -> bool:
    """Ask for what no listing has shown for long enough; whether all of it was answered.

    Raises Fenced, StoreUnavailable.
    """
    if kit.work.stream != "task_reports":
        return True
    due = await task_reports.due(kit.pool, lease.tenant_id, tick.now, kit.work.follow_up, MOST)
    answered = True
    for each in due:
        if tick.is_over:
            return False
        refusal = await _followed(kit, lease, each, tick)
        if isinstance(refusal, IN_COMMON):
            return False  # the others would fare no better
        answered = answered and refusal is None
    return answered


async def _followed(kit: Kit, lease: Lease, due: DueTask, tick: Tick) -> PlatformError | None:
    """Why it could not be had, which is told by then."""
    now, identities = tick.now, [due.task.identity]
    try:
        said = await in_time(kit.clock, PATIENCE, _said(kit, due))
    except PlatformError as error:
        _tell(tick, due, error)
        await task_reports.asked(kit.pool, lease, identities, now)
        return error
    tick.failures.well(_one_by_one(tick))
    if not said:
        await task_reports.vanished(kit.pool, lease, identities, now)
        return None
    if not await _written(kit, lease, due, normalized(said, now), now):
        await task_reports.asked(kit.pool, lease, identities, now)
    return None


async def _written(kit: Kit, lease: Lease, due: DueTask, said: Normalized, now: datetime) -> bool:
    """Whether the database has now how this very task stands."""
    try:
        await kit.straight(lease).write(Batch(due.feed_id, None, False, said, now, None))
    except (Fenced, StoreUnavailable):
        raise
    except StoreError as error:
        kit.failures.failing(f"{kit.work.tenant} task", "store", error=str(error))
        return False
    return due.task.identity in {report.identity for report in said.reports}


def _tell(tick: Tick, due: DueTask, error: PlatformError) -> None:
    what = _one_by_one(tick)
    if isinstance(error, IN_COMMON):  # the feeds suffer from it too, and tell when it is over
        what = tick.all_feeds
        tick.in_common.add(error.reason)
    tick.failures.failing(what, error.reason, error=str(error), task=due.task.identity)


def _one_by_one(tick: Tick) -> str:
    return f"{tick.work.tenant} tasks one by one"


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
