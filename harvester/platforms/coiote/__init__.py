"""Coiote IoT DM: users with a password or a token, and maybe a service account or an exchange.

What is relied on here, and how firmly it is known, stands in docs/platforms/coiote.md.
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
    Meanings,
    OpenTask,
    Said,
    Stream,
    Token,
    Window,
)
from harvester.platforms import base
from harvester.platforms.coiote import codes, tokens
from harvester.platforms.coiote.asking import Asking
from harvester.platforms.coiote.contacts import Contacts
from harvester.platforms.coiote.discovering import Discovering
from harvester.platforms.coiote.future import Future
from harvester.platforms.coiote.meanings import MEANINGS
from harvester.platforms.coiote.models import Models
from harvester.platforms.coiote.moves import Moves
from harvester.platforms.coiote.options import CoioteOptions
from harvester.platforms.coiote.readings import Readings
from harvester.platforms.coiote.silence import Silence
from harvester.platforms.coiote.tasks import Tasks


class Adapter(base.Platform):
    """Coiote as seen by one tenant. A feed is the history of one resource of a device, or the
    latest values of others; no login comes with a refresh token."""

    Options: ClassVar[type[base.Options]] = CoioteOptions
    token_reasons: ClassVar[tuple[str, ...]] = tokens.REASONS
    takes: ClassVar[frozenset[str]] = frozenset({"password", "access_token"})
    streams: ClassVar[tuple[Stream, ...]] = ("readings", "task_reports")
    meanings: ClassVar[Meanings] = MEANINGS

    def __init__(self, options: CoioteOptions) -> None:
        self._options = options
        asking = Asking()
        models, contacts, moves = Models(asking), Contacts(asking), Moves()
        failures = Failures(structlog.stdlib.get_logger(__name__))
        self._future = Future(options.settling)
        self._discovering = Discovering(options, asking, models, contacts, moves, failures)
        silence = Silence(options.retention, ask_silent=options.ask_silent)
        self._readings = Readings(asking, models, contacts, moves, self._future, silence)
        self._tasks = Tasks(asking)

    @property
    def own_client(self) -> bool:
        return bool(self._options.client_id or self._options.token_exchange_url)

    @property
    def retention(self) -> timedelta:
        return self._options.retention

    @property
    def under_way(self) -> timedelta:
        return self._future.under_way

    @classmethod
    def is_lasting(cls, body: object) -> bool:
        """Of a device that is not monitored, whose status is that of an overloaded server."""
        return codes.code_in(body) == codes.NOT_MONITORED

    def token_url(self, credentials: Credentials) -> str:
        """The user's at the API's host, the tenant's own where its service account is."""
        if credentials.user is None:
            return self._options.own_token_url
        return self._options.user_token_url

    def grant(self, credentials: Credentials) -> str:
        """A configured access token is only taken as it is, without a call."""
        if credentials.access_token is not None:
            return "configured"
        if credentials.user is None and self._options.token_exchange_url:
            return "token_exchange"
        return super().grant(credentials)

    async def login(
        self, exchange: base.Exchange, credentials: Credentials, now: datetime
    ) -> Token:
        """A new token, which always has an end; a configured one has it where it tells.

        Raises CredentialRefused, ClientRefused, TransientError, Malformed.
        """
        if credentials.access_token is not None:
            return tokens.by_hand(credentials.access_token, now)
        if credentials.user is None:
            return await tokens.of_client(exchange, self._options, now)
        return await tokens.of_user(exchange, self._options, credentials, now)

    async def revoke(self, exchange: base.Exchange, credentials: Credentials, token: Token) -> bool:
        """Only what users log in with is known to have an end before its time.

        Raises TransientError.
        """
        if credentials.user is None:
            return False
        return await tokens.invalidated(exchange, self._options, token)

    def begin(self, stream: Stream, until: datetime) -> None:
        """A tick begins, whose newest windows end at `until`."""
        if stream == "readings":
            self._readings.begin(until)

    def discover(self, api: base.Api, credentials: Credentials) -> AsyncIterator[Discovered]:
        """All devices that the account sees, and a feed of its task reports.

        Raises PlatformError.
        """
        self._readings.begin_anew(self._discovering.devices)
        return self._discovering.found(api, credentials.user, self._readings.is_told)

    def readings(self, api: base.Api, feed: Feed, window: Window) -> AsyncIterator[Sequence[Said]]:
        """The samples of a resource's history in the window, or the latest values there are.

        Raises PlatformError, and Truncated where an answer cannot be proven complete.
        """
        return self._readings.pulled(api, feed, window)

    def task_reports(
        self, api: base.Api, feed: Feed, window: Window
    ) -> AsyncIterator[Sequence[Said]]:
        """The reports of tasks that changed in the window or, where that cannot be asked, of all.

        Raises PlatformError, and Truncated where some are left for the next pull.
        """
        return self._tasks.pulled(api, feed, window)

    async def task_report(self, api: base.Api, feed: Feed, task: OpenTask) -> Sequence[Said]:
        """How it stands now, by itself. Raises PlatformError."""
        del feed  # a task and its device are named alike in all of them
        return await self._tasks.again(api, task)
