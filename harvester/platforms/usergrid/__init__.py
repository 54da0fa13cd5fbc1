"""Apache Usergrid: users of an application, its admin users, and clients of either.

What is relied on here, and how firmly it is known, stands in docs/platforms/usergrid.md.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

import structlog

from harvester.logs import Failures
from harvester.model import (
    Credentials,
    Discovered,
    Feed,
    OpenTask,
    Said,
    Stream,
    Token,
    Window,
)
from harvester.platforms import base
from harvester.platforms.usergrid import discovering, server, sources, tasks, tokens
from harvester.platforms.usergrid.index import Index
from harvester.platforms.usergrid.jobs import Jobs
from harvester.platforms.usergrid.options import UsergridOptions
from harvester.platforms.usergrid.readings import Readings


class Adapter(base.Platform):
    """Usergrid as seen by one tenant: an application, at one of its levels of authentication.

    There are no refresh tokens: whoever needs a new token logs in again. The axis is when an entity
    was created or, of the feeds of what was changed, last modified, by the server's clock.
    """

    Options: ClassVar[type[base.Options]] = UsergridOptions
    token_reasons: ClassVar[tuple[str, ...]] = tokens.REASONS
    streams: ClassVar[tuple[Stream, ...]] = ("readings", "task_reports")
    axis_is_instant: ClassVar[bool] = False

    def __init__(self, options: UsergridOptions) -> None:
        self._options = options
        self._failures = Failures(structlog.stdlib.get_logger(__name__))
        self._index = Index()
        self._readings = Readings(options, self._index, self._failures)
        self._jobs = Jobs(options, self._failures)

    @property
    def own_client(self) -> bool:
        return self._options.client_id is not None

    def is_about_token(self, body: object) -> bool | None:
        """By its code; others than the platform's own tell nothing."""
        return tokens.is_dead(body)

    def probe(self, credentials: Credentials) -> str:
        """Its own entity, of a user of the application; else the application.

        Not `/management/me`: older servers make another token of each such read.
        """
        is_its_user = self._is_of_application(credentials)
        return f"{self._options.root}/users/me" if is_its_user else self._options.root

    def token_url(self, _credentials: Credentials) -> str:
        """Of the application, or of the management: users and clients of a level share it."""
        return f"{self._options.level_url}/token"

    async def login(
        self, exchange: base.Exchange, credentials: Credentials, now: datetime
    ) -> Token:
        """The user's password grant, or the client's credentials grant.

        Raises CredentialRefused, ClientRefused (also where the tenant's options are wrong),
        TransientError, Malformed.
        """
        return await tokens.granted(exchange, self._options, credentials, now)

    async def revoke(self, exchange: base.Exchange, credentials: Credentials, token: Token) -> bool:
        """End a user's token, and none of the user's others. A client's cannot be ended.

        Raises RequestRefused where the user may not, TransientError, Malformed.
        """
        if credentials.user is None:
            return False
        await tokens.revoked(exchange, self._options, token)
        return True

    @property
    def under_way(self) -> timedelta:
        """What was written a moment ago, the index may not know yet."""
        return self._options.index_lag

    @property
    def behind(self) -> timedelta | None:
        return self._readings.behind

    def source(self, feed: Feed) -> str:
        """The path, to whichever of its feeds that leads."""
        return sources.path_of(feed.key)

    async def time(self, api: base.Api) -> datetime | None:
        """The server's. Each tick begins with it: an index that was away is asked again then.

        Raises PlatformError.
        """
        self._index.ask_again()
        now = await server.time(api, self._options)
        self._index.began_at(now)
        return now

    async def discover(self, api: base.Api, credentials: Credentials) -> AsyncIterator[Discovered]:
        """The feeds of all configured paths that the account may read, and the devices that have
        paths of their own; and the feeds of the organization's jobs.

        Raises PlatformError.
        """
        who = credentials.user or "(client)"
        async for found in discovering.found(api, self._options, who, self._failures):
            yield found
        if not self._is_of_application(credentials) and (jobs := await self._jobs.feeds(api, who)):
            yield Discovered(None, tuple(jobs))

    def readings(self, api: base.Api, feed: Feed, window: Window) -> AsyncIterator[Sequence[Said]]:
        """The samples of the entities of the window, and of others that were met.

        Raises PlatformError, and Truncated where an answer cannot be proven complete.
        """
        return self._readings.pulled(api, feed, window)

    def task_reports(
        self, api: base.Api, feed: Feed, window: Window
    ) -> AsyncIterator[Sequence[Said]]:
        """The reports of the entities that were last modified in the window; of all jobs that the
        settings name, as they stand now.

        Raises PlatformError, and Truncated where an answer cannot be proven complete.
        """
        if self._jobs.are_of(feed):
            return self._jobs.pulled(api, feed, window)
        return tasks.pulled(api, self._options, feed, window, self._failures)

    async def task_report(self, api: base.Api, feed: Feed, task: OpenTask) -> Sequence[Said]:
        """How it stands now, by itself. Raises PlatformError."""
        if self._jobs.are_of(feed):
            return await self._jobs.again(api, feed, task)
        return await tasks.again(api, self._options, feed, task)

    def _is_of_application(self, credentials: Credentials) -> bool:
        """Whether it is a user who knows nothing beyond the application."""
        return credentials.user is not None and self._options.level == "application"
