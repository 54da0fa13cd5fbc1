"""The client against a real server on loopback: how a WebSocket is opened, and how it is not."""

import asyncio
import traceback
from datetime import timedelta
from pathlib import Path

import pytest
from aiohttp import web
from connected import address, connected, plays
from exchanged import (
    BEARER,
    Answer,
    cut,
    garbage,
    hang,
    raw,
    said,
    self_signed,
    talking,
)
from yarl import URL

from harvester import metrics
from harvester.client import Client, sessions
from harvester.client.requests import private
from harvester.errors import (
    Malformed,
    PlatformError,
    RequestRefused,
    ServerFailed,
    Throttled,
    Unreachable,
)

REFUSALS: list[tuple[Answer, type[PlatformError]]] = [
    (said(200), Malformed),
    (raw("<html>", "text/html"), Malformed),
    (said(301, Location="/elsewhere"), RequestRefused),
    (said(401), RequestRefused),
    (said(403), RequestRefused),
    (said(404), RequestRefused),
    (said(429), Throttled),
    (said(500), ServerFailed),
    (said(502), ServerFailed),
    (said(503), Throttled),
    (said(504), ServerFailed),
    (garbage, Unreachable),
    (cut, Malformed),
]


async def shaken_by_another_hand(request: web.Request) -> web.StreamResponse:
    """An upgrade that does not know our key."""
    assert request.transport
    request.transport.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: bm90IHlvdXJzIQ==\r\n\r\n"
    )
    return web.Response()


@pytest.mark.parametrize(("answer", "error"), [*REFUSALS, (shaken_by_another_hand, Malformed)])
async def test_what_is_no_upgrade_is_told_by_its_status(
    answer: Answer, error: type[PlatformError]
) -> None:
    counter = metrics.REQUESTS.labels("acme", "p", error.reason)
    before = counter._value.get()
    async with talking(answer, said(200)) as talk:
        with pytest.raises(PlatformError, match=r"^WebSocket 127\.0\.0\.1:\d+/ws: ") as caught:
            await talk.client.socket(address(talk))
        assert type(caught.value) is error
        assert [request.path for request in talk.asked] == ["/ws"], "nothing is followed"
        assert talk.client.exchanges == 1
    assert counter._value.get() == before + 1


async def test_an_upgrade_is_counted_as_an_exchange() -> None:
    counter = metrics.REQUESTS.labels("acme", "p", "ok")
    before = counter._value.get()
    async with connected() as line:
        assert line.talk.client.exchanges == 1
    assert counter._value.get() == before + 1


async def test_a_refusal_that_goes_on_and_on_holds_no_connection() -> None:
    left = asyncio.Event()

    async def drips(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=502)
        await response.prepare(request)
        try:
            return await hang(request)
        finally:
            left.set()

    async with talking(drips) as talk:
        with pytest.raises(ServerFailed):
            await talk.client.socket(address(talk))
        await left.wait()


async def test_a_redirect_brings_nobody_to_another_server() -> None:
    async def part(there: web.WebSocketResponse) -> None:
        await there.receive()

    async with talking(plays(part)) as other, talking(said(307, Location=address(other))) as talk:
        with pytest.raises(RequestRefused) as caught:
            await talk.client.socket(address(talk))
        assert caught.value.status == 307
        assert other.asked == []


async def test_how_long_to_wait_is_handed_on() -> None:
    async with talking(said(503, Retry_After="20")) as talk:
        with pytest.raises(Throttled) as caught:
            await talk.client.socket(address(talk))
        assert caught.value.retry_after == timedelta(seconds=20)


async def test_what_a_read_was_asked_for_is_asked_of_a_socket_too() -> None:
    async with talking(said(429, Retry_After="3600")) as talk:
        with pytest.raises(Throttled):
            await talk.get()
        with pytest.raises(Throttled, match="not sent"):
            await talk.client.socket(address(talk))
        assert [request.path for request in talk.asked] == ["/x"]


async def test_an_upgrade_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "CONNECT_SECONDS", 0.05)
    async with talking(hang) as talk:
        with pytest.raises(Unreachable):
            await talk.client.socket(address(talk))


async def test_the_time_for_an_upgrade_is_none_of_the_sockets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sessions, "CONNECT_SECONDS", 0.3)
    monkeypatch.setattr(sessions, "READ_SECONDS", 0.3)
    async with connected() as line:
        receiving = asyncio.create_task(line.here.receive())
        done, _ = await asyncio.wait([receiving], timeout=0.5)
        assert not done
        await line.there.send_json("late")
        assert await receiving == "late"


async def test_a_platform_that_is_not_there_is_told_in_words() -> None:
    async with talking(said(200)) as talk:
        url = address(talk)
    async with Client(talk.url, talk.clock, tenant="acme", platform="p", concurrency=1) as client:
        with pytest.raises(Unreachable, match=r"/ws: cannot be reached: Connection refused$"):
            await client.socket(url)


async def test_nothing_is_sent_in_the_clear_to_another_machine() -> None:
    async with talking(said(200)) as talk:
        with pytest.raises(RequestRefused, match=r"^ws\.example: without TLS"):
            await talk.client.socket("ws://ws.example/websocket")
        assert talk.client.exchanges == 0


def test_with_tls_any_machine_is_spoken_to() -> None:
    assert private(URL("wss://ws.example/websocket"))


async def test_a_certificate_that_nobody_vouches_for_is_not_spoken_to(tmp_path: Path) -> None:
    async with talking(said(200), tls=self_signed(tmp_path)) as talk:
        with pytest.raises(Unreachable, match="certificate"):
            await talk.client.socket(address(talk))
        assert address(talk).startswith("wss:") and talk.asked == []


@pytest.mark.parametrize("echo", [BEARER, f'{{"token": "{BEARER}"}}', ""])
async def test_no_error_shows_what_was_sent(echo: str) -> None:
    async def part(there: web.WebSocketResponse) -> None:
        await there.send_str((await there.receive()).data + echo)
        await there.close(message=BEARER.encode())

    async with talking(plays(part)) as talk:
        socket = await talk.client.socket(address(talk, f"/ws?token={BEARER}"))
        await socket.send({"token": BEARER})
        for asked in [socket.receive, socket.receive, socket.alive]:
            try:
                await asked()
            except PlatformError as error:
                assert BEARER not in "".join(traceback.format_exception(error)) + repr(error)
        await socket.close()
