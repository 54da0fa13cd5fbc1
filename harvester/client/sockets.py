"""A WebSocket (RFC 6455): how it is opened, and what arrives by it.

As of other exchanges nothing is logged here, and an error names a connection by its address alone:
what was sent or came may hold a token.
"""

import asyncio
import json
import os
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import Final, TypeVar

import aiohttp
from aiohttp import WebSocketError, WSCloseCode, WSMessage, WSMsgType

from harvester.client.answers import NO_JSON, asked_to_wait, decoded
from harvester.client.requests import Request
from harvester.client.sessions import why
from harvester.clock import Clock
from harvester.errors import (
    Malformed,
    PlatformError,
    RequestRefused,
    ServerFailed,
    Throttled,
    TooLarge,
    Unreachable,
)

PONG_SECONDS = 10.0
"""A platform that takes longer to answer a ping, or to take what is sent, is taken for gone."""
CLOSE_SECONDS = 2.0
KEPT_BODIES: Final = 4
"""What waits to be taken may be as large as so many answers."""

_OF_A_MESSAGE = 128  # bytes that each costs beside its own
_THROTTLED = (429, 503)

Frame = TypeVar("Frame", str, bytes)


class WebSocket:
    """A connection that is read all the time, until it is closed or breaks.

    Nothing that came is lost where it breaks: it can still be taken. After that, whatever ended it
    is raised by all of these: Unreachable, or TooLarge where more came than is kept.
    """

    def __init__(
        self,
        name: str,
        connection: aiohttp.ClientWebSocketResponse,
        clock: Clock,
        most_kept: int,
    ) -> None:
        self._name = name
        self._connection = connection
        self._clock = clock
        self._most_kept = most_kept
        self._kept: deque[bytes] = deque()
        self._size = 0
        self._unanswered: set[bytes] = set()
        self._over: tuple[type[PlatformError], str] | None = None
        self._changed = asyncio.Event()
        self._tasks = [asyncio.create_task(self._read())]

    async def send(self, message: object) -> None:
        """Send it as a text of JSON."""
        await self._write(self._connection.send_str, json.dumps(message))

    async def receive(self) -> object:
        """The next message, decoded: waited for. Raises Malformed where it is no JSON."""
        while not self._kept:
            await self._change()
        data = self._kept.popleft()
        self._size -= _cost(data)
        told = decoded(bytearray(data))
        if told is NO_JSON:
            raise Malformed(f"{self._name}: a message of {len(data)} bytes that is no JSON")
        return told

    def take(self) -> list[object]:
        """All messages that are kept, decoded; None for one that is no JSON."""
        if not self._kept:
            self._check()
        taken = [decoded(bytearray(data)) for data in self._kept]
        self._kept.clear()
        self._size = 0
        return [None if told is NO_JSON else told for told in taken]

    async def alive(self) -> datetime:
        """Return once a ping was answered: the instant of the ping, by our clock.

        What was sent to us before the answer is kept by then.
        """
        ping, pinged = os.urandom(8), self._clock.now()
        self._unanswered.add(ping)
        try:
            async with asyncio.timeout(PONG_SECONDS):
                await self._write(self._connection.ping, ping)
                while ping in self._unanswered:
                    await self._change()
        except TimeoutError:
            self._end(Unreachable, f"no answer to a ping in {PONG_SECONDS:g} s")
        finally:
            self._unanswered.discard(ping)
        self._check()
        return pinged

    async def close(self) -> None:
        """Return when nothing of it is open any more."""
        self._end(Unreachable, "closed by ourselves")
        await asyncio.wait(self._tasks)

    async def _write(self, write: Callable[[Frame], Awaitable[None]], what: Frame) -> None:
        self._check()
        try:
            async with asyncio.timeout(PONG_SECONDS):
                await write(what)
        except (aiohttp.ClientError, OSError) as error:
            self._end(Unreachable, why(error))
        self._check()

    async def _read(self) -> None:
        try:
            while self._over is None:
                await self._meet(await self._connection.receive())
        except (aiohttp.ClientError, OSError) as error:  # no pong could be sent
            self._end(Unreachable, why(error))

    async def _shut(self) -> None:
        """Whoever reads then reads that it is closed."""
        with suppress(aiohttp.ClientError, OSError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._connection.close()

    async def _meet(self, message: WSMessage) -> None:
        if message.type is WSMsgType.TEXT:
            self._keep(message.data.encode())
        elif message.type is WSMsgType.BINARY:
            self._keep(message.data)
        elif message.type is WSMsgType.PING:
            await self._connection.pong(message.data)
        elif message.type is WSMsgType.PONG:
            self._unanswered.discard(bytes(message.data))
            self._changed.set()
        elif message.type is WSMsgType.ERROR:
            self._break(message.data)
        else:
            self._end(Unreachable, f"closed by the platform ({self._connection.close_code})")

    def _break(self, error: Exception) -> None:
        code = error.code if isinstance(error, WebSocketError) else None
        if code == WSCloseCode.MESSAGE_TOO_BIG:
            self._end(TooLarge, "a message of more bytes than we take at once")
        else:
            self._end(Unreachable, f"broken off ({code or type(error).__name__})")

    def _keep(self, data: bytes) -> None:
        self._size += _cost(data)
        if self._size > self._most_kept:
            self._end(TooLarge, f"more than {self._most_kept} bytes that nobody took")
            return
        self._kept.append(data)
        self._changed.set()

    async def _change(self) -> None:
        """Return when something may have changed. Raises what ended it."""
        self._check()
        self._changed.clear()
        await self._changed.wait()

    def _end(self, kind: type[PlatformError], words: str) -> None:
        if self._over is None:
            self._over = kind, f"{self._name}: {words}"
            self._changed.set()
            self._tasks.append(asyncio.create_task(self._shut()))

    def _check(self) -> None:
        if self._over:
            kind, words = self._over
            raise kind(words)


def _cost(data: bytes) -> int:
    return len(data) + _OF_A_MESSAGE


async def opened(
    session: aiohttp.ClientSession, request: Request, clock: Clock, largest_message: int
) -> WebSocket:
    """A WebSocket where the request goes; `largest_message` is in decompressed bytes.

    Raises Unreachable, Throttled, ServerFailed, Malformed, RequestRefused (4xx and redirects).
    """
    try:
        connection = await session.ws_connect(
            request.url,
            autoping=False,
            max_msg_size=largest_message,
        )
        return WebSocket(str(request), connection, clock, KEPT_BODIES * largest_message)
    except aiohttp.WSServerHandshakeError as error:
        failure = _refused(request, error, clock.now())
    except (aiohttp.ClientError, OSError) as error:
        failure = Unreachable(f"{request}: {why(error)}")
    raise failure


def _refused(
    request: Request, error: aiohttp.WSServerHandshakeError, now: datetime
) -> PlatformError:
    message = f"{request}: {error.status}"
    if error.status in _THROTTLED:
        return Throttled(message, asked_to_wait(error.headers or {}, now))
    if error.status >= 500:
        return ServerFailed(message)
    if error.status >= 300:
        return RequestRefused(message, error.status)
    return Malformed(f"{message}, and no WebSocket")
