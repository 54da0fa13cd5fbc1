"""The client's WebSockets against a real server on loopback: what comes, and what ends them."""

import asyncio
import json
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

import pytest
from aiohttp import WSCloseCode, WSMsgType, web
from connected import Line, address, connected, plays
from exchanged import BEARER, START, talking

from harvester.client import sockets
from harvester.client.sockets import WebSocket
from harvester.errors import Malformed, PlatformError, TooLarge, Unreachable

CAP = 10_000  # bytes of a message, as `talking` has it
KEPT = sockets.KEPT_BODIES * CAP
TEXT, CONTINUED, PONG = 0x01, 0x00, 0x0A

ASKED: list[Callable[[WebSocket], Awaitable[object]]] = [
    lambda socket: socket.send({}),
    lambda socket: socket.receive(),
    lambda socket: socket.alive(),
]


async def ended(line: Line) -> type[PlatformError]:
    """What all of it raises now, once what was kept is taken."""
    with pytest.raises(PlatformError):
        await line.here.alive()
    with suppress(PlatformError):
        line.here.take()
    raised = []
    for asked in ASKED:
        with pytest.raises(PlatformError) as caught:
            await asked(line.here)
        raised.append(caught.type)
    with pytest.raises(PlatformError) as caught:
        line.here.take()
    assert {*raised, caught.type} == {caught.type}
    return caught.type


def frame(opcode: int, data: bytes, *, final: bool = True) -> bytes:
    first = (0x80 if final else 0) | opcode
    short = struct.pack("!BB", first, len(data)) if len(data) < 126 else b""
    return (short or struct.pack("!BBH", first, 126, len(data))) + data


async def test_both_ends_hear_each_other() -> None:
    async def part(there: web.WebSocketResponse) -> None:
        said = await there.receive_json()
        await there.send_json({"you said": said})
        await there.send_bytes(json.dumps(["in bytes", 1.5]).encode())
        await there.receive()

    async with talking(plays(part)) as talk:
        socket = await talk.client.socket(address(talk, "/a%3Ab/ws?x=%2B"))
        await socket.send({"a": ["ü", 1, None]})
        assert await socket.receive() == {"you said": {"a": ["ü", 1, None]}}
        assert await socket.receive() == ["in bytes", 1.5]
        await socket.close()
        assert talk.asked[0].raw_path == "/a%3Ab/ws?x=%2B"
        assert not {"Authorization", "Cookie"} & set(talk.asked[0].headers)


async def test_what_was_sent_before_a_pong_can_be_taken_after_it() -> None:
    async def part(there: web.WebSocketResponse) -> None:
        ping = await there.receive()
        assert ping.type is WSMsgType.PING
        for n in range(200):
            await there.send_json(n)
        talk.clock.advance(timedelta(seconds=3))
        await there.pong(ping.data)
        await there.receive()

    async with talking(plays(part, autoping=False)) as talk:
        socket = await talk.client.socket(address(talk))
        assert await socket.alive() == START, "the instant of the ping, not of the pong"
        assert socket.take() == list(range(200))
        assert socket.take() == []
        await socket.close()


async def test_a_ping_of_the_platform_is_answered() -> None:
    async with connected(autoping=False, reads=False) as line:
        await line.there.ping(b"are you there?")
        answer = await line.there.receive()
        assert (answer.type, answer.data) == (WSMsgType.PONG, b"are you there?")


async def test_a_peer_that_answers_no_ping_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "PONG_SECONDS", 0.05)
    async with connected(reads=False) as line:
        line.write(frame(PONG, b"") + frame(PONG, b"of nobody's ping"))
        with pytest.raises(Unreachable, match=r"no answer to a ping in 0\.05 s"):
            await line.here.alive()
        assert await ended(line) is Unreachable


async def test_a_peer_that_reads_nothing_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "PONG_SECONDS", 0.05)
    async with connected(reads=False) as line:
        with pytest.raises(Unreachable):
            for _ in range(100):
                await line.here.send("x" * 10**6)
        assert await ended(line) is Unreachable


@pytest.mark.parametrize("code", [WSCloseCode.OK, WSCloseCode.SERVICE_RESTART])
async def test_what_came_before_the_platform_closed_can_be_taken(code: int) -> None:
    async with connected() as line:
        await line.there.send_json("before")
        await line.there.close(code=code, message=BEARER.encode())
        with pytest.raises(Unreachable, match=rf"WebSocket 127.*/ws: closed by .* \({code}\)$"):
            await line.here.alive()
        assert line.here.take() == ["before"]
        assert await ended(line) is Unreachable


async def test_a_connection_that_breaks_is_told_to_who_waits() -> None:
    async with connected() as line:
        waiting = [asyncio.create_task(line.here.receive()) for _ in range(2)]
        await line.here.alive()
        transport = line.talk.asked[-1].transport
        assert transport
        transport.abort()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(each) for each in results] == [Unreachable] * 2
        assert await ended(line) is Unreachable


async def test_what_nobody_takes_is_kept_up_to_a_bound() -> None:
    async with connected() as line:
        for _ in range(5):
            await line.there.send_str(json.dumps("x" * (CAP - 1000)))
        assert await ended(line) is TooLarge
        await line.left.wait()
        assert line.there.close_code == WSCloseCode.OK, "and nothing more is read"


async def test_of_a_flood_what_was_kept_is_not_lost() -> None:
    async with connected() as line:
        for n in range(KEPT // 100):
            await line.there.send_json(n)
        with pytest.raises(TooLarge, match=f"more than {KEPT} bytes that nobody took"):
            await line.here.alive()
        kept = line.here.take()
        assert kept == list(range(len(kept)))
        assert KEPT - 200 < sum(128 + len(str(n)) for n in range(len(kept))) <= KEPT
        await line.here.close()
        assert await ended(line) is TooLarge, "what ended it first"


@pytest.mark.parametrize("received", [0, 1, 4])
async def test_what_is_taken_makes_room(received: int) -> None:
    async with connected() as line:
        for _ in range(3):
            for _ in range(4):
                await line.there.send_str(json.dumps("x" * (CAP - 1000)))
            await line.here.alive()
            taken = [await line.here.receive() for _ in range(received)]
            if received < 4:
                taken += line.here.take()
            assert len(taken) == 4


async def test_a_message_in_pieces_is_one() -> None:
    async with connected() as line:
        line.write(frame(TEXT, b'{"a": "b', final=False) + frame(PONG, b""))
        line.write(frame(CONTINUED, b"c", final=False) + frame(CONTINUED, b'd"}'))
        assert await line.here.receive() == {"a": "bcd"}


@pytest.mark.parametrize("pieces", [1, 20])
async def test_a_message_beyond_the_cap_is_too_large(pieces: int) -> None:
    async with connected() as line:
        piece = b"[" * (CAP // pieces + 1)
        line.write(frame(TEXT, piece, final=False))
        for _ in range(pieces - 1):
            line.write(frame(CONTINUED, piece, final=False))
        assert await ended(line) is TooLarge


@pytest.mark.parametrize("garbage", ["", "<html>", '{"a": 1', BEARER])
async def test_a_message_that_is_no_json_costs_itself_alone(garbage: str) -> None:
    async with connected() as line:
        for message in ("1", garbage, "[NaN]") * 2:
            await line.there.send_str(message)
        assert await line.here.receive() == 1
        with pytest.raises(Malformed, match=f"a message of {len(garbage)} bytes") as caught:
            await line.here.receive()
        assert caught.value.excerpt == "", "the platform may repeat the token that it was sent"
        await line.here.alive()
        assert repr(line.here.take()) == "[[nan], 1, None, [nan]]"


@pytest.mark.parametrize(
    "data", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x81\x02\xff\xff", b"\x83"]
)
async def test_what_is_no_websocket_ends_it(data: bytes) -> None:
    async with connected() as line:
        line.write(data + bytes(10))
        assert await ended(line) is Unreachable


async def test_who_closes_says_so_and_leaves_nothing_open() -> None:
    async with connected() as line:
        await line.here.close()
        await line.here.close()
        await line.left.wait()
        assert line.there.close_code == WSCloseCode.OK
        assert await ended(line) is Unreachable


async def test_a_peer_that_is_gone_holds_up_no_close(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "CLOSE_SECONDS", 0.05)
    async with connected(reads=False) as line:
        await line.here.close()
        assert line.here._connection.closed
