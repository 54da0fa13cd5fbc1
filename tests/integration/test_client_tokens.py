"""The client against a real server on loopback: token calls, and the token of a read."""

import asyncio

import pytest
from aiohttp import web
from befallen import Gate
from exchanged import BEARER, Answer, cut, garbage, raw, said, talking

from harvester.client import Client, sessions
from harvester.errors import AnswerLost, PlatformError, ServerFailed, Throttled, Unreachable


async def test_a_login_is_sent_as_a_form_that_survives_any_password() -> None:
    async with talking(said(200, {"access_token": "x"})) as talk:
        form = {"username": "ops@acme.example", "password": "p&w+ %41=Grüße€"}
        assert await talk.client.post_once("/oauth/token", form=form) == {"access_token": "x"}
        assert talk.asked[0].content_type == "application/x-www-form-urlencoded"
        assert talk.bodies == [
            "username=ops%40acme.example&password=p%26w%2B+%2541%3DGr%C3%BC%C3%9Fe%E2%82%AC"
        ]


@pytest.mark.parametrize(
    ("failure", "error"),
    [(said(500), ServerFailed), (said(429), Throttled), (cut, AnswerLost), (said(504), AnswerLost)],
)
async def test_what_is_sent_once_is_never_sent_again(
    failure: Answer, error: type[PlatformError]
) -> None:
    async with talking(failure, said(200)) as talk:
        with pytest.raises(error) as caught:
            await talk.client.post_once(f"{talk.url}/oauth/token", form={"a": 1})
        assert type(caught.value) is error
        assert len(talk.asked) == 1


async def test_what_was_never_sent_has_no_answer_to_lose() -> None:
    async with talking(said(200)) as talk:
        url = talk.url
    async with Client(url, talk.clock, tenant="acme", platform="p", concurrency=1) as client:
        with pytest.raises(Unreachable) as caught:
            await client.post_once("/oauth/token", form={"a": 1})
        assert not isinstance(caught.value, AnswerLost)
        assert not await client.answers("/oauth/token")


@pytest.mark.parametrize("answer", [*map(said, (200, 404, 405, 429, 500)), raw("<"), cut])
async def test_who_says_anything_of_its_own_is_there(answer: Answer) -> None:
    async with talking(answer) as talk:
        assert await talk.client.answers("/oauth/token")
        [asked] = talk.asked
        assert asked.method == "GET" and "Authorization" not in asked.headers


@pytest.mark.parametrize("answer", [*map(said, (502, 503, 504)), garbage])
async def test_a_proxy_that_finds_nobody_speaks_for_nobody(answer: Answer) -> None:
    async with talking(answer) as talk:
        assert not await talk.client.answers("/oauth/token")


async def test_whoever_is_silent_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "CONNECT_SECONDS", 0.05)
    gate = Gate()
    async with talking(lambda request: gate(request, said(200))) as talk:
        assert not await talk.client.answers("/oauth/token")
        gate.open.set()


async def test_what_is_asked_of_a_look_at_the_token_endpoint_is_asked_of_no_read() -> None:
    async with talking(said(429, Retry_After="3600"), said(200, 1)) as talk:
        assert await talk.client.answers("/oauth/token")
        assert await talk.get() == 1
        assert talk.clock.passed == 0


async def test_a_token_that_dies_in_a_wait_is_not_sent() -> None:
    given = iter(["first", "second"])

    async def bearer() -> str:
        return next(given)

    async with talking(said(429, Retry_After="20"), said(200, 1)) as talk:
        assert await talk.client.get("/x", None, bearer) == 1
        sent = [request.headers["Authorization"] for request in talk.asked]
        assert sent == ["Bearer first", "Bearer second"]


async def test_a_read_that_waits_for_a_slot_is_given_its_token_when_it_has_one() -> None:
    gate, order = asyncio.Event(), list[str]()

    async def held(_: web.Request) -> web.StreamResponse:
        order.append("arrived")
        await gate.wait()
        return web.json_response(1)

    async def bearer() -> str:
        order.append("asked for")
        return BEARER

    async with talking(held, said(200, 1), concurrency=1) as talk:
        reads = asyncio.gather(*(talk.client.get("/x", None, bearer) for _ in range(2)))
        while not talk.asked:
            await asyncio.sleep(0)
        assert await talk.client.post_once("/token", form={"a": 1}) == 1  # which takes no slot
        assert order == ["asked for", "arrived"]
        gate.set()
        assert await reads == [1, 1]
    assert order == ["asked for", "arrived", "asked for"]


async def test_a_login_goes_over_a_connection_of_its_own() -> None:
    """A kept one may be dead, and then nobody knows whether a refresh token was used."""
    async with talking(said(200)) as talk:
        for _ in range(2):
            await talk.get()
            await talk.client.post_once("/oauth/token", form={"a": 1})
        assert talk.ports[0] == talk.ports[2]
        assert len(set(talk.ports)) == 3
