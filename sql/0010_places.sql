-- Where the platform keeps the history of a feed: one that is moved loses what it had.
--
-- No answer tells where it came from. What was asked for since a feed was last found at its place
-- may have been asked for after it was moved, and what was to be looked at again is not there to be
-- looked at. So only what was settled by then stays covered when it is found in another place.

alter table harvester_data.feed add column place text;
comment on column harvester_data.feed.place is
    'as the platform names it; null where a feed has none, or it is not known yet';

-- All of it in the row that a window is covered in: who waits for that row sees what it is now.
alter table harvester_data.coverage
    add column kept_since timestamptz,
    add column asked tstzmultirange not null default '{}',
    add column proven tstzmultirange not null default '{}';
comment on column harvester_data.coverage.kept_since is
    'by when it was found in another place than before: nothing of the time until then is covered '
    'since; null where it never was';
comment on column harvester_data.coverage.asked is
    'what was settled of it when devices were last asked for';
comment on column harvester_data.coverage.proven is
    'what was settled of it before it was last found at its place';
