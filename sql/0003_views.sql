-- What people may use. Every view runs with its owner's rights; readers have no others.
--
-- A value is converted only where the result is sure to fit a double: Postgres makes an error of
-- an overflow, and one absurd number must not spoil a query over all the others.

create view harvester.readings as
select t.name as tenant,
       t.platform,
       d.identifier as device,
       d.name as device_name,
       s.channel,
       i.label as channel_name,
       r.ts,
       i.quantity,
       case when r.value = any (i.sentinels) then null
            when coalesce(i.scale, 1) = 1 then r.value + coalesce(i."offset", 0)
            when r.value = 0 or abs(r.value) between 1e-270 and 1e270
                then r.value * i.scale + i."offset"
       end as value,
       i.unit,
       i.enumeration ->> r.value::text as label,
       null::text as text,
       r.value as raw_value,
       i.stated_unit as raw_unit
from harvester_data.reading r
join harvester_data.series s on s.device_id = r.device_id and s.series_id = r.series_id
join harvester_data.device d on d.device_id = r.device_id
join harvester_data.tenant t on t.tenant_id = d.tenant_id
left join harvester_data.interpretation i
       on i.device_id = r.device_id and i.series_id = r.series_id and i.valid @> r.ts
union all
select t.name,
       t.platform,
       d.identifier,
       d.name,
       s.channel,
       i.label,
       r.ts,
       i.quantity,
       null,
       i.unit,
       i.enumeration ->> r.value,
       r.value,
       null,
       i.stated_unit
from harvester_data.reading_text r
join harvester_data.series s on s.device_id = r.device_id and s.series_id = r.series_id
join harvester_data.device d on d.device_id = r.device_id
join harvester_data.tenant t on t.tenant_id = d.tenant_id
left join harvester_data.interpretation i
       on i.device_id = r.device_id and i.series_id = r.series_id and i.valid @> r.ts;

comment on view harvester.readings is
    'All readings, one row for each series (device, channel) and instant. Filter by device and ts.';
comment on column harvester.readings.device is 'the platform''s own identifier of the device';
comment on column harvester.readings.device_name is 'its name there; may change';
comment on column harvester.readings.channel is 'the platform''s own name of the sensor';
comment on column harvester.readings.channel_name is 'what the platform calls it for people';
comment on column harvester.readings.ts is 'when it was measured, as the platform says';
comment on column harvester.readings.quantity is 'what is measured; null where not known';
comment on column harvester.readings.value is
    'the number in `unit`; null for text, for a number that stands for "no measurement", and where '
    'a number is too large or small to be converted';
comment on column harvester.readings.unit is
    'unit of `value`, in SenML spelling (RFC 8428); null where not known: `value` is then raw';
comment on column harvester.readings.label is 'name of an enumerated value, where known';
comment on column harvester.readings.text is 'the reading where it is no number';
comment on column harvester.readings.raw_value is 'the number as the platform said it';
comment on column harvester.readings.raw_unit is 'the unit as the platform said it';

create view harvester.latest_readings as
select t.name as tenant,
       t.platform,
       d.identifier as device,
       d.name as device_name,
       s.channel,
       i.label as channel_name,
       r.ts,
       i.quantity,
       case when r.value = any (i.sentinels) then null
            when coalesce(i.scale, 1) = 1 then r.value + coalesce(i."offset", 0)
            when r.value = 0 or abs(r.value) between 1e-270 and 1e270
                then r.value * i.scale + i."offset"
       end as value,
       i.unit,
       i.enumeration ->> coalesce(r.value::text, r.text) as label,
       r.text,
       r.value as raw_value,
       i.stated_unit as raw_unit
from harvester_data.series s
join harvester_data.device d on d.device_id = s.device_id
join harvester_data.tenant t on t.tenant_id = d.tenant_id
cross join lateral (
    (select n.ts, n.value, null::text as text
     from harvester_data.reading n
     where n.device_id = s.device_id and n.series_id = s.series_id
     order by n.ts desc limit 1)
    union all
    (select x.ts, null, x.value
     from harvester_data.reading_text x
     where x.device_id = s.device_id and x.series_id = s.series_id
     order by x.ts desc limit 1)
    order by ts desc limit 1
) r
left join harvester_data.interpretation i
       on i.device_id = s.device_id and i.series_id = s.series_id and i.valid @> r.ts;

comment on view harvester.latest_readings is
    'The newest reading of each series; columns as in harvester.readings.';
do $$
declare
    said record;
begin
    for said in
        select attname, col_description(attrelid, attnum) as words
        from pg_attribute where attrelid = 'harvester.readings'::regclass
    loop
        execute format('comment on column harvester.latest_readings.%I is %L',
                       said.attname, said.words);
    end loop;
end
$$;

create view harvester.coverage as
select t.name as tenant,
       t.platform,
       f.stream,
       f.key as feed,
       c.wanted * past as wanted,
       c.pulled,
       c.settled,
       c.pulled - c.settled as provisional,
       c.wanted * past - c.pulled - c.lost as missing,
       c.lost,
       c.looked_at,
       now() - upper(c.pulled) as lag,
       f.failing_since,
       f.failure
from harvester_data.coverage c
join harvester_data.feed f on f.feed_id = c.feed_id
join harvester_data.tenant t on t.tenant_id = f.tenant_id
cross join lateral (select tstzmultirange(tstzrange(null, now())) as past) p;

comment on view harvester.coverage is
    'For each feed, which spans of time are settled, provisional, missing or lost for good.';
comment on column harvester.coverage.stream is 'readings or task_reports';
comment on column harvester.coverage.feed is
    'the smallest thing a platform can be asked of for a span of time; see devices.feeds';
comment on column harvester.coverage.wanted is 'what is to be had, up to now';
comment on column harvester.coverage.pulled is 'asked for, answered in full and stored';
comment on column harvester.coverage.settled is 'pulled, and not looked at again';
comment on column harvester.coverage.provisional is
    'pulled, and looked at again at fixed ages, for what arrives late';
comment on column harvester.coverage.missing is 'wanted, neither pulled nor lost';
comment on column harvester.coverage.lost is 'the platform can no longer answer for it';
comment on column harvester.coverage.looked_at is
    'spans that came of age up to this instant have been looked at again';
comment on column harvester.coverage.lag is 'how old the newest pulled instant is';
comment on column harvester.coverage.failing_since is 'when its pulls began to fail';
comment on column harvester.coverage.failure is 'why the last pull failed; null while all is well';

create view harvester.gaps as
select t.name as tenant,
       t.platform,
       f.stream,
       f.key as feed,
       g.kind,
       lower(g.span) as since,
       upper(g.span) as until,
       case when g.kind = 'lost' then 'the platform no longer has it'
            when f.failure is not null then f.failure
            when not exists (select from harvester_data.sight s where s.feed_id = f.feed_id)
                then 'no account sees it'
            else 'not pulled yet'
       end as reason
from harvester_data.coverage c
join harvester_data.feed f on f.feed_id = c.feed_id
join harvester_data.tenant t on t.tenant_id = f.tenant_id
cross join lateral (
    select 'missing' as kind, span
    from unnest(c.wanted * tstzmultirange(tstzrange(null, now())) - c.pulled - c.lost) as span
    union all
    select 'lost', span from unnest(c.lost) as span
) g;

comment on view harvester.gaps is
    'Every span of wanted time that is not in the database, and why. The live edge, a few minutes '
    'wide, is always among them.';
comment on column harvester.gaps.stream is 'readings or task_reports';
comment on column harvester.gaps.feed is 'as in harvester.coverage';
comment on column harvester.gaps.kind is 'missing (may still come) or lost (for good)';
comment on column harvester.gaps.since is 'the first instant that is not there';
comment on column harvester.gaps.until is 'the first instant after it that is, or now';
comment on column harvester.gaps.reason is 'why, in words';

create view harvester.devices as
select t.name as tenant,
       t.platform,
       d.identifier as device,
       d.name as device_name,
       d.kind,
       d.first_seen_at,
       d.last_seen_at,
       (select max(newest.ts)
        from harvester_data.series s
        cross join lateral (
            (select n.ts from harvester_data.reading n
             where n.device_id = s.device_id and n.series_id = s.series_id
             order by n.ts desc limit 1)
            union all
            (select x.ts from harvester_data.reading_text x
             where x.device_id = s.device_id and x.series_id = s.series_id
             order by x.ts desc limit 1)
        ) newest
        where s.device_id = d.device_id) as last_reading_at,
       coalesce(served.feeds, '{}') as feeds,
       served.pulled,
       served.settled,
       served.missing,
       served.lost
from harvester_data.device d
join harvester_data.tenant t on t.tenant_id = d.tenant_id
left join lateral (
    select array_agg(f.key order by f.key) as feeds,
           range_intersect_agg(c.pulled) as pulled,
           range_intersect_agg(c.settled) as settled,
           range_agg(c.wanted * tstzmultirange(tstzrange(null, now())) - c.pulled - c.lost)
               as missing,
           range_agg(c.lost) as lost
    from harvester_data.feed_device fd
    join harvester_data.feed f on f.feed_id = fd.feed_id
    join harvester_data.coverage c on c.feed_id = fd.feed_id
    where fd.device_id = d.device_id
) served on true;

comment on view harvester.devices is 'All devices that were ever seen, with what is covered of each.';
comment on column harvester.devices.device is 'the platform''s own identifier';
comment on column harvester.devices.device_name is 'its name there; may change';
comment on column harvester.devices.kind is 'what the platform says it is';
comment on column harvester.devices.first_seen_at is 'when harvester first heard of it';
comment on column harvester.devices.last_seen_at is 'when the platform last listed it';
comment on column harvester.devices.last_reading_at is 'the instant of its newest reading';
comment on column harvester.devices.feeds is
    'the feeds that serve it, as in coverage and gaps; none: it is known, but not pulled';
comment on column harvester.devices.pulled is 'covered by all of its feeds; null without a feed';
comment on column harvester.devices.settled is 'and not looked at again by any of them';
comment on column harvester.devices.missing is
    'wanted of any of its feeds, and neither pulled nor lost';
comment on column harvester.devices.lost is 'what the platform can no longer answer, of any feed';
