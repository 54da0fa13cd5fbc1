-- What was asked of each token endpoint within a day, and what came of it.
select tenant,
       platform,
       "grant",
       outcome,
       reason,
       count(*) as calls,
       count(distinct "user") as users,
       max(at) as newest
from harvester.auth_events
where at >= now() - interval '1 day'
group by tenant, platform, "grant", outcome, reason
order by tenant, calls desc, "grant", outcome;
