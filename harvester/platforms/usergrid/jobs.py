"""Imports and exports: jobs of an organization, asked for by their UUIDs.

Nothing lists them. Who begins one is told its UUID, and the settings name it:
docs/platforms/usergrid.md.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

from harvester.errors import (
    Forbidden,
    Malformed,
    RequestRefused,
    ServerFailed,
    TooLarge,
    Truncated,
)
from harvester.logs import Failures
from harvester.model import FINAL, Feed, OpenTask, Said, TaskReport, Window
from harvester.platforms.base import Api
from harvester.platforms.usergrid import graph
from harvester.platforms.usergrid.options import UsergridOptions
from harvester.platforms.usergrid.pages import entity_of, page
from harvester.platforms.usergrid.properties import Record, uuid
from harvester.platforms.usergrid.states import state_of

IMPORTS, EXPORTS = "imports", "exports"
"""Keys of feeds, and the first part of a report's identity."""
EVERY = timedelta(minutes=1)
"""They are asked for at each tick, but no more often."""
SLOWEST = timedelta(hours=6)
"""One of which nothing new is expected is asked for so often at least."""

_ITS_OWN = (Malformed, RequestRefused, TooLarge, Truncated)
"""What costs one job, while the others may still be had."""


@dataclass(frozen=True, slots=True)
class _Still:
    """A job of which nothing new is expected: it is over or, with a `refusal`, cannot be had.

    Both instants are by the axis of the windows.
    """

    since: datetime
    asked_at: datetime
    refusal: str | None

    def is_due(self, now: datetime) -> bool:
        """Ever more slowly; the first time at once, as what was told may not have been stored."""
        return now >= self.asked_at + min(self.asked_at - self.since, SLOWEST)


class Jobs:
    """Those that one tenant's settings name."""

    def __init__(self, options: UsergridOptions, failures: Failures) -> None:
        organization = f"/management/orgs/{quote(options.organization, safe='')}"
        application = f"{organization}/apps/{quote(options.application, safe='')}"
        self._places = {IMPORTS: f"{application}/imports", EXPORTS: f"{organization}/export"}
        self._given = {IMPORTS: options.imports, EXPORTS: options.exports}
        self._failures = failures
        self._still: dict[str, _Still] = {}
        """By path."""

    def are_of(self, feed: Feed) -> bool:
        """Whether it is a feed of jobs that the settings name."""
        return bool(self._given.get(feed.key))

    async def feeds(self, api: Api, who: str) -> list[Feed]:
        """None of a kind that is forbidden to the account, or that the server does not have: that
        is told. Raises the other errors of `Api` but those that are of one job alone.
        """
        return [
            Feed("task_reports", kind, from_now=True, every=EVERY)
            for kind, given in self._given.items()
            if given and await self._may_ask(api, who, kind, given[0])
        ]

    async def pulled(self, api: Api, feed: Feed, window: Window) -> AsyncIterator[list[Said]]:
        """How each stands now, a job at a time; `window` tells only when that is.

        One that cannot be had is told, and does not cost the others. Raises the errors of `Api`
        that are not of one job alone.
        """
        for job in self._given[feed.key]:
            still = self._still.get(self._path(feed.key, job))
            if still is None or still.is_due(window.until):
                yield await self._told(api, feed.key, job, window.until)

    async def again(self, api: Api, feed: Feed, task: OpenTask) -> list[Said]:
        """How one stands now. Raises RequestRefused where it is not known, Malformed, Truncated,
        and the errors of `Api`.

        One that could not be had is left to its feed: each try is repeated by the client, and the
        tenant's other tasks would wait for that.
        """
        still = self._still.get(self._path(feed.key, task.task))
        if still and still.refusal is not None:
            raise RequestRefused(still.refusal, 0)
        return [await self._report(api, feed.key, task.task)]

    async def _may_ask(self, api: Api, who: str, kind: str, job: str) -> bool:
        what = f"{who}: {kind}"
        try:
            await _entity(api, kind, self._path(kind, job))
        except _ITS_OWN:
            pass  # its feed will tell
        except Forbidden as error:
            self._failures.failing(what, error.reason, status=error.status)
            return False
        self._failures.well(what)
        return True

    async def _told(self, api: Api, kind: str, job: str, now: datetime) -> list[Said]:
        path = self._path(kind, job)
        try:
            report = await self._report(api, kind, job)
        except _ITS_OWN as error:
            self._failures.failing(path, error.reason, error=str(error))
            self._rest(path, now, str(error))
            return []
        self._failures.well(path)
        if report.state in FINAL:
            self._rest(path, now, None)
        else:
            self._still.pop(path, None)
        return [report]

    def _rest(self, path: str, now: datetime, refusal: str | None) -> None:
        before = self._still.get(path)
        is_same = before is not None and (before.refusal is None) is (refusal is None)
        since = before.since if before and is_same else now
        self._still[path] = _Still(since, now, refusal)

    async def _report(self, api: Api, kind: str, job: str) -> TaskReport:
        path = self._path(kind, job)
        said = await _entity(api, kind, path)
        if uuid(entity_of(said).get("uuid")) != job:
            raise Malformed(f"{path} is no entity of that UUID")
        entity = Record(said)
        stated = entity.text("state")
        return TaskReport(
            identity=f"{kind}/{job}",
            task=job,
            kind=kind.removesuffix("s"),
            state=state_of(stated),
            stated_state=stated,
            created_at=entity.instant("created"),
            started_at=entity.instant("started"),
            updated_at=entity.instant("modified"),
            result=await _files(api, f"{path}/files") if kind == IMPORTS else None,
            details=entity.rest(),
        )

    def _path(self, kind: str, job: str) -> str:
        return f"{self._places[kind]}/{quote(job, safe='')}"


async def _entity(api: Api, kind: str, path: str) -> object:
    """An export comes bare; an import in a list of one, None where that is empty."""
    with _refused_alone():
        if kind == EXPORTS:
            return await api.get(path)
        return next(iter((await page(api, path, {})).entities), None)


async def _files(api: Api, path: str) -> list[object]:
    """How each file of an import fared."""
    with _refused_alone():
        return [
            Record(file).rest() async for told in graph.pages(api, path) for file in told.entities
        ]


@contextmanager
def _refused_alone() -> Iterator[None]:
    """Raise RequestRefused for all that a server says of a job that it does not know: a 400 of an
    export, a 500 of an import, which must not pass for a platform that is away. A 404 of its own is
    what it means to say.
    """
    try:
        yield
    except ServerFailed as error:
        raise RequestRefused(str(error), 500) from error
    except Forbidden as error:
        if entity_of(error.body).get("error") != "entity_not_found":
            raise
        raise RequestRefused(str(error), error.status, error.body) from error
