"""The client against a real server on loopback: what is sent, when, how often, and to whom."""

import asyncio
import traceback
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from aiohttp import web
from exchanged import (
    BEARER,
    START,
    Answer,
    cut,
    garbage,
    hang,
    raw,
    said,
    self_signed,
    talking,
)

from harvester import client as room
from harvester.errors import (
    Malformed,
    PlatformError,
    RequestRefused,
    ServerFailed,
    Throttled,
    Unauthorized,
    Unreachable,
)

A_LITTLE_LATER = format_datetime(START + timedelta(seconds=15), usegmt=True)
LATER = format_datetime(START + timedelta(seconds=20), usegmt=True)
MUCH_LATER = format_datetime(START + timedelta(hours=2), usegmt=True)


@pytest.mark.parametrize("failure", [said(500), said(502), said(503), said(429), cut])
async def test_a_read_is_repeated_after_a_passing_failure(failure: Answer) -> None:
    async with talking(failure, failure, said(200, "well")) as talk:
        assert await talk.get() == "well"
        assert len(talk.asked) == 3
        assert 3 <= talk.clock.passed <= 5  # 1 s and 2 s, and some chance on each


async def test_a_lasting_failure_is_raised_after_a_few_tries() -> None:
    async with talking(said(500)) as talk:
        with pytest.raises(ServerFailed):
            await talk.get()
        assert len(talk.asked) == 4


@pytest.mark.parametrize("asked", ["20", LATER])
async def test_a_short_retry_after_is_honoured_in_both_forms(asked: str) -> None:
    async with talking(said(429, Retry_After=asked), said(200, 1)) as talk:
        assert await talk.get() == 1
        assert 20 <= talk.clock.passed <= 22


@pytest.mark.parametrize(("date", "seconds"), [(A_LITTLE_LATER, 5), ("", 20), ("soon", 20)])
async def test_a_date_is_by_the_platforms_clock_where_it_tells_one(date: str, seconds: int) -> None:
    async with talking(said(429, Retry_After=LATER, Date=date), said(200, 1)) as talk:
        assert await talk.get() == 1
        assert seconds <= talk.clock.passed <= seconds + 2


async def test_what_one_read_was_asked_for_is_asked_of_all_but_of_no_login() -> None:
    async with talking(said(429, Retry_After="3600"), said(200, 1)) as talk:
        for path in ("/x", "/y"):
            with pytest.raises(Throttled):
                await talk.get(path)
        assert await talk.client.post_once("/token", form={"a": 1}) == 1
        assert [request.path for request in talk.asked] == ["/x", "/token"]
        talk.clock.advance(timedelta(hours=1))
        assert await talk.get("/y") == 1


async def test_a_clock_that_is_set_back_makes_no_patience_longer() -> None:
    async with talking(said(429, Retry_After="3600"), said(200, 1)) as talk:
        with pytest.raises(Throttled):
            await talk.get()
        talk.clock._now -= timedelta(days=1)
        assert await talk.get() == 1


@pytest.mark.parametrize(
    ("status", "asked", "seconds"),
    [(429, "3600", 3600), (503, "3600", 3600), (429, MUCH_LATER, 7200), (429, "9" * 4000, 1e9)],
)
async def test_a_long_retry_after_is_handed_on_at_once(
    status: int, asked: str, seconds: float
) -> None:
    async with talking(said(status, Retry_After=asked)) as talk:
        with pytest.raises(Throttled) as caught:
            await talk.get()
        assert caught.value.retry_after == timedelta(seconds=seconds)
        assert len(talk.asked) == 1


async def test_reads_are_not_repeated_beyond_patience() -> None:
    async with talking(said(429, Retry_After="25")) as talk:
        with pytest.raises(Throttled):
            await talk.get()
        assert len(talk.asked) == 3
        assert talk.clock.passed <= 60


@pytest.mark.parametrize("asked", ["soon", "-5", "1.5", "", "Thu, 32 Foo 2026"])
async def test_an_unreadable_retry_after_is_as_good_as_none(asked: str) -> None:
    async with talking(said(429, Retry_After=asked), said(200, 1)) as talk:
        assert await talk.get() == 1
        assert 1 <= talk.clock.passed <= 2


async def test_a_redirect_is_not_followed() -> None:
    async with talking(said(302, Location="/elsewhere"), said(200)) as talk:
        with pytest.raises(RequestRefused) as caught:
            await talk.get()
        assert caught.value.status == 302
        assert [request.path for request in talk.asked] == ["/x"]


@pytest.mark.parametrize("target", ["https://evil.example/x", "http://127.0.0.1:1/x"])
async def test_a_token_does_not_travel_to_another_host(target: str) -> None:
    async with talking(said(200)) as talk:
        with pytest.raises(RequestRefused, match="another host"):
            await talk.get(target)
        assert talk.asked == []


@pytest.mark.parametrize("path", ["@evil.example/x", ".evil.example/x", ":1/x"])
async def test_a_path_cannot_name_another_host(path: str) -> None:
    async with talking(said(200)) as talk:
        await talk.get(path)
        assert [request.raw_path for request in talk.asked] == [f"/{path}"]


async def test_nothing_is_sent_in_the_clear_to_another_machine() -> None:
    async with talking(said(200)) as talk:
        with pytest.raises(RequestRefused, match="TLS"):
            await talk.client.post_once("http://auth.example/token", form={"password": "hunter2"})


@pytest.mark.parametrize("bearer", ["", "a\r\nX-Evil: 1", "tökèn"])
async def test_a_token_that_cannot_be_a_header_is_as_good_as_refused(bearer: str) -> None:
    async with talking(said(200)) as talk:
        with pytest.raises(Unauthorized):
            await talk.get(bearer=bearer)
        assert talk.asked == []


async def test_one_account_does_not_carry_anothers_cookie() -> None:
    # A cookie of a bare address would not be kept by anybody.
    async with talking(said(200, Set_Cookie="session=ana"), host="localhost") as talk:
        await talk.get()
        await talk.get()
        assert "Cookie" not in talk.asked[1].headers


async def test_no_more_requests_are_under_way_than_there_are_slots() -> None:
    arrived, gate, most = asyncio.Semaphore(0), asyncio.Event(), 0

    async def held(_: web.Request) -> web.StreamResponse:
        nonlocal most
        most += not gate.is_set()
        arrived.release()
        await gate.wait()
        return web.json_response(1)

    async with talking(held, concurrency=2) as talk, talking(said(200)) as bystander:
        asking = asyncio.gather(*(talk.get() for _ in range(20)))
        for _ in range(2):
            await arrived.acquire()
        for _ in range(5):  # in the time of these whoever could come would have come
            await bystander.get()
        gate.set()
        assert await asking == [1] * 20
    assert most == 2


async def test_the_time_of_a_request_does_not_run_while_it_waits_for_a_slot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room.sessions, "WHOLE_SECONDS", 0.1)
    monkeypatch.setattr(room, "TRIES", 1)
    async with talking(hang, said(200, "well"), concurrency=1) as talk:
        hanging, waiting = (asyncio.create_task(talk.get()) for _ in range(2))
        with pytest.raises(Unreachable):
            await hanging
        assert await waiting == "well"


@pytest.mark.parametrize("limit", ["READ_SECONDS", "CALL_SECONDS"])
async def test_a_platform_that_hangs_is_unreachable(
    monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(room.sessions, limit, 0.05)
    async with talking(hang) as talk:
        with pytest.raises(Unreachable):
            await talk.client.post_once("/token", form={"a": 1})


async def test_a_certificate_that_nobody_vouches_for_is_not_spoken_to(tmp_path: Path) -> None:
    async with talking(said(200), tls=self_signed(tmp_path)) as talk:
        with pytest.raises(Unreachable, match="certificate"):
            await talk.client.post_once("/token", form={"password": "hunter2"})
        assert talk.asked == []


@pytest.mark.parametrize("answer", [said(500), said(400), cut, garbage, raw("<html>")])
async def test_no_error_shows_a_token_or_a_password(answer: Answer) -> None:
    async with talking(answer) as talk:
        secret = {"password": "hunter2", "token": BEARER}
        for exchange in (talk.get("/x?p=hunter2"), talk.client.post_once("/token", form=secret)):
            with pytest.raises(PlatformError) as caught:
                await exchange
            error: BaseException | None = caught.value
            shown = "".join(traceback.format_exception(caught.value))
            while error:
                shown += repr(error)
                error = error.__cause__ or error.__context__
            assert "hunter2" not in shown
            assert BEARER not in shown


async def test_nothing_is_shown_of_a_token_answer_that_was_cut() -> None:
    async with talking(raw(f'{{"access_token": "{BEARER}", "refr')) as talk:
        with pytest.raises(Malformed) as caught:
            await talk.client.post_once("/token", form={"a": 1})
        assert caught.value.excerpt == ""
