"""Of tokens and requests: what platforms are asked, and what becomes of it."""

from prometheus_client import Counter, Gauge, Histogram

from harvester.errors import (
    AnswerLost,
    ClientRefused,
    CredentialRefused,
    Forbidden,
    Malformed,
    RenewalRefused,
    RequestRefused,
    ServerFailed,
    Throttled,
    TooLarge,
    Unauthorized,
    Unreachable,
)

_WITHOUT_ANSWER = (Unreachable, Throttled, ServerFailed, Malformed, RequestRefused)
GRANTS = ("password", "refresh_token", "client_credentials", "token_exchange", "configured")
"""How a token is had, in the words of RFC 6749 and RFC 8693; or taken as it is configured."""
TOKEN_REASONS = tuple(
    e.reason
    for e in (CredentialRefused, ClientRefused, RenewalRefused, AnswerLost, *_WITHOUT_ANSWER)
)
"""The reasons that are known beforehand; auth and an adapter know more."""
OUTCOMES = (
    "ok",
    *(e.reason for e in (*_WITHOUT_ANSWER, AnswerLost, TooLarge, Forbidden, Unauthorized)),
)
"""What becomes of one exchange: "ok", or the `reason` of the error."""

TOKEN_FAILURES = Counter(
    "harvester_token_failures_total",
    "Logins and renewals that gave no token.",
    ["tenant", "platform", "grant", "reason"],
)
TOKEN_REQUESTS = Counter(
    "harvester_token_requests_total",
    "Logins and renewals that were tried.",
    ["tenant", "platform", "grant"],
)
REQUESTS = Counter(
    "harvester_requests_total",
    "Requests sent to a platform, by what became of them.",
    ["tenant", "platform", "outcome"],
)
REQUEST_DURATION = Histogram(
    "harvester_request_duration_seconds",
    "From the sending of a request to the last byte of its answer.",
    ["tenant", "platform"],
    buckets=(0.05, 0.2, 0.5, 1, 2, 5, 15, 60),
)
THROTTLE_WAIT = Counter(
    "harvester_throttle_wait_seconds_total",
    "How long platforms asked to be left alone (Retry-After), added up.",
    ["tenant", "platform"],
)
ACCOUNTS = Gauge(
    "harvester_accounts",
    "Configured accounts by the state of their credential: unproven since the start, active, "
    "failing for now, answer_lost (a token call was sent and never answered), quarantined until "
    "something changes, needs_login of a person.",
    ["tenant", "platform", "state"],
)
ACCOUNT_STATES = (
    "unproven",
    "active",
    "failing",
    "answer_lost",
    "quarantined",
    "needs_login",
)
ACCESS_REMAINING = Gauge(
    "harvester_access_token_remaining_seconds",
    "Until the first access token of the tenant ends; each is renewed before.",
    ["tenant", "platform"],
)
REFRESH_REMAINING = Gauge(
    "harvester_refresh_token_remaining_seconds",
    "Until the first refresh token of the tenant ends; it is renewed before where that can be.",
    ["tenant", "platform"],
)
SESSION_REMAINING = Gauge(
    "harvester_session_remaining_seconds",
    "Until the first account needs a login by a person: its end is moved by no renewal.",
    ["tenant", "platform"],
)
LOGINS_LEFT = Gauge(
    "harvester_password_logins_left",
    "Logins that may still be refused before an account is tried no more; the least of a tenant.",
    ["tenant", "platform"],
)
