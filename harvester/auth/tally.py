"""How an account stands, as `harvester_accounts` counts it."""

from __future__ import annotations

from harvester import metrics
from harvester.auth.held import Account


class Tally:
    """One account's place in the gauge: unproven when it is made, counted until it leaves."""

    def __init__(self, account: Account) -> None:
        self._of = (account.tenant, account.platform)
        self._state: str | None = "unproven"
        metrics.ACCOUNTS.labels(*self._of, self._state).inc()

    def become(self, state: str | None) -> None:
        """One of `metrics.ACCOUNT_STATES`; None leaves the gauge, for good."""
        if self._state is None:
            return
        metrics.ACCOUNTS.labels(*self._of, self._state).dec()
        if state is not None:
            metrics.ACCOUNTS.labels(*self._of, state).inc()
        self._state = state
