"""What Prometheus sees. Each is counted where the thing happens.

Tenant and platform are labels; devices and users never are, so that series do not grow with them.
"""

import sys
from importlib.metadata import version
from typing import get_args

from prometheus_client import Counter, Gauge, Histogram, Info, disable_created_metrics

from harvester.errors import (
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
from harvester.model import Stream

# A second series for each counter, which says when it was made: nobody asks for it.
disable_created_metrics()  # type: ignore[no-untyped-call]

_WITHOUT_ANSWER = (Unreachable, Throttled, ServerFailed, Malformed, RequestRefused)
GRANTS = ("password", "refresh_token", "client_credentials")
"""How a token is had, in the words of RFC 6749."""
TOKEN_REASONS = tuple(e.reason for e in (CredentialRefused, RenewalRefused, *_WITHOUT_ANSWER))
"""The reasons that are known beforehand; an adapter may know more."""
OUTCOMES = ("ok", *(e.reason for e in (*_WITHOUT_ANSWER, TooLarge, Forbidden, Unauthorized)))
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
WINDOWS = Counter(
    "harvester_windows_total",
    "Windows pulled: covered, or failed and still missing.",
    ["tenant", "stream", "outcome"],
)
READINGS_PULLED = Counter(
    "harvester_readings_pulled_total",
    "Samples that platforms gave: stored + corrected + unchanged + rejected.",
    ["tenant"],
)
READINGS_STORED = Counter(
    "harvester_readings_stored_total", "Readings that were new to the database.", ["tenant"]
)
READINGS_CORRECTED = Counter(
    "harvester_readings_corrected_total",
    "Readings whose value differed from the one in the database, and replaced it.",
    ["tenant"],
)
READINGS_UNCHANGED = Counter(
    "harvester_readings_unchanged_total", "Readings that the database held already.", ["tenant"]
)
READINGS_REJECTED = Counter(
    "harvester_readings_rejected_total", "Samples that are no reading.", ["tenant"]
)
STORE_GROUPS = Counter(
    "harvester_store_groups_total",
    "Groups of windows committed: copied straight, through the stage, or straight and then staged.",
    ["tenant", "path"],
)
LAST_SUCCESS = Gauge(
    "harvester_last_success_timestamp_seconds",
    "When a window was last covered, in Unix time.",
    ["tenant", "stream"],
)
BUILD = Info("harvester_build", "The version of harvester and of the Python that runs it.")
BUILD.info({"version": version("harvester"), "python": sys.version.split()[0]})

_READINGS = (
    READINGS_PULLED,
    READINGS_STORED,
    READINGS_CORRECTED,
    READINGS_UNCHANGED,
    READINGS_REJECTED,
)
_OF_TENANTS = (
    TOKEN_FAILURES,
    TOKEN_REQUESTS,
    REQUESTS,
    REQUEST_DURATION,
    WINDOWS,
    *_READINGS,
    STORE_GROUPS,
    LAST_SUCCESS,
)


def expect(tenant: str, platform: str) -> None:
    """Create a tenant's series at zero: a first failure must be a step that an alert can see.

    Not the last success: a zero there would mean 1970.
    """
    for grant in GRANTS:
        TOKEN_REQUESTS.labels(tenant, platform, grant)
        for reason in TOKEN_REASONS:
            TOKEN_FAILURES.labels(tenant, platform, grant, reason)
    for outcome in OUTCOMES:
        REQUESTS.labels(tenant, platform, outcome)
    REQUEST_DURATION.labels(tenant, platform)
    for stream in get_args(Stream):
        for outcome in ("covered", "failed"):
            WINDOWS.labels(tenant, stream, outcome)
    for readings in _READINGS:
        readings.labels(tenant)
    for path in ("straight", "staged", "fell_back"):
        STORE_GROUPS.labels(tenant, path)


def forget(tenant: str) -> None:
    """Remove the series of a tenant that is no longer configured."""
    for metric in _OF_TENANTS:
        metric.remove_by_labels({"tenant": tenant})
