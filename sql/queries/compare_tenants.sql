-- Each tenant: how many devices, how many of them were heard of today, and how well it is pulled.
with tenants as (
    select distinct tenant, platform, devices
    from harvester.streams
), devices as (
    select tenant, count(*) as heard_of
    from harvester.devices
    where last_reading_at >= now() - interval '1 day'
    group by tenant
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
       coalesce(heard_of, 0) as heard_of,
       coalesce(readings, 0) as readings,
       coalesce(quantities, 0) as quantities,
       greatest_lag,
       coalesce(failing_feeds, 0) as failing_feeds
from tenants
left join devices using (tenant)
left join readings using (tenant)
left join coverage using (tenant)
order by tenant;
