"""The WebSockets of the fake DeviceHive: the form of what is said over them, and what befalls them.

A request is a text of JSON: an action, what it needs, and an id that comes back with the answer.
What the actions do stands in `devicehive_actions`.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from aiohttp import WSMsgType, web

from harvester.simulator.clock import Clock
from harvester.simulator.devicehive_asked import Asked
from harvester.simulator.devicehive_auth import Bearer
from harvester.simulator.devicehive_shapes import Json
from harvester.simulator.faults import Refusal
from harvester.simulator.world import EPOCH

PING_EVERY = timedelta(seconds=30)
RESTARTING = 1012
"""The code with which a server closes that is about to end."""
# Whoever does not say goodbye in turn is not waited for.
GOODBYE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a session is told of: notifications or commands, as they were asked for."""

    kind: str
    asked: Asked
    end: Callable[[], None]


class Session:
    """One connection. `bearer` is who proved to be there: the token is not looked at again.

    What is said goes out in order. `subscriptions` go by their ids, and end with the connection.
    """

    def __init__(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        self.host = request.host
        self.bearer: Bearer | None = None
        self.subscriptions: dict[int, Subscription] = {}
        self.frozen = False
        self.dropped = asyncio.Event()
        self._transport = request.transport
        self._socket = socket
        self._outgoing: asyncio.Queue[Callable[[], Awaitable[object]]] = asyncio.Queue()

    @property
    def user(self) -> str | None:
        """The login of who proved to be there."""
        return self.bearer.account.login if self.bearer else None

    def say(self, message: Json) -> None:
        self.say_text(json.dumps(message))

    def say_text(self, text: str) -> None:
        self._send(partial(self._socket.send_str, text))

    def ping(self) -> None:
        self._send(self._socket.ping)

    def pong(self, said: bytes) -> None:
        self._send(partial(self._socket.pong, said))

    def close(self) -> None:
        self._send(partial(self._socket.close, code=RESTARTING))

    def drop(self) -> None:
        self.dropped.set()
        if self._transport is not None:
            self._transport.abort()

    async def speak(self) -> None:
        """Send what is to be said. Raises ConnectionError once nobody is there any more."""
        while True:
            send = await self._outgoing.get()
            await send()

    def end(self) -> None:
        for subscription in self.subscriptions.values():
            subscription.end()

    def _send(self, send: Callable[[], Awaitable[object]]) -> None:
        if not self.frozen:
            self._outgoing.put_nowait(send)


Act = Callable[[Session, Asked], Sequence[Json]]
"""The answer to what is asked for, and what is said after it; nothing at all where the platform
fails in that way. Raises Refusal."""


class Sockets:
    """All WebSockets of one fake; `bring` lets in what came in before something is heard.

    `opened` counts those that ever were, `actions` what was asked for over them, when it arrives.
    `sessions` are those that stand.
    """

    def __init__(
        self, clock: Clock, act: Act, bring: Callable[[], None], violations: list[str]
    ) -> None:
        self.opened = 0
        self.actions: Counter[str] = Counter()
        self.sessions: list[Session] = []
        self._clock = clock
        self._act = act
        self._bring = bring
        self._violations = violations

    @property
    def subscriptions(self) -> list[Subscription]:
        """All that stand."""
        return [each for session in self.sessions for each in session.subscriptions.values()]

    def drop(self, user: str | None = None) -> None:
        """Break the connections of that login, or all, without a word."""
        for session in self._of(user):
            session.drop()

    def restart(self) -> None:
        """Close all connections in due form, as a server does that is about to end."""
        for session in self._of(None):
            session.close()

    def freeze(self, user: str | None = None) -> None:
        """Leave the connections of that login, or all, half open: nothing more comes from this end,
        neither answers nor messages, pongs or a goodbye. New ones are as ever."""
        for session in self._of(user):
            session.frozen = True

    def say(self, text: str, user: str | None = None) -> None:
        """Say just that over the connections of that login, or all."""
        for session in self._of(user):
            session.say_text(text)

    async def accept(self, request: web.Request) -> web.StreamResponse:
        """Answer who asks for a WebSocket, and attend to it to its end."""
        if request.query:
            self._violations.append("the address of the WebSocket tells more than where it is")
        socket = web.WebSocketResponse(autoclose=False, autoping=False, timeout=GOODBYE_SECONDS)
        await socket.prepare(request)
        session = Session(request, socket)
        self.opened += 1
        self.sessions.append(session)
        tasks = [asyncio.create_task(each) for each in (session.speak(), self._ping(session))]
        try:
            await self._attend(session, socket)
        finally:
            self.sessions.remove(session)
            session.end()
            for task in tasks:
                task.cancel()
        return socket

    async def _attend(self, session: Session, socket: web.WebSocketResponse) -> None:
        async for message in socket:
            self._bring()
            if message.type is WSMsgType.PING:
                session.pong(message.data)
            elif message.type is WSMsgType.TEXT:
                for told in self._answered(session, message.data):
                    session.say(told)
        if session.frozen and not socket.closed:
            await session.dropped.wait()
        await socket.close()

    def _answered(self, session: Session, text: str) -> list[Json]:
        asked = _decoded(text)
        if asked is None:
            return [_error(Refusal(400, "Malformed Json received."))]
        self.actions[str(asked.get("action"))] += 1
        about: Json = {each: asked.get(each) for each in ("action", "requestId")}
        try:
            answer, *more = self._act(session, asked) or (None,)
        except Refusal as refusal:
            return [about | _error(refusal)]
        return [about | {"status": "success"} | answer, *more] if answer is not None else []

    async def _ping(self, session: Session) -> None:
        while True:
            await self._clock.sleep_until(_next_ping(self._clock.now()))
            session.ping()

    def _of(self, user: str | None) -> list[Session]:
        return [each for each in self.sessions if user is None or each.user == user]


def _next_ping(now: datetime) -> datetime:
    """All connections are pinged at once, each half minute of the day."""
    return now + PING_EVERY - (now - EPOCH) % PING_EVERY


def _decoded(text: str) -> Asked | None:
    try:
        asked = json.loads(text)
    except ValueError:
        return None
    return asked if isinstance(asked, dict) else None


def _error(refusal: Refusal) -> Json:
    return {"status": "error", "code": refusal.status, "error": refusal.message}
