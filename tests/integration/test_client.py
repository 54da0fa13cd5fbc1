"""The client against a real server on loopback: what an answer becomes."""

import asyncio
import gzip
import json
import math

import pytest
from aiohttp import web
from exchanged import BEARER, Answer, bears, cut, raw, said, talking
from yarl import URL

from harvester import metrics
from harvester.client import Client
from harvester.errors import (
    AnswerLost,
    Forbidden,
    Malformed,
    NoToken,
    PlatformError,
    RequestRefused,
    ServerFailed,
    Throttled,
    TooLarge,
    Unauthorized,
    Unreachable,
)


async def test_an_answer_is_decoded_and_the_token_is_sent_along() -> None:
    async with talking(said(200, {"a": [1, 2.5, "x", None]})) as talk:
        assert await talk.client.get("/v1/x", {"n": 1}, bears(BEARER)) == {"a": [1, 2.5, "x", None]}
        [asked] = talk.asked
        assert asked.headers["Authorization"] == f"Bearer {BEARER}"
        assert asked.raw_path == "/v1/x?n=1"


async def test_an_escaped_path_arrives_as_it_was_written() -> None:
    async with talking(said(200)) as talk:
        await talk.client.get("/things/a%3Ab%2Fc%20d?x=%2B", {"q": "a b&c=é+:"}, bears(BEARER))
        assert talk.asked[0].raw_path == ("/things/a%3Ab%2Fc%20d?x=%2B&q=a%20b%26c%3D%C3%A9%2B%3A")


async def test_a_compressed_answer_is_read() -> None:
    async with talking(raw(gzip.compress(b'{"a": 1}', mtime=0), coding="gzip")) as talk:
        assert await talk.get() == {"a": 1}


@pytest.mark.parametrize("coding", ["identity", "gzip"])
async def test_an_answer_beyond_the_cap_is_too_large(coding: str) -> None:
    body = json.dumps("x" * 10_001).encode()
    body = gzip.compress(body, mtime=0) if coding == "gzip" else body
    async with talking(raw(body, coding=coding)) as talk:
        with pytest.raises(TooLarge):
            await talk.get()
        assert len(talk.asked) == 1


async def test_an_endless_answer_is_left_at_the_cap() -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"[" * 1000)

    async with talking(endless) as talk:
        with pytest.raises(TooLarge):
            await talk.get()


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
async def test_one_odd_value_does_not_cost_the_answer(body: str | bytes, value: object) -> None:
    async with talking(raw(body)) as talk:
        assert repr(await talk.get()) == repr({"v": value})


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
    body: str, kind: str, excerpt: str
) -> None:
    async with talking(raw(body, kind)) as talk:
        with pytest.raises(Malformed, match=kind if body else "empty") as caught:
            await talk.get()
        assert caught.value.excerpt == excerpt
        assert len(talk.asked) == 1


@pytest.mark.parametrize(
    ("status", "error"), [(401, Unauthorized), (403, Forbidden), (404, Forbidden)]
)
async def test_a_refused_read_is_told_by_its_status_alone(
    status: int, error: type[PlatformError]
) -> None:
    async with talking(raw("<html>", "text/html", status)) as talk:
        with pytest.raises(error) as caught:
            await talk.get()
        assert len(talk.asked) == 1
    assert getattr(caught.value, "status", 401) == status


@pytest.mark.parametrize("status", [401, 403, 404])
@pytest.mark.parametrize(
    ("said", "coding", "body"),
    [
        (b'{"error": "unauthorized"}', "identity", {"error": "unauthorized"}),
        (gzip.compress(b"[1]", mtime=0), "gzip", [1]),
        (b"<html>", "identity", None),
        (b"", "identity", None),
        (b"1" * 10_001, "identity", None),
        (b"no zip", "gzip", None),
    ],
)
async def test_a_refused_read_comes_with_its_body_where_it_has_one(
    status: int, said: bytes, coding: str, body: object
) -> None:
    async with talking(raw(said, status=status, coding=coding)) as talk:
        with pytest.raises((Unauthorized, Forbidden)) as caught:
            await talk.get()
        assert (getattr(caught.value, "body", ...), len(talk.asked)) == (body, 1)
        assert "unauthorized" not in repr(caught.value), "a body may repeat what was sent"


async def test_a_refusal_that_is_cut_off_is_one_all_the_same() -> None:
    async def refused(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=401, headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"error": "un')
        assert request.transport
        request.transport.close()
        return response

    async with talking(refused) as talk:
        with pytest.raises(Unauthorized) as caught:
            await talk.get()
        assert (caught.value.body, len(talk.asked)) == (None, 1)


async def test_another_refusal_comes_with_its_body() -> None:
    async with talking(said(422, {"message": "start after end"})) as talk:
        with pytest.raises(RequestRefused) as caught:
            await talk.get()
        assert (caught.value.status, caught.value.body) == (422, {"message": "start after end"})


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_a_refused_login_comes_with_its_body(status: int) -> None:
    async with talking(said(status, {"error": "invalid_grant"})) as talk:
        with pytest.raises(RequestRefused) as caught:
            await talk.client.post_once("/oauth/token", form={"a": 1})
        assert (caught.value.status, caught.value.body) == (status, {"error": "invalid_grant"})


async def test_a_refused_login_without_json_has_no_body() -> None:
    async with talking(raw("<html>", "text/html", 403)) as talk:
        with pytest.raises(RequestRefused) as caught:
            await talk.client.post_once("/oauth/token", form={"a": 1})
        assert (caught.value.status, caught.value.body) == (403, None)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (said(200, 1), None),
        (said(500), ServerFailed),
        (said(504), AnswerLost),
        (said(429), Throttled),
        (cut, AnswerLost),
        (raw("<", "text/html"), Malformed),
        (raw('{"access_token": "ey'), NoToken),
        (raw(b" " * 10_001), AnswerLost),
        (said(400), RequestRefused),
    ],
)
async def test_each_exchange_is_counted_by_its_outcome(
    answer: Answer, error: type[PlatformError] | None
) -> None:
    outcome = error.reason if error else "ok"
    counter = metrics.REQUESTS.labels("acme", "p", outcome)
    before = counter._value.get()
    async with talking(answer) as talk:
        try:
            await talk.client.post_once("/x", json={})
        except PlatformError as caught:
            assert type(caught) is error
    assert counter._value.get() == before + 1


async def test_how_long_a_platform_asks_to_be_left_alone_is_added_up() -> None:
    counter = metrics.THROTTLE_WAIT.labels("acme", "p")
    before = counter._value.get()
    asked = said(429, Retry_After="20"), said(429, Retry_After="5"), said(429), said(200, 1)
    async with talking(*asked) as talk:
        await talk.get()
    assert counter._value.get() - before == 25


async def test_an_exchange_that_is_given_up_counts_as_one_that_ended() -> None:
    async def drips(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(60)
        raise AssertionError(request)

    async with talking(drips) as talk:
        asking = asyncio.create_task(talk.client.post_once("/token", form={"a": 1}))
        while not talk.asked:
            await asyncio.sleep(0.01)
        assert talk.client.exchanges == 0
        asking.cancel()
        await asyncio.wait([asking])
        assert talk.client.exchanges == 1, "the watchdog's sign that a tick gets on"


async def test_a_platform_that_is_not_there_is_told_in_words() -> None:
    async with talking(said(200)) as talk:
        url = talk.url
    port = URL(url).port
    client = Client(url, talk.clock, tenant="acme", platform="p", concurrency=1)
    async with client:
        with pytest.raises(Unreachable) as caught:
            await client.get("/x", None, bears(BEARER))
    assert str(caught.value) == f"GET 127.0.0.1:{port}/x: cannot be reached: Connection refused"
