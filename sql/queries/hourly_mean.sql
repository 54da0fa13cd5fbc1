-- One quantity, hour by hour, over the last day: mean, least, greatest, and of how many readings.
select tenant,
       coalesce(device_name, device) as device,
       date_trunc('hour', ts) as hour,
       round(avg(value)::numeric, 2) as mean,
       min(value) as least,
       max(value) as greatest,
       count(value) as readings,
       unit
from harvester.readings
where quantity = 'temperature'
  and ts >= now() - interval '1 day'
group by tenant, coalesce(device_name, device), hour, unit
order by tenant, device, hour;
