"""DeviceHive: users with a password, or a token in its place, and what their devices sent of late.

What is relied on here, and how firmly it is known, stands in docs/platforms/devicehive.md.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import ClassVar
from urllib.parse import quote

import structlog

from harvester.errors import Forbidden, Malformed
from harvester.logs import Failures
from harvester.model import (
    Credentials,
    Discovered,
    Feed,
    OpenTask,
    Said,
    Stream,
    TaskReport,
    Token,
    Window,
)
from harvester.platforms import base
from harvester.platforms.devicehive import (
    devices,
    listening,
    listing,
    readings,
    server,
    tokens,
)
from harvester.platforms.devicehive.commands import Commands
from harvester.platforms.devicehive.narrowing import Narrowing
from harvester.platforms.devicehive.options import DeviceHiveOptions

BATCH = 10_000
"""Samples handed on at once: one message may hold any number of them."""

_log = structlog.stdlib.get_logger(__name__)


class Adapter(base.Platform):
    """DeviceHive as seen by one tenant. No token can be ended before its time.

    A device has a feed of notifications and one of commands. The axis is their arrival at the
    server, by its clock.
    """

    Options: ClassVar[type[base.Options]] = DeviceHiveOptions
    token_reasons: ClassVar[tuple[str, ...]] = tokens.REASONS
    takes: ClassVar[frozenset[str]] = frozenset({"password", "refresh_token", "access_token"})
    reuses_refresh_tokens: ClassVar[bool] = True
    # Networks granted since a login are in none of its tokens.
    login_lasts: ClassVar[timedelta | None] = timedelta(days=1)
    streams: ClassVar[tuple[Stream, ...]] = ("readings", "task_reports")
    # Devices may set a message's instant, so no span of instants holds all that arrived in a time.
    whole: ClassVar[frozenset[Stream]] = frozenset({"readings", "task_reports"})
    looks: ClassVar[tuple[timedelta, ...]] = ()
    axis_is_instant: ClassVar[bool] = False

    def __init__(self, options: DeviceHiveOptions) -> None:
        self._options = options
        self._failures = Failures(_log)
        self._narrowing = Narrowing(options, self._failures)
        self._commands = Commands(options)
        self._generation = options.generation or server.CAUTIOUS

    @property
    def retention(self) -> timedelta:
        return self._options.retention

    def token_url(self, credentials: Credentials) -> str:
        if credentials.password is None and credentials.refresh_token is not None:
            return self._options.refresh_url
        return self._options.login_url

    def grant(self, credentials: Credentials) -> str:
        """The password goes before the tokens. A given refresh token is a login's, no renewal's."""
        if credentials.password is None and (credentials.refresh_token or credentials.access_token):
            return "configured"
        return "password"

    async def login(
        self, exchange: base.Exchange, credentials: Credentials, now: datetime
    ) -> Token:
        """The user's login or a configured refresh token, narrowed; or the access token as given.

        Raises CredentialRefused, TransientError, Malformed.
        """
        if credentials.password is not None:
            token = await tokens.of_password(exchange, self._options, credentials, now)
        elif credentials.refresh_token is not None:
            refresh = credentials.refresh_token
            token = await tokens.of_refresh_token(exchange, self._options, refresh, now)
        else:
            return tokens.as_given(credentials.access_token or "")
        return await self._narrowing.narrowed(exchange, token, credentials.user, now)

    async def renew(self, exchange: base.Exchange, token: Token, now: datetime) -> Token:
        """Another access token with the same refresh token, which is never spent by it.

        Raises RenewalRefused, TransientError, Malformed.
        """
        return await tokens.renewed(exchange, self._options, token, now)

    @property
    def under_way(self) -> timedelta:
        """Messages pass the server's queues before they can be asked for."""
        return listening.UNDER_WAY

    async def time(self, api: base.Api) -> datetime:
        """The server's. Which generation it is of is learned with it, for all that is asked then.

        Raises Malformed where there is no DeviceHive, and the other errors of `Api`.
        """
        told = await server.asked(api)
        self._generation = self._options.generation or told.generation
        return told.now

    async def discover(self, api: base.Api, credentials: Credentials) -> AsyncIterator[Discovered]:
        """All devices of the networks and device types that the user's token is good for.

        Raises PlatformError.
        """
        await self.time(api)  # tells of a wrong base_url more plainly than a list does
        async for found in devices.of_user(api, credentials.user, self._failures):
            yield found

    def readings(self, api: base.Api, feed: Feed, window: Window) -> AsyncIterator[Sequence[Said]]:
        """The samples of all notifications that are kept of the device.

        Raises PlatformError, and Truncated where an answer cannot be proven complete.
        """
        del window  # what arrived in it cannot be asked for by itself
        return self._pulled(api, feed.key, "notification", readings.samples)

    def task_reports(
        self, api: base.Api, feed: Feed, window: Window
    ) -> AsyncIterator[Sequence[Said]]:
        """The reports of all commands that are kept of the device, and the samples of results.

        Raises PlatformError, and Truncated where an answer cannot be proven complete.
        """
        del window  # what changed in it cannot be asked for by itself
        return self._pulled(api, feed.key, "command", self._commands.said)

    async def task_report(self, api: base.Api, feed: Feed, task: OpenTask) -> Sequence[Said]:
        """A command is gone when the cache forgets it, and its number may be another's then.

        Raises PlatformError.
        """
        path = _path(feed.key, "command", task.task)
        try:
            said = list(self._commands.said(feed.key, await api.get(path)))
        except Forbidden as error:
            if error.status == 404:  # who does not see the device gets a 403
                return ()
            raise
        reports = [each for each in said if isinstance(each, TaskReport)]
        if not reports:
            raise Malformed(f"{path} is no command")
        return said if reports[0].identity == task.identity else ()

    def listens(self, stream: Stream) -> bool:
        return stream in self.streams and self._options.ingest == "websocket"

    async def listen(self, api: base.SocketApi, stream: Stream) -> base.Listening:
        """What all devices notify of, or all commands and the answers to them.

        Raises PlatformError.
        """
        said = readings.samples if stream == "readings" else self._commands.said
        return await listening.subscribed(api, self._options.socket_url, stream, said)

    async def _pulled(
        self,
        api: base.Api,
        device: str,
        kind: str,
        said: Callable[[str, object], Iterable[Said]],
    ) -> AsyncIterator[Sequence[Said]]:
        path = _path(device, kind)
        async for messages in listing.rows(api, path, self._generation, self._failures):
            told = chain.from_iterable(said(device, each) for each in messages)
            while batch := list(islice(told, BATCH)):
                yield batch


def _path(device: str, *rest: str) -> str:
    return "/".join(["/device", *(quote(each, safe="") for each in (device, *rest))])
