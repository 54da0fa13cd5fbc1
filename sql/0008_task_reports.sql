-- What platforms say of tasks: each report as it stands, and all that it ever said.

create table harvester_data.task_report (
    tenant_id int not null references harvester_data.tenant,
    identity text not null,
    feed_id int not null references harvester_data.feed,
    device_id int references harvester_data.device,
    task text not null,
    kind text not null,
    state text not null
        check (state in ('pending', 'running', 'succeeded', 'failed', 'expired', 'unknown')),
    stated_state text,
    created_at timestamptz,
    started_at timestamptz,
    finished_at timestamptz,
    updated_at timestamptz,
    result jsonb,
    details jsonb,
    first_seen_at timestamptz not null,
    asked_at timestamptz not null,
    vanished_at timestamptz,
    revision int not null,
    primary key (tenant_id, identity)
);
comment on column harvester_data.task_report.identity is
    'the platform''s own of this report: a task may have one for each of many devices';
comment on column harvester_data.task_report.feed_id is 'in whose answer it was seen last';
comment on column harvester_data.task_report.asked_at is
    'while it is open: when it was last seen or asked for by itself, whichever made it not due';

-- For what is asked for by itself, which is never many of all.
create index on harvester_data.task_report (tenant_id, first_seen_at)
    where state in ('pending', 'running', 'unknown') and vanished_at is null;
create index on harvester_data.task_report (device_id);
create index on harvester_data.task_report
    ((coalesce(updated_at, finished_at, started_at, created_at, first_seen_at)));

create table harvester_data.task_report_history (
    tenant_id int not null,
    identity text not null,
    revision int not null,
    seen_at timestamptz not null,
    vanished boolean not null,
    device_id int references harvester_data.device,
    task text not null,
    kind text not null,
    state text not null,
    stated_state text,
    created_at timestamptz,
    started_at timestamptz,
    finished_at timestamptz,
    updated_at timestamptz,
    result jsonb,
    details jsonb,
    primary key (tenant_id, identity, revision),
    foreign key (tenant_id, identity) references harvester_data.task_report
);
comment on table harvester_data.task_report_history is
    'every change that was seen of a report, from the first on';
create index on harvester_data.task_report_history (seen_at);

-- Of a report that is open: ever more slowly, a quarter of the time that it was open for.
create function harvester_data.task_report_due_at(first_seen_at timestamptz, asked_at timestamptz)
returns timestamptz
language sql stable
as $$
    select asked_at + least(greatest((asked_at - first_seen_at) / 4, interval '1 minute'),
                            interval '6 hours')
$$;

create view harvester.task_reports as
select t.name as tenant,
       t.platform,
       r.identity,
       d.identifier as device,
       d.name as device_name,
       r.task,
       r.kind,
       r.state,
       r.stated_state,
       r.created_at,
       r.started_at,
       r.finished_at,
       r.updated_at,
       coalesce(r.updated_at, r.finished_at, r.started_at, r.created_at, r.first_seen_at)
           as changed_at,
       r.result,
       r.details,
       r.first_seen_at,
       r.vanished_at,
       r.revision
from harvester_data.task_report r
join harvester_data.tenant t on t.tenant_id = r.tenant_id
left join harvester_data.device d on d.device_id = r.device_id;

comment on view harvester.task_reports is
    'How each task stands, one row for each report of one: of a task of many devices, for each.';
comment on column harvester.task_reports.identity is
    'the platform''s own of the report; with the tenant, the key of task_report_history too';
comment on column harvester.task_reports.device is
    'the platform''s own identifier of the device; null where the task is of none';
comment on column harvester.task_reports.device_name is 'its name there; may change';
comment on column harvester.task_reports.task is 'the platform''s own identifier of the task';
comment on column harvester.task_reports.kind is 'what is to be done, in the platform''s words';
comment on column harvester.task_reports.state is
    'pending, running, succeeded, failed, expired, or unknown: what we make of stated_state';
comment on column harvester.task_reports.stated_state is 'the state as the platform said it';
comment on column harvester.task_reports.created_at is
    'as the platform says, as are the next three; null where it does not, or it cannot be true';
comment on column harvester.task_reports.started_at is 'when work on it began';
comment on column harvester.task_reports.finished_at is 'when it was over';
comment on column harvester.task_reports.updated_at is 'when the platform last changed the report';
comment on column harvester.task_reports.changed_at is
    'the last of these that is known, else first_seen_at; filter by it';
comment on column harvester.task_reports.result is
    'what came of it, as the platform said it; of more than 64 KiB, or 64 levels, the beginning as '
    'a text that says so';
comment on column harvester.task_reports.details is 'what else the platform said; as result';
comment on column harvester.task_reports.first_seen_at is 'when harvester first saw it';
comment on column harvester.task_reports.vanished_at is
    'when the platform had it no more although it was not over; null while it has';
comment on column harvester.task_reports.revision is
    'counts what it said since harvester first saw it: see task_report_history';

create view harvester.task_report_history as
select t.name as tenant,
       t.platform,
       h.identity,
       h.revision,
       h.seen_at,
       h.vanished,
       d.identifier as device,
       d.name as device_name,
       h.task,
       h.kind,
       h.state,
       h.stated_state,
       h.created_at,
       h.started_at,
       h.finished_at,
       h.updated_at,
       h.result,
       h.details
from harvester_data.task_report_history h
join harvester_data.tenant t on t.tenant_id = h.tenant_id
left join harvester_data.device d on d.device_id = h.device_id;

comment on view harvester.task_report_history is
    'All that was seen of each report, from the first on; columns as in harvester.task_reports.';
do $$
declare
    said record;
begin
    for said in
        select there.attname, col_description(there.attrelid, there.attnum) as words
        from pg_attribute here
        join pg_attribute there
          on there.attrelid = 'harvester.task_reports'::regclass and there.attname = here.attname
        where here.attrelid = 'harvester.task_report_history'::regclass
    loop
        execute format('comment on column harvester.task_report_history.%I is %L',
                       said.attname, said.words);
    end loop;
end
$$;
comment on column harvester.task_report_history.revision is '1 is what was seen first';
comment on column harvester.task_report_history.seen_at is 'when harvester first saw this';
comment on column harvester.task_report_history.vanished is
    'from then on the platform had it no more; the rest is what it said last';
