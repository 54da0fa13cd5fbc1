-- What each task that changed within a day went through, as far as it was seen, and for how long.
select h.tenant,
       coalesce(h.device_name, h.device) as device,
       h.kind,
       h.task,
       case when h.vanished then 'vanished' else h.state end as state,
       h.stated_state,
       h.seen_at,
       lead(h.seen_at) over (partition by h.tenant, h.identity order by h.revision) - h.seen_at
           as lasted
from harvester.task_reports r
join harvester.task_report_history h on h.tenant = r.tenant and h.identity = r.identity
where r.changed_at >= now() - interval '1 day'
order by h.tenant, h.identity, h.revision;
