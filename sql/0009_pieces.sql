-- Feeds that are gone over now and then, and devices that only the data names.

alter table harvester_data.feed add column every interval;
comment on column harvester_data.feed.every is
    'null: wanted for all time to come, and pulled at each tick; else wanted so much at a time, and '
    'never time to come';
create index on harvester_data.feed (tenant_id) where every is not null;

alter table harvester_data.feed_device add column listed boolean not null default true;
comment on column harvester_data.feed_device.listed is
    'false: no discovery named it as a device of the feed, what the feed told did';

-- Its columns as they were, and one more: its newest instant is old by design.
create or replace view harvester.coverage as
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
       case when f.every is null then now() - upper(c.pulled) end as lag,
       f.failing_since,
       f.failure,
       f.every
from harvester_data.coverage c
join harvester_data.feed f on f.feed_id = c.feed_id
join harvester_data.tenant t on t.tenant_id = f.tenant_id
cross join lateral (select tstzmultirange(tstzrange(null, now())) as past) p;

comment on column harvester.coverage.wanted is
    'what is to be had, up to now; where there is `every`, up to the last time it was gone over';
comment on column harvester.coverage.lag is
    'how old the newest pulled instant is; null where there is `every`';
comment on column harvester.coverage.every is
    'null for most; else how often what other feeds tell is gone over once more by this one';

-- As before, but for the feeds that `pulled_until` and `lag` leave out.
create or replace view harvester.streams as
select t.name as tenant,
       t.platform,
       coalesce(f.stream, 'readings') as stream,
       (select count(*) from harvester_data.device d where d.tenant_id = t.tenant_id) as devices,
       coalesce(f.feeds, 0) as feeds,
       coalesce(f.failing, 0) as failing,
       coalesce(f.unseen, 0) as unseen,
       f.pulled_until,
       now() - f.pulled_until as lag,
       coalesce(f.wanted, '0') as wanted,
       coalesce(f.pulled, '0') as pulled,
       coalesce(f.settled, '0') as settled,
       coalesce(f.missing, '0') as missing,
       coalesce(f.lost, '0') as lost,
       j.succeeded_at
from harvester_data.tenant t
left join lateral (
    select one.stream,
           count(*) as feeds,
           count(one.failure) filter (where one.seen) as failing,
           count(*) filter (where not one.seen) as unseen,
           min(coalesce(upper(c.pulled), lower(c.wanted)))
               filter (where one.seen and one.every is null) as pulled_until,
           sum(spans.wanted) as wanted,
           sum(spans.pulled) as pulled,
           sum(spans.settled) as settled,
           sum(spans.missing) as missing,
           sum(spans.lost) as lost
    -- offset 0: sight is looked up once a feed, and not once for each use of `seen`.
    from (select feed.*,
                 exists (select from harvester_data.sight s where s.feed_id = feed.feed_id) as seen
          from harvester_data.feed
          where feed.tenant_id = t.tenant_id
          offset 0) one
    join harvester_data.coverage c on c.feed_id = one.feed_id
    cross join lateral (select c.wanted * tstzmultirange(tstzrange(null, now())) as wanted) past
    cross join lateral (
        select (select sum(upper(span) - lower(span)) from unnest(past.wanted) as span) as wanted,
               (select sum(upper(span) - lower(span))
                from unnest(past.wanted * c.pulled) as span) as pulled,
               (select sum(upper(span) - lower(span))
                from unnest(past.wanted * c.settled) as span) as settled,
               (select sum(upper(span) - lower(span))
                from unnest(past.wanted - c.pulled - c.lost) as span) as missing,
               (select sum(upper(span) - lower(span)) from unnest(c.lost) as span) as lost
    ) spans
    group by one.stream
) f on true
left join harvester_data.job j
       on j.tenant_id = t.tenant_id and j.stream = coalesce(f.stream, 'readings');

comment on column harvester.streams.pulled_until is
    'the instant up to which every feed was pulled, save for gaps (see harvester.gaps), and for '
    'those that are only gone over now and then: see harvester.coverage.every';

-- As before, but that a feed keeps no time from being pulled that is not wanted of it: one may be
-- wanted from a later day than another, such as what was changed beside what was created.
create or replace view harvester.devices as
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
           range_agg(c.pulled) - range_agg(past.wanted - c.pulled) as pulled,
           range_agg(c.settled) - range_agg(past.wanted - c.settled) as settled,
           range_agg(past.wanted - c.pulled - c.lost) as missing,
           range_agg(c.lost) as lost
    from harvester_data.feed_device fd
    join harvester_data.feed f on f.feed_id = fd.feed_id
    join harvester_data.coverage c on c.feed_id = fd.feed_id
    cross join lateral (select c.wanted * tstzmultirange(tstzrange(null, now())) as wanted) past
    where fd.device_id = d.device_id
) served on true;

comment on column harvester.devices.pulled is
    'covered by each of its feeds of which it is wanted; by the instant that the feed goes by, which '
    'may be another than the readings'' own, such as when they were created or last changed; null '
    'without a feed';
comment on column harvester.devices.last_seen_at is
    'when the platform last listed it; of a device that only the data names, when it first did';
