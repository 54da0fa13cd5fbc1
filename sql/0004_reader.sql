-- The role for people and dashboards: it sees the views and nothing else.
-- A role belongs to the whole cluster: another database may have made it, or makes it right now.
do $$
begin
    if not exists (select from pg_roles where rolname = 'harvester_reader') then
        create role harvester_reader nologin;
        comment on role harvester_reader is
            'may read the views of schema harvester, and nothing else';
    end if;
exception
    when duplicate_object or unique_violation then null;
end
$$;

grant usage on schema harvester to harvester_reader;
grant select on all tables in schema harvester to harvester_reader;
alter default privileges in schema harvester grant select on tables to harvester_reader;
