-- Tasks that failed or expired within a day and were not run again since, the newest first.
select tenant,
       coalesce(device_name, device) as device,
       kind,
       task,
       state,
       stated_state,
       changed_at,
       result
from harvester.task_reports
where state in ('failed', 'expired')
  and changed_at >= now() - interval '1 day'
order by changed_at desc, tenant, task;
