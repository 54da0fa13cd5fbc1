"""The WebSockets of the fake DeviceHive: in which form what is said over them, and what befalls it.

A request is a text of JSON: an action, what it needs, and an id that comes back with the answer.
What the actions do stands in `devicehive_actions`.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from aiohttp import WSMessage, WSMsgType, web

from harvester.simulator.clock import Clock
from harvester.simulator.devicehive_auth import Bearer
from harvester.simulator.faults import Refusal
from harvester.simulator.world import EPOCH

PING_EVERY = timedelta(seconds=30)
RESTARTING = 1012
"""The code with which a server closes that is about to end."""
# Whoever does not say goodbye in turn is not waited for.
GOODBYE_SECONDS = 0.5

Asked = Mapping[str, Any]
Answered = dict[str, object]


class Session:
    """One connection. `bearer` is who proved to be there, once and for all.

    What is said goes out in order. `subscriptions` are ended by what stands beside their ids.
    """

    def __init__(self, socket: web.WebSocketResponse, transport: asyncio.Transport | None) -> None:
        self.bearer: Bearer | None = None
        self.subscriptions: dict[int, Callable[[], None]] = {}
        self.frozen = False
        self.dropped = asyncio.Event()
        self._socket = socket
        self._transport = transport
        self._outgoing: asyncio.Queue[Callable[[], Awaitable[object]]] = asyncio.Queue()

    @property
    def user(self) -> str | None:
        """The login of who proved to be there."""
        return self.bearer.account.login if self.bearer else None

    def say(self, message: Answered) -> None:
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
        """Send what is to be said, until nobody hears it any more."""
        with suppress(ConnectionError):
            while True:
                send = await self._outgoing.get()
                await send()

    def _send(self, send: Callable[[], Awaitable[object]]) -> None:
        if not self.frozen:
            self._outgoing.put_nowait(send)


Act = Callable[[Session, Asked], Answered]


class Sockets:
    """All WebSockets of one fake.

    `opened` counts those that ever were, `actions` what was asked for over them, when it arrives.
    `sessions` are those that stand. `act` does what is asked for, or raises Refusal; before that
    `bring` lets in what came in meanwhile.
    """

    def __init__(self, clock: Clock, act: Act, bring: Callable[[], None]) -> None:
        self.opened = 0
        self.actions: Counter[str] = Counter()
        self.sessions: list[Session] = []
        self._clock = clock
        self._act = act
        self._bring = bring

    def drop(self, user: str | None = None) -> None:
        """Break the connections of that login, or all, without a word."""
        for session in self._of(user):
            session.drop()

    def restart(self) -> None:
        """Close all connections as a server does that is about to end."""
        for session in self._of(None):
            session.close()

    def freeze(self, user: str | None = None) -> None:
        """Say nothing more over the connections of that login, or all, which stay open: no answer,
        no message, no pong. New ones are as ever."""
        for session in self._of(user):
            session.frozen = True

    def say(self, text: str, user: str | None = None) -> None:
        """Say that, whatever it is, over the connections of that login, or all."""
        for session in self._of(user):
            session.say_text(text)

    async def accept(self, request: web.Request) -> web.StreamResponse:
        """Answer a request for a WebSocket, and attend to it to its end."""
        socket = web.WebSocketResponse(autoclose=False, autoping=False, timeout=GOODBYE_SECONDS)
        await socket.prepare(request)
        session = Session(socket, request.transport)
        self.opened += 1
        self.sessions.append(session)
        beside = [session.speak(), self._ping(session), self._follow()]
        tasks = [asyncio.create_task(each) for each in beside]
        try:
            await self._attend(session, socket)
        finally:
            self.sessions.remove(session)
            session.end()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return socket

    async def _attend(self, session: Session, socket: web.WebSocketResponse) -> None:
        async for message in socket:
            self._bring()
            self._hear(session, message)
        if session.frozen:  # a goodbye is not answered either
            await session.dropped.wait()
        await socket.close()

    def _hear(self, session: Session, message: WSMessage) -> None:
        if message.type is WSMsgType.PING:
            session.pong(message.data)
        elif message.type is WSMsgType.TEXT:
            session.say(self._answer(session, message.data))

    def _answer(self, session: Session, text: str) -> Answered:
        asked = _decoded(text)
        if asked is None:
            return _error(Refusal(400, "Malformed Json received."))
        self.actions[str(asked.get("action"))] += 1
        about: Answered = {each: asked.get(each) for each in ("action", "requestId")}
        try:
            return about | {"status": "success"} | self._act(session, asked)
        except Refusal as refusal:
            return about | _error(refusal)

    async def _ping(self, session: Session) -> None:
        while True:
            await self._clock.sleep_until(_next_ping(self._clock.now()))
            session.ping()

    def _of(self, user: str | None) -> list[Session]:
        return [each for each in self.sessions if user is None or each.user == user]


def _next_ping(now: datetime) -> datetime:
    """All connections are pinged at once, at full half minutes."""
    return now + PING_EVERY - (now - EPOCH) % PING_EVERY


def _decoded(text: str) -> Asked | None:
    try:
        asked = json.loads(text)
    except ValueError:
        return None
    return asked if isinstance(asked, dict) else None


def _error(refusal: Refusal) -> Answered:
    return {"status": "error", "code": refusal.status, "error": refusal.message}
