"""Task reports of one user: those that changed since an instant, or all of them one by one.

The first way is closed to ordinary users: docs/platforms/coiote.md.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from harvester.errors import Forbidden, Malformed, RequestRefused, TooLarge, Truncated
from harvester.model import BEGINNING, FINAL, Feed, OpenTask, Said, Sample, TaskReport, Window
from harvester.platforms.base import Api
from harvester.platforms.coiote import instants, reports
from harvester.platforms.coiote.asking import Asking
from harvester.platforms.coiote.changes import Changes
from harvester.platforms.coiote.codes import NOT_EXECUTED, UNKNOWN, code_of
from harvester.platforms.coiote.remembered import Remembered

REPORTS = "taskReports"
TRIED_AGAIN = timedelta(hours=6)
"""Whether an account may ask for what changed now, where it may not before."""
BUDGET = 500
"""Reports that are asked for one by one in one pull."""
ONCE_MORE = 20
"""Of those, reports of tasks that were over: one that is run again keeps its report."""

Key = tuple[str, str]
"""A task and a device."""


def feed_of(user: str | None) -> Feed:
    """All reports of one user, or of the tenant's own client: another one may see others."""
    return Feed("task_reports", f"task reports of {user or '(client)'}")


@dataclass(slots=True)
class _Known:
    """What was asked for of one feed: by key, whether it was over; last asked, last."""

    is_over: dict[Key, bool] = field(default_factory=dict)
    told_at: datetime = BEGINNING
    """What was told then is all that there is of any window before."""

    def due(self, keys: Sequence[Key]) -> list[Key]:
        """Which to ask for now: first those that never were. What is gone is forgotten."""
        there = set(keys)
        self.is_over = {key: over for key, over in self.is_over.items() if key in there}
        new = [key for key in dict.fromkeys(keys) if key not in self.is_over]
        still = [key for key, over in self.is_over.items() if not over]
        over = [key for key, is_over in self.is_over.items() if is_over]
        return [*new, *still, *over[:ONCE_MORE]][:BUDGET]

    def asked(self, key: Key, is_over: bool) -> None:
        self.is_over.pop(key, None)
        self.is_over[key] = is_over


class Tasks:
    """How the task reports of one tenant are pulled, and what was learned from that."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._closed = Remembered()
        self._known: dict[str, _Known] = {}

    async def pulled(self, api: Api, feed: Feed, window: Window) -> AsyncIterator[list[Said]]:
        """All reports that changed in the window, and others.

        Raises Truncated where an answer cannot be proven complete or too many are left for the next
        pull, Malformed, and the errors of `Api`.
        """
        if not self._closed.holds(feed.key, window.until):
            try:
                async for rows in self._since(api, window):
                    yield [_said(row) for row in rows]
                return
            except Forbidden:
                self._closed.keep(feed.key, window.until, TRIED_AGAIN)
        known = self._known.setdefault(feed.key, _Known())
        if window.since < known.told_at < window.until:  # what was told then was not kept
            known.is_over.clear()
        if known.told_at < window.until:
            async for said in self._each(api, known):
                yield [said]
            known.told_at = window.until

    async def one(self, api: Api, task: str, device: str) -> Said | None:
        """A report by itself; None where there is no such task any more.

        Raises Malformed, and the errors of `Api`.
        """
        try:
            row = await self._asking.get(api, REPORTS, task, device)
        except Forbidden as refusal:
            code = code_of(refusal)
            if code == NOT_EXECUTED:
                return reports.waiting(task, device)
            if code == UNKNOWN:
                return None
            raise
        report = reports.report(row)
        if report is None or report.identity != reports.identity(task, device):
            raise Malformed("an answer that should be a task's report is none")
        return report

    async def again(self, api: Api, task: OpenTask) -> Sequence[Said]:
        """How a task stands now. Raises as `one` does."""
        said = await self.one(api, task.task, task.device) if task.device else None
        return [said] if said else []

    async def _since(self, api: Api, window: Window) -> AsyncIterator[list[object]]:
        """Pages of what changed. Raises Truncated where what changed at once is not all told."""
        since, until = map(instants.first_millis, (window.since, window.until))
        changes = Changes(since, until)
        while not changes.is_over:
            try:
                answer = await self._asking.get(api, REPORTS, "findSince", params=changes.params())
            except RequestRefused:
                if not changes.refused():
                    raise
            except TooLarge:
                if not changes.too_large():
                    raise
            else:
                yield changes.take(_rows(answer))
        if changes.is_cut:
            raise Truncated("more task reports changed in one millisecond than are told")

    async def _each(self, api: Api, known: _Known) -> AsyncIterator[Said]:
        """Raises Truncated where some were never asked for yet."""
        keys = [
            key
            for row in _rows(await self._asking.get(api, REPORTS))
            if isinstance(row, dict) and (key := reports.key_of(row))
        ]
        refusal: Forbidden | None = None
        for key in known.due(keys):
            try:
                said = await self.one(api, *key)
            except Forbidden as error:
                if error.status == 403:  # none of the others may be read either
                    raise
                refusal = error
                continue
            known.asked(key, isinstance(said, TaskReport) and said.state in FINAL)
            if said:
                yield said
        if refusal:
            raise refusal
        if left := set(keys) - known.is_over.keys():
            raise Truncated(f"{len(left)} task reports are left for the next pull")


def _rows(answer: object) -> list[object]:
    if not isinstance(answer, list):
        raise Malformed("the list of task reports is no list")
    return answer


def _said(row: object) -> Said:
    """What is out of shape becomes a sample without a channel, to be rejected in the open."""
    return reports.report(row) or Sample("", "", None, reports.without_secrets(row))
