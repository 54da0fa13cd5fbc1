-- What of the last day is not in the database, and why. The live edge, some minutes, is always there.
select tenant,
       feed,
       kind,
       greatest(since, now() - interval '1 day') as since,
       until,
       until - greatest(since, now() - interval '1 day') as lasts,
       reason
from harvester.gaps
where stream = 'readings'
  and until > now() - interval '1 day'
order by lasts desc, tenant, feed;
