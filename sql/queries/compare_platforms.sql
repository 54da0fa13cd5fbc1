-- Temperature of each thing by platform, hour by hour: means of the instants that most of them have.
with told as (
    select coalesce(device_name, device) as thing,
           ts,
           array_agg(distinct platform) as platforms,
           max(value) filter (where platform = 'coiote') as coiote,
           max(value) filter (where platform = 'devicehive') as devicehive,
           max(value) filter (where platform = 'mydevices') as mydevices,
           max(value) filter (where platform = 'usergrid') as usergrid
    from harvester.readings
    where coalesce(channel_name, channel) ~* 'temperature$'
      and coalesce(quantity, 'temperature') = 'temperature'
      and value is not null
      and ts >= now() - interval '1 day'
    group by thing, ts
)
-- An hour's means are of the same instants for all, as they would differ for that alone.
select distinct on (thing, hour)
       thing,
       date_trunc('hour', ts) as hour,
       count(*) as instants,
       round(avg(coiote)::numeric, 2) as coiote,
       round(avg(devicehive)::numeric, 2) as devicehive,
       round(avg(mydevices)::numeric, 2) as mydevices,
       round(avg(usergrid)::numeric, 2) as usergrid
from told
group by thing, hour, platforms
order by thing, hour desc, cardinality(platforms) desc, instants desc;
