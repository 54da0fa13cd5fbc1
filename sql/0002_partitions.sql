-- Partitions of reading, made ahead of the rows that need them.

create function harvester_data.reading_partitions()
returns table (name text, span tstzrange)
language sql stable
as $$
    select c.relname::text,
           tstzrange((regexp_match(bound, 'FROM \(''([^'']+)''\)'))[1]::timestamptz,
                     (regexp_match(bound, 'TO \(''([^'']+)''\)'))[1]::timestamptz)
    from pg_inherits i
    join pg_class c on c.oid = i.inhrelid
    cross join pg_get_expr(c.relpartbound, c.oid) as bound
    where i.inhparent = 'harvester_data.reading'::regclass
$$;

-- CREATE TABLE … PARTITION OF waits behind every reader of the table, and stalls the writers behind
-- it. A table of its own, attached with a fitting check constraint, waits for nobody.
create function harvester_data.make_reading_partition(instant timestamptz, width text)
returns tstzrange
language plpgsql
as $$
declare
    found tstzrange;
    since timestamptz := date_trunc(width, instant, 'UTC');
    until timestamptz := (date_trunc(width, instant at time zone 'UTC') + ('1 ' || width)::interval)
                         at time zone 'UTC';
    name text;
begin
    perform pg_advisory_xact_lock(hashtext('harvester_data.make_reading_partition'));
    select p.span into found from harvester_data.reading_partitions() p where p.span @> instant;
    if found is not null then
        return found;
    end if;
    -- Neighbours of another width, from before the setting was changed, keep what they have.
    select greatest(since, max(upper(p.span))) into since
    from harvester_data.reading_partitions() p where upper(p.span) <= instant;
    select least(until, min(lower(p.span))) into until
    from harvester_data.reading_partitions() p where lower(p.span) > instant;
    name := 'reading_' || to_char(since at time zone 'UTC', 'YYYYMMDD');
    execute format(
        'create table harvester_data.%I (like harvester_data.reading including indexes,'
        ' constraint span check (ts >= %L and ts < %L))', name, since, until);
    execute format(
        'alter table harvester_data.reading attach partition harvester_data.%I'
        ' for values from (%L) to (%L)', name, since, until);
    execute format('alter table harvester_data.%I drop constraint span', name);
    return tstzrange(since, until);
end
$$;
