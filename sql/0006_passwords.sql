-- Passwords that `harvester login --keep-password` keeps, and accounts that were logged out.

create table vault.password (
    account_id int primary key references harvester_data.account,
    key_id text not null,
    password bytea not null,
    saved_at timestamptz not null
);
comment on table vault.password is
    'sealed, as vault.token is; a password in the configuration goes before it';

-- A logout forgets the tokens and leaves the row: a later login must have a higher generation than
-- any that a running daemon knows.
alter table vault.token alter column access_token drop not null;
comment on column vault.token.access_token is 'null once the account was logged out';
