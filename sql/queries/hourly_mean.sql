-- One quantity, hour by hour, over the last day: mean, least, greatest, and of how many readings.
select tenant,
       device,
       date_trunc('hour', ts) as hour,
       avg(value) as mean,
       min(value) as least,
       max(value) as greatest,
       count(value) as readings,
       unit
from harvester.readings
where quantity = 'temperature'
  and ts >= now() - interval '1 day'
group by tenant, device, hour, unit
order by tenant, device, hour;
