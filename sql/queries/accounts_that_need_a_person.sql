-- Accounts that harvester leaves alone or cannot log in, why, and since when; then harvester login.
select tenant, "user", state, reason, since, logged_in_at
from harvester.accounts
where state in ('quarantined', 'needs_login')
order by since, tenant, "user";
