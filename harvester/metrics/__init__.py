"""What Prometheus sees. Each is counted where the thing happens.

Tenant and platform are labels; devices and users never are, so that series do not grow with them.
"""

import sys
from collections.abc import Iterable
from importlib.metadata import version
from typing import get_args

from prometheus_client import Counter, Gauge, Histogram, Info, disable_created_metrics

from harvester.metrics.exchanges import (
    ACCESS_REMAINING as ACCESS_REMAINING,
    ACCOUNT_STATES as ACCOUNT_STATES,
    ACCOUNTS as ACCOUNTS,
    GRANTS as GRANTS,
    LOGINS_LEFT as LOGINS_LEFT,
    OUTCOMES as OUTCOMES,
    REFRESH_REMAINING as REFRESH_REMAINING,
    REQUEST_DURATION as REQUEST_DURATION,
    REQUESTS as REQUESTS,
    SESSION_REMAINING as SESSION_REMAINING,
    THROTTLE_WAIT as THROTTLE_WAIT,
    TOKEN_FAILURES as TOKEN_FAILURES,
    TOKEN_REASONS as TOKEN_REASONS,
    TOKEN_REQUESTS as TOKEN_REQUESTS,
)
from harvester.model import Stream

# A second series for each counter, which says when it was made: nobody asks for it.
disable_created_metrics()  # type: ignore[no-untyped-call]

WINDOWS = Counter(
    "harvester_windows_total",
    "Windows pulled: covered, or failed and still missing.",
    ["tenant", "stream", "outcome"],
)
WINDOW_OUTCOMES = ("covered", "failed")
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
TASK_REPORTS = Counter(
    "harvester_task_reports_total",
    "Reports of tasks: new to the database, changed, said once more, or gone from the platform.",
    ["tenant", "outcome"],
)
TASK_REPORT_OUTCOMES = ("new", "changed", "unchanged", "vanished")
STORE_GROUPS = Counter(
    "harvester_store_groups_total",
    "Groups of windows committed: copied straight, through the stage, or straight and then staged.",
    ["tenant", "path"],
)
STORE_PATHS = ("straight", "staged", "fell_back")
LAST_SUCCESS = Gauge(
    "harvester_last_success_timestamp_seconds",
    "When a window was last covered, in Unix time.",
    ["tenant", "stream"],
)
STORE_DURATION = Histogram(
    "harvester_store_duration_seconds",
    "How long it took to commit a group of windows.",
    ["tenant"],
    buckets=(0.01, 0.05, 0.2, 0.5, 1, 2, 5, 15, 60),
)
LAG = Gauge(
    "harvester_lag_seconds",
    "How old the instant is up to which every feed that an account sees was pulled.",
    ["tenant", "stream"],
)
MISSING = Gauge(
    "harvester_missing_seconds",
    "Time that is wanted and not in the database yet, added up over the feeds.",
    ["tenant", "stream"],
)
LOST = Gauge(
    "harvester_lost_seconds",
    "Time that the platform can no longer answer for, added up over the feeds.",
    ["tenant", "stream"],
)
RETENTION = Gauge(
    "harvester_retention_seconds",
    "How long the platform keeps what it can be asked for, where that is not for good.",
    ["tenant", "stream"],
)
SWEEP = Gauge(
    "harvester_sweep_seconds",
    "How long it takes to poll all feeds once, by the mean time of an answer, where a platform "
    "forgets: at most a third of the retention.",
    ["tenant", "stream"],
)
BACKLOG = Gauge(
    "harvester_backlog",
    "Readings, rejections and reports that were pulled and wait in memory for the database.",
    ["tenant", "stream"],
)
BACKLOG_DROPPED = Counter(
    "harvester_backlog_dropped_total",
    "What waited in memory for the database and had to make room: missing again, or lost.",
    ["tenant", "stream"],
)
CLOCK_SKEW = Gauge(
    "harvester_platform_clock_ahead_seconds",
    "How far the platform's clock is ahead of ours, where it tells its time.",
    ["tenant"],
)
INDEX_LAG = Gauge(
    "harvester_index_lag_seconds",
    "How old the oldest entry is that the platform has and its index does not answer for, as last "
    "measured, where a platform answers from an index.",
    ["tenant"],
)
FEEDS = Gauge(
    "harvester_feeds",
    "Feeds: pulled well, failing at their last pull, or unseen by every configured account.",
    ["tenant", "stream", "state"],
)
FEED_STATES = ("well", "failing", "unseen")
DEVICES = Gauge("harvester_devices", "Devices that were ever seen.", ["tenant"])
LEASE_HELD = Gauge(
    "harvester_lease_held",
    "1 where this instance works the tenant, 0 where another may.",
    ["tenant"],
)
JOB_RUNS = Counter(
    "harvester_job_runs_total",
    "Runs of a tenant's job: all that was due was done, some of it, or it failed as a whole.",
    ["tenant", "stream", "outcome"],
)
JOB_OUTCOMES = ("done", "unfinished", "failed")
JOB_DURATION = Histogram(
    "harvester_job_duration_seconds",
    "How long a run took.",
    ["tenant", "stream"],
    buckets=(0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600),
)
DATABASE_UP = Gauge("harvester_database_up", "Whether the database answered when last asked.")
DATABASE_CONNECTIONS = Gauge(
    "harvester_database_connections", "Connections to the database, idle and used.", ["state"]
)
LOOP_DELAY = Gauge(
    "harvester_loop_delay_seconds", "How late the event loop was when last looked at."
)
RELOAD_SUCCESSFUL = Gauge(
    "harvester_config_last_reload_successful",
    "Whether the configuration was right when it was last read.",
)
RELOAD_SUCCESS_TIME = Gauge(
    "harvester_config_last_reload_success_timestamp_seconds",
    "When a right configuration was last read, in Unix time.",
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
    THROTTLE_WAIT,
    ACCOUNTS,
    ACCESS_REMAINING,
    REFRESH_REMAINING,
    SESSION_REMAINING,
    LOGINS_LEFT,
    WINDOWS,
    *_READINGS,
    TASK_REPORTS,
    STORE_GROUPS,
    STORE_DURATION,
    LAG,
    MISSING,
    LOST,
    RETENTION,
    SWEEP,
    BACKLOG,
    BACKLOG_DROPPED,
    CLOCK_SKEW,
    INDEX_LAG,
    FEEDS,
    DEVICES,
    LEASE_HELD,
    JOB_RUNS,
    JOB_DURATION,
    LAST_SUCCESS,
)


def expect(tenant: str, platform: str, token_reasons: Iterable[str] = ()) -> None:
    """Create a tenant's series at zero: a first failure must be a step that an alert can see.

    `token_reasons` are the platform's own, beside TOKEN_REASONS. What stands for an instant, or is
    only known once it was measured, is not created: a zero there would be a lie.
    """
    _expect_of_platform(tenant, platform, {*TOKEN_REASONS, *token_reasons})
    for stream in get_args(Stream):
        for outcome in WINDOW_OUTCOMES:
            WINDOWS.labels(tenant, stream, outcome)
        for outcome in JOB_OUTCOMES:
            JOB_RUNS.labels(tenant, stream, outcome)
        JOB_DURATION.labels(tenant, stream)
        BACKLOG_DROPPED.labels(tenant, stream)
    for readings in _READINGS:
        readings.labels(tenant)
    for outcome in TASK_REPORT_OUTCOMES:
        TASK_REPORTS.labels(tenant, outcome)
    for path in STORE_PATHS:
        STORE_GROUPS.labels(tenant, path)
    STORE_DURATION.labels(tenant)
    LEASE_HELD.labels(tenant)


def _expect_of_platform(tenant: str, platform: str, token_reasons: Iterable[str]) -> None:
    for grant in GRANTS:
        TOKEN_REQUESTS.labels(tenant, platform, grant)
        for reason in token_reasons:
            TOKEN_FAILURES.labels(tenant, platform, grant, reason)
    for outcome in OUTCOMES:
        REQUESTS.labels(tenant, platform, outcome)
    REQUEST_DURATION.labels(tenant, platform)
    THROTTLE_WAIT.labels(tenant, platform)
    for state in ACCOUNT_STATES:
        ACCOUNTS.labels(tenant, platform, state)


def forget(tenant: str) -> None:
    """Remove the series of a tenant that is no longer configured."""
    for metric in _OF_TENANTS:
        metric.remove_by_labels({"tenant": tenant})
