"""A server on loopback that talks by WebSocket as it is told, and one connection to it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web
from exchanged import Answer, Talk, talking

from harvester.client.sockets import WebSocket

Part = Callable[[web.WebSocketResponse], Awaitable[object]]
"""What the server does once it is connected; the connection ends with it."""


@dataclass(slots=True)
class Line:
    """Both ends of a connection."""

    talk: Talk
    here: WebSocket
    there: web.WebSocketResponse
    left: asyncio.Event
    """Whether the server has read to the end."""

    def write(self, data: bytes) -> None:
        """Bytes from there, whatever they are."""
        transport = self.talk.asked[-1].transport
        assert isinstance(transport, asyncio.Transport)
        transport.write(data)


def plays(part: Part, *, autoping: bool = True) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        there = web.WebSocketResponse(autoping=autoping, max_msg_size=0)
        await there.prepare(request)
        await part(there)
        return there

    return answer


@asynccontextmanager
async def connected(*, autoping: bool = True, reads: bool = True) -> AsyncIterator[Line]:
    """The test says what the server sends. It reads all that comes, and so answers pings, unless
    it is told otherwise."""
    opened: asyncio.Queue[web.WebSocketResponse] = asyncio.Queue()
    left, over = asyncio.Event(), asyncio.Event()

    async def part(there: web.WebSocketResponse) -> None:
        opened.put_nowait(there)
        try:
            while reads and not there.closed:
                await there.receive()
        finally:
            left.set()
        await over.wait()

    async with talking(plays(part, autoping=autoping)) as talk:
        here = await talk.client.socket(address(talk))
        try:
            yield Line(talk, here, await opened.get(), left)
        finally:
            over.set()
            await here.close()


def address(talk: Talk, path: str = "/ws") -> str:
    return f"ws{talk.url.removeprefix('http')}{path}"
