"""myDevices: users with a password, their things, and what each of them measured.

What is relied on here, and how firmly it is known, stands in docs/platforms/mydevices.md.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import ClassVar

import structlog

from harvester.logs import Failures
from harvester.model import (
    Credentials,
    Discovered,
    Feed,
    Meanings,
    OpenTask,
    Sample,
    Stream,
    TaskReport,
    Token,
    Window,
)
from harvester.platforms import base
from harvester.platforms.mydevices import readings, tasks, things, tokens
from harvester.platforms.mydevices.meanings import MEANINGS
from harvester.platforms.mydevices.options import MyDevicesOptions


class Adapter(base.Platform):
    """myDevices as seen by one tenant. A thing is a device, and has one feed of readings.

    Reports and alerts are listed for each user, who has one feed of them.
    """

    streams: ClassVar[tuple[Stream, ...]] = ("readings", "task_reports")
    whole: ClassVar[frozenset[Stream]] = frozenset({"task_reports"})
    meanings: ClassVar[Meanings] = MEANINGS
    Options: ClassVar[type[base.Options]] = MyDevicesOptions
    token_reasons: ClassVar[tuple[str, ...]] = tokens.REASONS

    def __init__(self, options: MyDevicesOptions) -> None:
        self._options = options
        self._failures = Failures(structlog.stdlib.get_logger(__name__))

    @property
    def own_client(self) -> bool:
        return self._options.admin_client_id is not None

    def token_url(self, credentials: Credentials) -> str:
        """The user's at the API's host, the admin client's at its realm."""
        if credentials.user is None:
            return self._options.admin_token_url
        return self._options.user_token_url

    async def login(
        self, exchange: base.Exchange, credentials: Credentials, now: datetime
    ) -> Token:
        """The user's password grant, or the admin's client credentials grant.

        Raises CredentialRefused, TransientError, Malformed.
        """
        if credentials.user is None:
            return await tokens.of_client(exchange, self._options, now)
        return await tokens.of_user(exchange, self._options, credentials, now)

    async def renew(self, exchange: base.Exchange, token: Token, now: datetime) -> Token:
        """The refresh grant; an answer without a refresh token keeps the old one.

        Raises RenewalRefused, CredentialRefused, TransientError, Malformed.
        """
        return await tokens.renewed(exchange, self._options, token, now)

    def discover(self, api: base.Api, credentials: Credentials) -> AsyncIterator[Discovered]:
        """All that the user sees or, for the admin's client, all things of all users.

        Raises PlatformError.
        """
        if credentials.user is None:
            return things.of_client(api, self._failures)
        return things.of_user(api, credentials.user, self._failures)

    def readings(
        self, api: base.Api, feed: Feed, window: Window
    ) -> AsyncIterator[Sequence[Sample]]:
        """The samples of each answer; some lie just outside of the window.

        Raises PlatformError, and Truncated where an answer cannot be proven complete.
        """
        return readings.pulled(api, feed.key, window)

    def task_reports(
        self, api: base.Api, feed: Feed, _window: Window
    ) -> AsyncIterator[Sequence[TaskReport]]:
        """The reports of each list, whatever the window.

        Raises PlatformError, but not where a list is not offered to the user.
        """
        return tasks.listed(api, feed, self._failures)

    async def task_report(self, api: base.Api, _feed: Feed, task: OpenTask) -> Sequence[TaskReport]:
        """What its list says of it now. Raises PlatformError."""
        return await tasks.again(api, task)
