"""Reports of tasks: how each stands, all that it said before, and which are to be asked for.

One at a time writes a tenant's, under an advisory lock that is taken last of all: two could lock
each other's rows otherwise.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from harvester import metrics
from harvester.model import Feed, OpenTask, TaskReport
from harvester.store.leases import Lease, writing
from harvester.store.pool import translated

if TYPE_CHECKING:
    from harvester.store.pool import Connection, Pool

_ALONE = "select pg_advisory_xact_lock(hashtext('harvester_data.task_report'), $1)"

# An older one changes nothing; what says nothing of its age is believed. What a listing shows need
# not be asked for by itself, but is not written for each listing: only where it was due.
# offset 0: each is looked up by its key. While the table is new to the planner it would read all
# of it for each.
_WRITTEN = """
with stage as materialized (
    select s.*, coalesce(r.revision, 0) + 1 as revision,
           case when r.identity is null then 'new'
                when (s.updated_at < r.updated_at) is not true
                     and (r.vanished_at is not null
                          or (s.device_id, s.task, s.kind, s.state, s.stated_state, s.created_at,
                              s.started_at, s.finished_at, s.updated_at, s.result, s.details)
                             is distinct from
                             (r.device_id, r.task, r.kind, r.state, r.stated_state, r.created_at,
                              r.started_at, r.finished_at, r.updated_at, r.result, r.details))
                    then 'changed'
                when r.state in ('pending', 'running', 'unknown') and r.vanished_at is null
                     and harvester_data.task_report_due_at(r.first_seen_at, r.asked_at) <= s.seen_at
                    then 'shown'
           end as becomes
    from unnest($2::text[], $3::int[], $4::int[], $5::text[], $6::text[], $7::text[], $8::text[],
                $9::timestamptz[], $10::timestamptz[], $11::timestamptz[], $12::timestamptz[],
                $13::text[]::jsonb[], $14::text[]::jsonb[], $15::timestamptz[])
         as s(identity, feed_id, device_id, task, kind, state, stated_state,
              created_at, started_at, finished_at, updated_at, result, details, seen_at)
    left join lateral (select * from harvester_data.task_report k
                       where k.tenant_id = $1 and k.identity = s.identity offset 0) r on true
), written as (
    insert into harvester_data.task_report as r
        (tenant_id, identity, feed_id, device_id, task, kind, state, stated_state, created_at,
         started_at, finished_at, updated_at, result, details, first_seen_at, asked_at, revision)
    select $1, identity, feed_id, device_id, task, kind, state, stated_state, created_at,
           started_at, finished_at, updated_at, result, details, seen_at, seen_at, revision
    from stage where becomes in ('new', 'changed')
    on conflict (tenant_id, identity) do update
    set feed_id = excluded.feed_id, device_id = excluded.device_id, task = excluded.task,
        kind = excluded.kind, state = excluded.state, stated_state = excluded.stated_state,
        created_at = excluded.created_at, started_at = excluded.started_at,
        finished_at = excluded.finished_at, updated_at = excluded.updated_at,
        result = excluded.result, details = excluded.details, vanished_at = null,
        asked_at = greatest(r.asked_at, excluded.asked_at), revision = excluded.revision
), kept as (
    insert into harvester_data.task_report_history
        (tenant_id, identity, revision, seen_at, vanished, device_id, task, kind, state,
         stated_state, created_at, started_at, finished_at, updated_at, result, details)
    select $1, identity, revision, seen_at, false, device_id, task, kind, state,
           stated_state, created_at, started_at, finished_at, updated_at, result, details
    from stage where becomes in ('new', 'changed')
), shown as (
    insert into harvester_data.task_report
        (tenant_id, identity, feed_id, task, kind, state, first_seen_at, asked_at, revision)
    select $1, identity, feed_id, task, kind, state, seen_at, seen_at, revision
    from stage where becomes = 'shown'
    on conflict (tenant_id, identity) do update
    set feed_id = excluded.feed_id, asked_at = excluded.asked_at
)
select count(*) filter (where becomes = 'new'), count(*) filter (where becomes = 'changed')
from stage
"""

_DUE = """
select r.identity, r.task, d.identifier as device, f.feed_id, f.stream, f.key,
       (select array_agg(served.identifier order by served.identifier)
        from harvester_data.feed_device fd
        join harvester_data.device served on served.device_id = fd.device_id
        where fd.feed_id = f.feed_id and fd.listed) as devices,
       seen.accounts
from harvester_data.task_report r
join harvester_data.feed f on f.feed_id = r.feed_id
left join harvester_data.device d on d.device_id = r.device_id
cross join lateral (select array_agg(s.account_id order by s.account_id) as accounts
                    from harvester_data.sight s where s.feed_id = f.feed_id) seen
where r.tenant_id = $1
  and r.state in ('pending', 'running', 'unknown') and r.vanished_at is null
  and r.first_seen_at > $2::timestamptz - $3::interval
  and harvester_data.task_report_due_at(r.first_seen_at, r.asked_at) <= $2
  and seen.accounts is not null
order by r.asked_at, r.identity
limit $4
"""

_ASKED = """
update harvester_data.task_report set asked_at = $3
where tenant_id = $1 and identity = any ($2::text[]) and asked_at < $3
"""

_VANISHED = """
with gone as (
    update harvester_data.task_report
    set vanished_at = $3, revision = revision + 1
    where tenant_id = $1 and identity = any ($2::text[])
      and state in ('pending', 'running', 'unknown') and vanished_at is null
    returning *
), kept as (
    insert into harvester_data.task_report_history
        (tenant_id, identity, revision, seen_at, vanished, device_id, task, kind, state,
         stated_state, created_at, started_at, finished_at, updated_at, result, details)
    select tenant_id, identity, revision, vanished_at, true, device_id, task, kind, state,
           stated_state, created_at, started_at, finished_at, updated_at, result, details
    from gone
)
select name, (select count(*) from gone) from harvester_data.tenant where tenant_id = $1
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """A report as it was in the answer of a feed."""

    report: TaskReport
    feed_id: int
    device_id: int | None
    at: datetime


@dataclass(frozen=True, slots=True)
class DueTask:
    """A task to be asked for by itself; these accounts see the feed that showed it last."""

    feed_id: int
    feed: Feed
    accounts: tuple[int, ...]
    task: OpenTask


async def write(connection: Connection, tenant_id: int, seen: Sequence[Seen]) -> Counter[str]:
    """Write them in the caller's transaction, whose last act this is; how many were what.

    Of what is stored already nothing is written, save that it was seen, where it was due.
    """
    if seen:
        await connection.execute(_ALONE, tenant_id)
    new = changed = 0
    for round_ in _rounds(seen):
        columns = [list(column) for column in zip(*map(_row, round_), strict=True)]
        written = await connection.fetchrow(_WRITTEN, tenant_id, *columns) or (0, 0)
        new, changed = new + written[0], changed + written[1]
    return Counter(new=new, changed=changed, unchanged=len(seen) - new - changed)


def _rounds(seen: Sequence[Seen]) -> list[list[Seen]]:
    """Those of one identity after one another, in their order: each may be a change."""
    rounds: list[list[Seen]] = []
    times: Counter[str] = Counter()
    for each in seen:
        before = times[each.report.identity]
        times[each.report.identity] += 1
        if before == len(rounds):
            rounds.append([])
        rounds[before].append(each)
    return rounds


def _row(seen: Seen) -> tuple[object, ...]:
    r = seen.report
    names = (r.identity, seen.feed_id, seen.device_id, r.task, r.kind, r.state, r.stated_state)
    instants = (r.created_at, r.started_at, r.finished_at, r.updated_at)
    return (*names, *instants, _text(r.result), _text(r.details), seen.at)


def _text(said: object) -> str | None:
    """As asyncpg takes it: of a list among values it would make another dimension of the array."""
    return None if said is None else json.dumps(said)


async def due(
    pool: Pool, tenant_id: int, now: datetime, follow_up: timedelta, limit: int
) -> list[DueTask]:
    """Open reports that nothing has shown for long enough, those first that waited longest.

    None is older than `follow_up` since it was first seen. Raises StoreUnavailable.
    """
    with translated():
        rows = await pool.fetch(_DUE, tenant_id, now, follow_up, limit)
    return [
        DueTask(
            feed_id=row["feed_id"],
            feed=Feed(row["stream"], row["key"], tuple(row["devices"] or ())),
            accounts=tuple(row["accounts"]),
            task=OpenTask(row["identity"], row["task"], row["device"]),
        )
        for row in rows
    ]


async def asked(pool: Pool, lease: Lease, identities: Sequence[str], now: datetime) -> None:
    """They were asked for, and nothing came of it: they wait for their next time.

    Raises Fenced, StoreUnavailable.
    """
    async with writing(pool, lease) as connection:
        await connection.execute(_ALONE, lease.tenant_id)
        await connection.execute(_ASKED, lease.tenant_id, identities, now)


async def vanished(pool: Pool, lease: Lease, identities: Sequence[str], now: datetime) -> None:
    """The platform has them no more. They are kept, marked, and not asked for again.

    What is over by now is left as it is. Raises Fenced, StoreUnavailable.
    """
    async with writing(pool, lease) as connection:
        await connection.execute(_ALONE, lease.tenant_id)
        row = await connection.fetchrow(_VANISHED, lease.tenant_id, identities, now)
    if row:
        count(row["name"], Counter(vanished=row["count"]))


def count(tenant: str, outcomes: Counter[str]) -> None:
    """What was committed."""
    for outcome, reports in outcomes.items():
        metrics.TASK_REPORTS.labels(tenant, outcome).inc(reports)
