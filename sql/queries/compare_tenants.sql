-- Each tenant: how many devices, how many of them were heard of today, and how well it is pulled.
with devices as (
    select tenant,
           platform,
           count(*) as devices,
           count(*) filter (where last_reading_at >= now() - interval '1 day') as heard_of
    from harvester.devices
    group by tenant, platform
), readings as (
    select tenant, count(*) as readings, count(distinct quantity) as quantities
    from harvester.readings
    where ts >= now() - interval '1 day'
    group by tenant
), coverage as (
    select tenant, max(lag) as greatest_lag, count(failure) as failing_feeds
    from harvester.coverage
    where stream = 'readings'
    group by tenant
)
select tenant,
       platform,
       devices,
       heard_of,
       coalesce(readings, 0) as readings,
       coalesce(quantities, 0) as quantities,
       greatest_lag,
       coalesce(failing_feeds, 0) as failing_feeds
from devices
left join readings using (tenant)
left join coverage using (tenant)
order by tenant;
