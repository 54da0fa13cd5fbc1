-- The tables. People read the views of schema harvester (0003), never these.
--
-- Keys fit a cluster: device_id leads every key of reading, reading_text, series and
-- interpretation, so that they distribute by it. Therefore: no unique key without device_id on
-- those four, no trigger on them, and no foreign key from them to the small tables.

create schema if not exists harvester_data;
create schema harvester;
create schema vault;

create table harvester_data.tenant (
    tenant_id int generated always as identity primary key,
    name text not null unique,
    platform text not null
);

create table harvester_data.account (
    account_id int generated always as identity primary key,
    tenant_id int not null references harvester_data.tenant,
    user_name text,
    unique nulls not distinct (tenant_id, user_name)
);
comment on column harvester_data.account.user_name is
    'null is the tenant''s own client (client credentials grant)';

create table harvester_data.device (
    device_id int generated always as identity primary key,
    tenant_id int not null references harvester_data.tenant,
    identifier text not null,
    name text,
    kind text,
    first_seen_at timestamptz not null,
    last_seen_at timestamptz not null,
    unique (tenant_id, identifier)
);

create table harvester_data.feed (
    feed_id int generated always as identity primary key,
    tenant_id int not null references harvester_data.tenant,
    stream text not null check (stream in ('readings', 'task_reports')),
    key text not null,
    failing_since timestamptz,
    failure text,
    unique (tenant_id, stream, key),
    check ((failing_since is null) = (failure is null))
);

create table harvester_data.feed_device (
    feed_id int not null references harvester_data.feed,
    device_id int not null references harvester_data.device,
    primary key (feed_id, device_id)
);
create index on harvester_data.feed_device (device_id);

create table harvester_data.sight (
    feed_id int not null references harvester_data.feed,
    account_id int not null references harvester_data.account,
    primary key (feed_id, account_id)
);
create index on harvester_data.sight (account_id);
comment on table harvester_data.sight is
    'which accounts see a feed; it is pulled through one of them';

create table harvester_data.coverage (
    feed_id int primary key references harvester_data.feed,
    wanted tstzmultirange not null default '{}',
    pulled tstzmultirange not null default '{}',
    settled tstzmultirange not null default '{}',
    lost tstzmultirange not null default '{}',
    looked_at timestamptz
);
comment on column harvester_data.coverage.looked_at is
    'spans that came of age up to this instant have been looked at again';

create table harvester_data.job (
    tenant_id int not null references harvester_data.tenant,
    stream text not null check (stream in ('readings', 'task_reports')),
    succeeded_at timestamptz not null,
    primary key (tenant_id, stream)
);

create table harvester_data.series (
    device_id int not null,
    series_id int generated always as identity,
    channel text not null,
    primary key (device_id, series_id),
    unique (device_id, channel)
);

create table harvester_data.interpretation (
    device_id int not null,
    series_id int not null,
    valid tstzrange not null check (not isempty(valid)),
    label text,
    stated_type text,
    stated_unit text,
    quantity text,
    unit text,
    -- Bounded, so that no value of a platform makes the views overflow.
    scale double precision not null default 1 check (abs(scale) between 1e-30 and 1e30),
    "offset" double precision not null default 0 check (abs("offset") <= 1e30),
    enumeration jsonb,
    sentinels double precision[] not null default '{}',
    believed_from timestamptz not null,
    primary key (device_id, series_id, valid),
    foreign key (device_id, series_id) references harvester_data.series
);
comment on table harvester_data.interpretation is
    'what a series means in which time; rows of one series never overlap';

create table harvester_data.reading (
    device_id int not null,
    series_id int not null,
    ts timestamptz not null,
    value double precision not null,
    primary key (device_id, series_id, ts)
) partition by range (ts);

create table harvester_data.reading_text (
    device_id int not null,
    series_id int not null,
    ts timestamptz not null,
    value text not null,
    primary key (device_id, series_id, ts)
);
comment on table harvester_data.reading_text is
    'scalars that are no numbers; an instant of a series stands here or in reading, never in both';

create table harvester_data.rejected (
    feed_id int not null references harvester_data.feed,
    digest bytea not null,
    device text not null,
    channel text not null,
    reason text not null,
    stated_instant text not null,
    value text not null,
    rejected_at timestamptz not null,
    primary key (feed_id, digest)
);
comment on column harvester_data.rejected.digest is
    'of what it is, so that a second pull of the same does not add it again';

-- A lease is held by who moves `until`. fence is a column of a unique key on purpose: raising it
-- waits for every transaction that holds the row FOR KEY SHARE, and moving `until` does not.
create table harvester_data.tenant_lease (
    tenant_id int primary key references harvester_data.tenant,
    fence bigint not null,
    owner text not null,
    until timestamptz not null,
    unique (tenant_id, fence)
);

create table harvester_data.account_lease (
    account_id int primary key references harvester_data.account,
    fence bigint not null,
    owner text not null,
    until timestamptz not null,
    unique (account_id, fence)
);

create table vault.token (
    account_id int primary key references harvester_data.account,
    generation bigint not null,
    key_id text not null,
    access_token bytea not null,
    expires_at timestamptz,
    refresh_token bytea,
    refresh_expires_at timestamptz,
    saved_at timestamptz not null
);
comment on table vault.token is 'sealed; the associated data binds a value to its account and field';
