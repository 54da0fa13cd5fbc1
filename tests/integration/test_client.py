"""The client against a real server on loopback: what each answer becomes."""

import asyncio
import gzip
import json
import math
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from harvester import client as room
from harvester import metrics
from harvester.client import Client
from harvester.errors import (
    Forbidden,
    Malformed,
    PlatformError,
    RequestRefused,
    ServerFailed,
    Throttled,
    TooLarge,
    Unauthorized,
    Unreachable,
)
from harvester.simulator.clock import HandClock

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
BEARER = "eyJ.secret-bearer.xyz"

Answer = web.StreamResponse | Callable[[web.Request], Awaitable[web.StreamResponse]]


class LeapClock(HandClock):
    """Moves itself to wherever somebody wants to sleep until."""

    async def sleep_until(self, instant: datetime) -> None:
        self.set(max(instant, self.now()))

    @property
    def passed(self) -> float:
        return (self.now() - START).total_seconds()


class Server:
    """Gives the answers it was told, the last one again and again; keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.asked: list[web.Request] = []
        self.bodies: list[str] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        self.bodies.append(await request.text())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, web.StreamResponse):
            return answer
        return await answer(request)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", server.answer)
    async with TestServer(app) as running:
        server.url = str(running.make_url("")).rstrip("/")
        yield server


@pytest.fixture
def clock() -> LeapClock:
    return LeapClock(START)


@pytest.fixture
async def client(server: Server, clock: LeapClock) -> AsyncIterator[Client]:
    async with made(server, clock) as client:
        yield client


def made(server: Server, clock: HandClock, **options: Any) -> Client:
    settings = {"tenant": "t", "platform": "p", "concurrency": 4, "largest_body": 10_000} | options
    return Client(server.url, clock, **settings)


def said(status: int, body: object = None, **headers: str) -> web.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.json_response(body, status=status, headers=named)


def text(body: str | bytes, kind: str = "application/json") -> web.Response:
    raw = body.encode() if isinstance(body, str) else body
    return web.Response(body=raw, content_type=kind)


async def cut(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"readings": [')
    assert request.transport
    request.transport.close()
    return response


async def test_an_answer_is_decoded_and_the_token_is_sent_along(
    server: Server, client: Client
) -> None:
    server.answers = [said(200, {"a": [1, 2.5, "x", None]})]
    assert await client.get("/v1/x", {"n": 1}, BEARER) == {"a": [1, 2.5, "x", None]}
    [asked] = server.asked
    assert asked.headers["Authorization"] == f"Bearer {BEARER}"
    assert asked.query_string == "n=1"


async def test_an_escaped_path_arrives_as_it_was_written(server: Server, client: Client) -> None:
    server.answers = [said(200)]
    await client.get("/things/a%3Ab%2Fc%20d?x=%2B", {"q": "a b&c=é+:"}, BEARER)
    assert server.asked[0].raw_path == "/things/a%3Ab%2Fc%20d?x=%2B&q=a%20b%26c%3D%C3%A9%2B%3A"


async def test_a_gzipped_answer_is_read(server: Server, client: Client) -> None:
    body = gzip.compress(b'{"a": 1}')
    server.answers = [web.Response(body=body, headers={"Content-Encoding": "gzip"})]
    assert await client.get("/x", None, BEARER) == {"a": 1}


@pytest.mark.parametrize("zipped", [False, True])
async def test_an_answer_beyond_the_cap_is_too_large(
    server: Server, client: Client, zipped: bool
) -> None:
    body = json.dumps("x" * 10_001).encode()
    headers = {"Content-Encoding": "gzip"} if zipped else {}
    server.answers = [web.Response(body=gzip.compress(body) if zipped else body, headers=headers)]
    with pytest.raises(TooLarge):
        await client.get("/x", None, BEARER)
    assert len(server.asked) == 1


async def test_an_endless_answer_is_left_at_the_cap(server: Server, client: Client) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"[" * 1000)

    server.answers = [endless]
    with pytest.raises(TooLarge):
        await client.get("/x", None, BEARER)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ('{"v": NaN}', math.nan),
        ('{"v": -Infinity}', -math.inf),
        ('{"v": 1e999}', math.inf),
        ('{"v": ' + "9" * 5000 + "}", math.inf),
        ('{"v": 123456789012345678901234567890}', 123456789012345678901234567890),
        ('{"v": "\\ud800"}', "\ud800"),
        (b'{"v": "caf\xe9"}', "caf\ufffd"),
        (b'\xef\xbb\xbf{"v": 1}', 1),
    ],
)
async def test_one_odd_value_does_not_cost_the_answer(
    server: Server, client: Client, body: str | bytes, value: object
) -> None:
    server.answers = [text(body)]
    answer = await client.get("/x", None, BEARER)
    assert isinstance(answer, dict)
    assert repr(answer["v"]) == repr(value)


@pytest.mark.parametrize(
    ("body", "kind", "excerpt"),
    [
        ("<html>\n\t<b>\x07Sorry</b>", "text/html", "<html> <b> Sorry</b>"),
        (f"you sent {BEARER}", "text/plain", "you sent ***"),
        ('{"a": 1', "application/json", '{"a": 1'),
        ("x" * 1000, "text/plain", "x" * 200),
        ("[" * 9000, "application/json", "[" * 200),
        ("", "application/json", ""),
    ],
)
async def test_what_is_no_json_is_malformed_and_shown_in_short(
    server: Server, client: Client, body: str, kind: str, excerpt: str
) -> None:
    server.answers = [text(body, kind)]
    with pytest.raises(Malformed) as caught:
        await client.get("/x", None, BEARER)
    assert caught.value.excerpt == excerpt
    assert (kind if body else "empty") in str(caught.value)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("status", "error"), [(401, Unauthorized), (403, Forbidden), (404, Forbidden)]
)
async def test_a_refused_read_is_told_by_its_status_and_not_repeated(
    server: Server, client: Client, status: int, error: type[PlatformError]
) -> None:
    server.answers = [text("<html>", "text/html")]
    server.answers[0].set_status(status)  # type: ignore[union-attr]
    with pytest.raises(error):
        await client.get("/x", None, BEARER)
    assert len(server.asked) == 1


async def test_another_refusal_comes_with_its_body(server: Server, client: Client) -> None:
    server.answers = [said(422, {"message": "start after end"})]
    with pytest.raises(RequestRefused) as caught:
        await client.get("/x", None, BEARER)
    assert (caught.value.status, caught.value.body) == (422, {"message": "start after end"})


async def test_a_redirect_is_not_followed(server: Server, client: Client) -> None:
    server.answers = [said(302, Location=f"{server.url}/elsewhere"), said(200)]
    with pytest.raises(RequestRefused) as caught:
        await client.get("/x", None, BEARER)
    assert caught.value.status == 302
    assert [request.path for request in server.asked] == ["/x"]


@pytest.mark.parametrize("failure", [said(500), said(502), said(503), said(429), cut])
async def test_a_read_is_repeated_after_a_passing_failure(
    server: Server, client: Client, clock: LeapClock, failure: Answer
) -> None:
    server.answers = [failure, failure_again(failure), said(200, "well")]
    assert await client.get("/x", None, BEARER) == "well"
    assert len(server.asked) == 3
    assert 3 <= clock.passed <= 5  # 1 s and 2 s, and up to a second of chance on each


def failure_again(failure: Answer) -> Answer:
    """A response can be sent but once."""
    return said(failure.status) if isinstance(failure, web.Response) else failure


async def test_a_lasting_failure_is_raised_after_a_few_tries(
    server: Server, client: Client
) -> None:
    async def failing(_: web.Request) -> web.StreamResponse:
        return said(500)

    server.answers = [failing]
    with pytest.raises(ServerFailed):
        await client.get("/x", None, BEARER)
    assert len(server.asked) == 4


async def test_no_answer_at_all_is_unreachable(server: Server, clock: LeapClock) -> None:
    server.answers = [said(200)]
    async with made(server, clock) as client:
        client._base = client._base.replace("127.0.0.1", "127.0.0.2")
        client._origin = ("http", "127.0.0.2", client._origin[2])
        with pytest.raises(Unreachable, match="ClientConnectorError"):
            await client.get("/x", None, BEARER)


@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_a_short_retry_after_is_honoured_in_both_forms(
    server: Server, client: Client, clock: LeapClock, form: str
) -> None:
    date = format_datetime(START + timedelta(seconds=20), usegmt=True)
    server.answers = [said(429, Retry_After="20" if form == "seconds" else date), said(200, 1)]
    assert await client.get("/x", None, BEARER) == 1
    assert 20 <= clock.passed <= 22


@pytest.mark.parametrize(
    ("status", "asked", "seconds"),
    [
        (429, "3600", 3600),
        (503, "3600", 3600),
        (429, format_datetime(START + timedelta(hours=2), usegmt=True), 7200),
        (429, "9" * 4000, 1e9),
    ],
)
async def test_a_long_retry_after_is_handed_on_at_once(
    server: Server, client: Client, status: int, asked: str, seconds: float
) -> None:
    server.answers = [said(status, Retry_After=asked)]
    with pytest.raises(Throttled) as caught:
        await client.get("/x", None, BEARER)
    assert caught.value.retry_after == timedelta(seconds=seconds)
    assert len(server.asked) == 1


@pytest.mark.parametrize("asked", ["soon", "-5", "1.5", "", "Thu, 32 Foo 2026"])
async def test_an_unreadable_retry_after_is_as_good_as_none(
    server: Server, client: Client, clock: LeapClock, asked: str
) -> None:
    server.answers = [said(429, Retry_After=asked), said(200, 1)]
    assert await client.get("/x", None, BEARER) == 1
    assert 1 <= clock.passed <= 2


async def test_a_login_is_sent_once_as_a_form(server: Server, client: Client) -> None:
    server.answers = [said(200, {"access_token": "x"})]
    form = {"username": "ops@acme.example", "password": "p&w+ %41=Grüße€"}
    assert await client.post_once("/oauth/token", form=form) == {"access_token": "x"}
    [asked], [body] = server.asked, server.bodies
    assert asked.content_type == "application/x-www-form-urlencoded"
    assert body == (
        "username=ops%40acme.example&password=p%26w%2B+%2541%3DGr%C3%BC%C3%9Fe%E2%82%AC"
    )


@pytest.mark.parametrize(
    ("failure", "error"),
    [(said(500), ServerFailed), (said(429), Throttled), (cut, Unreachable)],
)
async def test_what_is_sent_once_is_never_sent_again(
    server: Server, client: Client, failure: Answer, error: type[PlatformError]
) -> None:
    server.answers = [failure, said(200)]
    with pytest.raises(error):
        await client.post_once(f"{server.url}/oauth/token", form={"a": 1})
    assert len(server.asked) == 1


async def test_each_login_goes_over_a_connection_of_its_own(
    server: Server, client: Client
) -> None:
    """A kept one may be dead, and then nobody knows whether a refresh token was used."""
    server.answers = [said(200), said(200), said(200), said(200)]
    for _ in range(2):
        await client.get("/x", None, BEARER)
        await client.post_once("/oauth/token", json={"a": 1})
    ports = [request.transport_port for request in map(Seen, server.asked)]
    assert ports[0] == ports[2]
    assert len(set(ports)) == 3


class Seen:
    def __init__(self, request: web.Request) -> None:
        self.transport_port = request["port"]


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_a_refused_login_comes_with_its_body(
    server: Server, client: Client, status: int
) -> None:
    server.answers = [said(status, {"error": "invalid_grant"})]
    with pytest.raises(RequestRefused) as caught:
        await client.post_once("/oauth/token", form={"a": 1})
    assert (caught.value.status, caught.value.body) == (status, {"error": "invalid_grant"})
