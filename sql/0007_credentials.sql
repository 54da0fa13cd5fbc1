-- The life of each account's credential in one row, in the place of vault.token and vault.password,
-- and beside it what was asked of the platforms' token endpoints.

create table vault.credential (
    account_id int primary key references harvester_data.account,
    generation bigint not null default 0,
    state text not null default 'active'
        check (state in ('active', 'renewing', 'answer_lost', 'quarantined', 'needs_login')),
    reason text,
    since timestamptz not null,
    asked_grant text,
    asked_at timestamptz,
    doubt int not null default 0,
    spent text,
    tries int not null default 0,
    refused text,
    judged_key_id text,
    judged bytea,
    key_id text,
    access_token bytea,
    expires_at timestamptz,
    refresh_token bytea,
    refresh_expires_at timestamptz,
    obtained_at timestamptz,
    logged_in_at timestamptz,
    ends_at timestamptz,
    password_key_id text,
    password bytea,
    check ((state in ('quarantined', 'needs_login')) = (reason is not null)),
    check (access_token is null or (key_id is not null and obtained_at is not null)),
    check ((password is null) = (password_key_id is null)),
    check ((judged is null) = (judged_key_id is null))
);
comment on table vault.credential is
    'tokens and passwords are sealed; the associated data binds each to its account and field';
comment on column vault.credential.generation is
    'raised by each token that is saved; never overwritten by an older one';
comment on column vault.credential.since is 'when the state began';
comment on column vault.credential.asked_grant is
    'of the last token call; its intent is committed before it is sent';
comment on column vault.credential.doubt is
    'calls that the refresh token was sent with and whose outcome is unknown; at most two';
comment on column vault.credential.spent is
    'why the refresh token is of no more use; null while it may be';
comment on column vault.credential.tries is
    'logins since the last good one that were refused, or whose outcome is unknown';
comment on column vault.credential.refused is 'why the last login was refused; null while it was not';
comment on column vault.credential.judged is
    'a sealed digest of the secrets that were refused: others are tried at once';
comment on column vault.credential.access_token is 'null once the account was logged out';
comment on column vault.credential.ends_at is
    'learned from the answers: an end of the refresh token that no renewal moves';
comment on column vault.credential.password is
    'kept by harvester login --keep-password; one in the configuration goes before it';

insert into vault.credential
    (account_id, generation, state, reason, since, key_id, access_token, expires_at,
     refresh_token, refresh_expires_at, obtained_at, password_key_id, password)
select account_id,
       coalesce(t.generation, 0),
       case when t.access_token is null then 'needs_login' else 'active' end,
       case when t.access_token is null then 'logged_out' end,
       coalesce(t.saved_at, p.saved_at),
       t.key_id, t.access_token, t.expires_at, t.refresh_token, t.refresh_expires_at, t.saved_at,
       p.key_id, p.password
from vault.token t
full join vault.password p using (account_id);

drop table vault.token, vault.password;

create table harvester_data.auth_event (
    event_id bigint generated always as identity primary key,
    at timestamptz not null,
    account_id int not null references harvester_data.account,
    "grant" text not null,
    outcome text not null,
    reason text,
    code text,
    status int,
    instance text not null
);
create index on harvester_data.auth_event (at);
create index on harvester_data.auth_event (account_id);
comment on table harvester_data.auth_event is
    'what was asked of token endpoints and what came of it; never a secret';

create view harvester.accounts as
select t.name as tenant,
       t.platform,
       a.user_name as "user",
       coalesce(c.state, 'unproven') as state,
       c.reason,
       c.since,
       c.obtained_at,
       c.expires_at,
       least(c.refresh_expires_at, c.ends_at) as refresh_expires_at,
       c.ends_at,
       c.logged_in_at,
       c.tries,
       c.refused,
       c.refresh_token is not null and c.spent is null as renewable,
       c.password is not null as keeps_password
from harvester_data.account a
join harvester_data.tenant t on t.tenant_id = a.tenant_id
left join vault.credential c on c.account_id = a.account_id;

comment on view harvester.accounts is 'How the credential of each account stands.';
comment on column harvester.accounts."user" is 'null for the tenant''s own client';
comment on column harvester.accounts.state is
    'unproven: never logged in; active; renewing: a token call is under way, or a crash broke it '
    'off; answer_lost: it was sent and no answer came; quarantined: refused, and tried no more '
    'until something changes; needs_login: only a person can go on';
comment on column harvester.accounts.reason is 'why it is quarantined or needs a login';
comment on column harvester.accounts.since is 'since when it is in this state';
comment on column harvester.accounts.obtained_at is 'when its newest token was had';
comment on column harvester.accounts.expires_at is 'end of the access token; null where unknown';
comment on column harvester.accounts.refresh_expires_at is
    'end of the refresh token; null where there is none, or its end is unknown';
comment on column harvester.accounts.ends_at is
    'an end of the refresh token that no renewal moves, where one was recognized';
comment on column harvester.accounts.logged_in_at is 'the last login, of which all since is renewal';
comment on column harvester.accounts.tries is
    'logins since the last good one that were refused or never answered';
comment on column harvester.accounts.refused is
    'why the last login was refused; null while it was not';
comment on column harvester.accounts.renewable is
    'whether it holds a refresh token that was not refused';
comment on column harvester.accounts.keeps_password is 'whether a password is kept, sealed';

create view harvester.auth_events as
select e.at,
       t.name as tenant,
       t.platform,
       a.user_name as "user",
       e."grant",
       e.outcome,
       e.reason,
       e.code,
       e.status,
       e.instance
from harvester_data.auth_event e
join harvester_data.account a on a.account_id = e.account_id
join harvester_data.tenant t on t.tenant_id = a.tenant_id;

comment on view harvester.auth_events is
    'What was asked of the platforms'' token endpoints, and what came of it.';
comment on column harvester.auth_events.at is 'when the answer was there, or known to be lost';
comment on column harvester.auth_events."user" is 'null for the tenant''s own client';
comment on column harvester.auth_events."grant" is
    'how a token was asked for, in the words of RFC 6749; adopted: one that was had before the '
    'database was away; logout: by hand';
comment on column harvester.auth_events.outcome is
    'ok, definite (refused for good), renewable (the refresh token is spent), transient, '
    'answer_lost (sent, and no answer came)';
comment on column harvester.auth_events.reason is 'why not, in the word that the metrics have';
comment on column harvester.auth_events.code is 'the platform''s own error code';
comment on column harvester.auth_events.status is 'the HTTP status of a refusal';
comment on column harvester.auth_events.instance is 'who asked';
