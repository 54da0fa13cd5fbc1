-- Devices without a reading for a day, and whether they were silent or we did not ask.
select tenant,
       device,
       device_name,
       last_reading_at,
       case when feeds = '{}' then 'known, but not pulled: nobody who is configured sees it'
            when pulled @> tstzrange(now() - interval '1 day', now() - interval '1 hour')
                then 'silent: all was pulled, and nothing came'
            else 'not pulled in full: see harvester.gaps'
       end as because
from harvester.devices
where coalesce(last_reading_at, '-infinity') < now() - interval '1 day'
order by tenant, last_reading_at nulls first, device;
