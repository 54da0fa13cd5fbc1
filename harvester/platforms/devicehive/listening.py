"""The WebSocket: what comes in at the platform is told at once, and nobody asks.

A subscription without a filter is one to all networks and types of devices that the account may
see as it begins. It outlives the token.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta

from harvester.errors import (
    Forbidden,
    Malformed,
    PlatformError,
    RequestRefused,
    ServerFailed,
    Unauthorized,
    Unreachable,
)
from harvester.model import Said, Sample, Stream
from harvester.platforms.base import Socket, SocketApi

ANSWER_SECONDS = 30.0
AT_ONCE = 1_000
"""Messages that are read before others get their turn."""
UNDER_WAY = timedelta(seconds=2)
"""A message passes the platform's queues before anybody is told of it; a ping does not."""

Read = Callable[[str, object], Iterator[Said]]
"""What one notification or one command of a device says."""

_SUBSCRIPTIONS: Mapping[Stream, tuple[Mapping[str, object], ...]] = {
    "readings": ({"action": "notification/subscribe", "requestId": "notifications"},),
    # One tells of new commands, or of answers to commands: never of both.
    "task_reports": (
        {
            "action": "command/subscribe",
            "requestId": "commands",
            "returnUpdatedCommands": False,
        },
        {
            "action": "command/subscribe",
            "requestId": "answers",
            "returnUpdatedCommands": True,
        },
    ),
}
_BRINGS = {
    "notification/insert": "notification",
    "command/insert": "command",
    "command/update": "command",
}
"""The key of what a message of that action brings."""
_REFUSALS: Mapping[int, type[PlatformError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: Forbidden,
}


class Subscribed:
    """`base.Listening`, over one socket."""

    def __init__(self, socket: Socket, read: Read, early: list[object], since: datetime) -> None:
        self.since = since
        self._socket = socket
        self._read = read
        self._early = early
        self._until = since

    async def heard(self) -> tuple[list[Said], datetime]:
        """Raises Unreachable, TooLarge, and what a refusal means that the platform sends.

        What came before the socket broke is told first, without more time being proven.
        """
        with suppress(PlatformError):  # the same is raised below, once nothing is left
            pinged = await self._socket.alive()
            self._until = max(self._until, pinged - UNDER_WAY)
        messages = [*self._early, *self._socket.take()]
        self._early = []
        heard: list[Said] = []
        for n, message in enumerate(messages, 1):
            heard += self._said(message)
            if n % AT_ONCE == 0:
                await asyncio.sleep(0)  # all that a socket keeps takes seconds
        return heard, self._until

    async def close(self) -> None:
        await self._socket.close()

    def _said(self, message: object) -> Iterator[Said]:
        told = message if isinstance(message, dict) else {}
        action = told.get("action")
        if isinstance(action, str) and action in _BRINGS:
            brought = told.get(_BRINGS[action])
            device = brought.get("deviceId") if isinstance(brought, dict) else None
            yield from self._read(device if isinstance(device, str) else "", brought)
        elif told.get("status") == "error":
            raise _refusal("a subscription", told.get("code"))
        elif not isinstance(message, dict):
            yield Sample("", "", None, message)  # rejected in the open


async def subscribed(api: SocketApi, url: str, stream: Stream, read: Read) -> Subscribed:
    """Subscriptions to all of the stream that the account sees, once they were acknowledged.

    Raises what `SocketApi.socket` does; Forbidden where the account may see nothing.
    """
    socket = await api.socket(url, _authenticate)
    try:
        early: list[object] = []
        for request in _SUBSCRIPTIONS[stream]:
            early += await _asked(socket, request)
        return Subscribed(socket, read, early, await socket.alive())
    except BaseException:
        await socket.close()
        raise


async def _authenticate(socket: Socket, access_token: str) -> None:
    request = {"action": "authenticate", "requestId": "authenticate", "token": access_token}
    await _asked(socket, request)


async def _asked(socket: Socket, request: Mapping[str, object]) -> list[object]:
    """What came before the good answer to a request."""
    early: list[object] = []
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await socket.send(request)
            while (answer := _answer(message := await socket.receive(), request)) is None:
                early.append(message)
    except TimeoutError:
        what = f"{request['action']}: no answer in {ANSWER_SECONDS:g} s"
        raise Unreachable(what) from None
    if answer["status"] != "success":
        raise _refusal(str(request["action"]), answer.get("code"))
    return early


def _answer(message: object, request: Mapping[str, object]) -> Mapping[str, object] | None:
    """The message, where it is the answer; an error may not say of what."""
    if isinstance(message, dict) and "status" in message:
        return message if message.get("requestId") in (request["requestId"], None) else None
    return None


def _refusal(what: str, code: object) -> PlatformError:
    """By its code alone: what is said beside it may repeat what was sent."""
    if not isinstance(code, int):
        return Malformed(f"{what}: an error without a code")
    message = f"{what}: {code}"
    if code in _REFUSALS:
        return _REFUSALS[code](message)
    return ServerFailed(message) if code >= 500 else RequestRefused(message, code)
