"""A WebSocket to a simulated DeviceHive, without any wits."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientWebSocketResponse, WSMsgType
from simulated_devicehive import Play


@dataclass(slots=True)
class Line:
    """One connection, which answers no ping."""

    socket: ClientWebSocketResponse

    async def ask(self, action: str, **told: object) -> Any:
        """Ask, and hear what is said next. Pings say nothing."""
        await self.socket.send_json({"action": action, "requestId": "r-1", **told})
        while (message := await self.socket.receive()).type is WSMsgType.PING:
            pass
        assert message.type is WSMsgType.TEXT, message
        return json.loads(message.data)

    async def done(self, action: str, **told: object) -> Any:
        """What is answered, beyond what all good answers say."""
        answer = await self.ask(action, **told)
        about = {"action": action, "requestId": "r-1", "status": "success"}
        assert {key: answer.pop(key) for key in about} == about
        return answer

    async def refused(self, action: str, **told: object) -> tuple[int, str]:
        """How it is refused."""
        answer = await self.ask(action, **told)
        refusal = answer.pop("code"), answer.pop("error")
        assert answer == {"action": action, "requestId": "r-1", "status": "error"}
        return refusal

    async def heard(self) -> list[Any]:
        """All that was sent so far."""
        await self.socket.ping(b"so far")
        heard = []
        while (message := await self.socket.receive()).type is not WSMsgType.PONG:
            if message.type is WSMsgType.TEXT:
                heard.append(json.loads(message.data))
        assert message.data == b"so far"
        return heard


@asynccontextmanager
async def line(play: Play, access: str | None = None, query: str = "") -> AsyncIterator[Line]:
    """A connection, on which somebody is there already if a token is given."""
    address = f"{play.fake.url}/api/websocket{query}"
    async with play.http.ws_connect(address, autoping=False) as socket:
        it = Line(socket)
        if access:
            await it.done("authenticate", token=access)
        yield it
