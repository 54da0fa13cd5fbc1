-- How each tenant stands, in one row a stream: for people, for `harvester status`, for the metrics.

create view harvester.streams as
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
           min(coalesce(upper(c.pulled), lower(c.wanted))) filter (where one.seen) as pulled_until,
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

comment on view harvester.streams is
    'How each tenant stands: one row a stream. Spans are added up over its feeds, as hours of feeds.';
comment on column harvester.streams.stream is 'readings or task_reports';
comment on column harvester.streams.devices is 'of the tenant, ever seen';
comment on column harvester.streams.feeds is 'as in harvester.coverage';
comment on column harvester.streams.failing is 'feeds that are seen, whose last pull failed';
comment on column harvester.streams.unseen is
    'feeds that no configured account sees (any more): nobody pulls them, and they do not lag';
comment on column harvester.streams.pulled_until is
    'the instant up to which every feed was pulled, save for gaps: see harvester.gaps';
comment on column harvester.streams.lag is 'how old that instant is';
comment on column harvester.streams.wanted is 'time that is to be had, up to now';
comment on column harvester.streams.pulled is 'asked for, answered in full and stored';
comment on column harvester.streams.settled is 'pulled, and not looked at again';
comment on column harvester.streams.missing is 'wanted, neither pulled nor lost';
comment on column harvester.streams.lost is 'the platform can no longer answer for it';
comment on column harvester.streams.succeeded_at is 'when all that was due was last done';
