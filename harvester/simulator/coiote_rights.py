"""Who may ask the fake Coiote what, and how often."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from harvester.simulator.coiote_auth import Token
from harvester.simulator.coiote_errors import Coded
from harvester.simulator.coiote_quirks import Switches
from harvester.simulator.faults import Refusal

DETAILS = "devices/find/details"
REPORTS_SINCE = "taskReports/findSince"
SUMMARY = "taskReports/summary"
NOT_GRANTED = frozenset({DETAILS, REPORTS_SINCE, SUMMARY})
"""What the vendor's page on access leaves out of that which users are granted, by route."""

MINUTE = timedelta(minutes=1)


class Rights:
    """What accounts were forbidden, and what they asked for in this minute."""

    def __init__(self, switches: Switches, now: Callable[[], datetime]) -> None:
        self._switches = switches
        self._now = now
        self._forbidden: set[tuple[str, str | None]] = set()
        self._minute = now()
        self._asked: Counter[str] = Counter()

    def forbid(self, account: str, route: str | None) -> None:
        self._forbidden.add((account, route))

    def check(self, token: Token, route: str) -> None:
        """Raises Refusal 429, and Coded 4030 where the account may not."""
        self._throttle(token.account)
        may_all = token.user is None or self._switches.permissions == "all"
        is_taken = {(token.account, route), (token.account, None)} & self._forbidden
        if is_taken or not (may_all or route not in NOT_GRANTED):
            raise Coded(4030, "Forbidden")

    def _throttle(self, account: str) -> None:
        most = self._switches.requests_per_minute
        if most is None:
            return
        if self._now() >= self._minute + MINUTE:
            self._minute = self._now()
            self._asked.clear()
        self._asked[account] += 1
        if self._asked[account] > most:
            left = self._minute + MINUTE - self._now()
            seconds = str(-(-left // timedelta(seconds=1)))
            told = {"Retry-After": seconds} if self._switches.retry_after else None
            raise Refusal(429, "Too many requests", told)
