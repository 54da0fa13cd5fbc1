"""The fake DeviceHive logs in, refreshes, expires, locks and refuses for real."""

import asyncio
import hashlib
import hmac
from base64 import urlsafe_b64decode
from datetime import timedelta

import pytest
from aiohttp import web
from simulated_devicehive import NOW, payload, playing

from harvester.simulator.devicehive_quirks import Switches, bad_gateway
from harvester.simulator.faults import Answer, Fault
from harvester.simulator.world import millis


@pytest.mark.parametrize("path", ["/api/rest/token", "/auth/rest/token"])
async def test_every_user_logs_in_at_either_service(path: str) -> None:
    async with playing() as play:
        for user in play.fake.world.users("acme"):
            body = {"login": user.name, "password": user.password}
            async with play.http.post(play.fake.url + path, json=body) as answer:
                assert answer.status == 201
                tokens = await answer.json()
            assert tokens.keys() == {"accessToken", "refreshToken"}
            assert (await play.get("/device", tokens["accessToken"]))[0] == 200
        assert play.fake.token_calls == {"password": 3}
        assert play.fake.violations == []


async def test_a_token_is_signed_with_the_bytes_that_the_secret_is_in_base64() -> None:
    async with playing() as play:
        access, _ = await play.pair()
        text, _, seal = access.rpartition(".")
        assert access.startswith("eyJhbGciOiJIUzI1NiJ9.")
        key = bytes.fromhex("75ebe271e862")
        expected = hmac.new(key, text.encode(), hashlib.sha256).digest()
        assert urlsafe_b64decode(seal + "=") == expected


@pytest.mark.parametrize(
    ("changes", "status", "message"),
    [
        ({"password": "no"}, 401, "Invalid credentials"),
        ({"login": "eve"}, 401, "User with login = eve not found or bad password"),
        ({"login": " "}, 400, "Invalid or empty authorization request parameters"),
        ({"password": ""}, 400, "Invalid or empty authorization request parameters"),
        ({"password": None}, 400, "Invalid or empty authorization request parameters"),
        ({"password": 7}, 400, "Invalid request parameters"),
    ],
)
async def test_a_login_is_refused_in_the_platforms_words(
    changes: dict[str, object], status: int, message: str
) -> None:
    async with playing() as play:
        assert await play.login(**changes) == (status, {"error": status, "message": message})


async def test_a_body_is_json_whether_it_says_so_or_not() -> None:
    async with playing() as play:
        url = f"{play.fake.url}/auth/rest/token"
        for body, kind, status in (
            (b"{", "application/json", 400),
            (b"[1]", "application/json", 400),
            (b"login=ana", "application/x-www-form-urlencoded", 415),
            (b'{"login": "eve", "password": "x"}', None, 401),
        ):
            headers = {"Content-Type": kind} if kind else None
            skipped = None if kind else ["Content-Type"]
            async with play.http.post(
                url, data=body, headers=headers, skip_auto_headers=skipped
            ) as answer:
                assert answer.status == status


async def test_ten_wrong_passwords_in_a_row_lock_an_account() -> None:
    async with playing() as play:
        for n in range(18):
            assert (await play.login(password=f"typo {n}"))[0] == 401
            if n == 8:
                _, refresh = await play.pair()  # and the count begins anew
        assert (await play.login())[0] == 201
        for n in range(20, 30):
            assert (await play.login(password=f"typo {n}"))[0] == 401
        locked = {"error": 401, "message": "User is locked or disabled"}
        assert await play.login() == (401, locked)
        assert (await play.refresh(refresh))[0] == 401
        assert play.fake.violations == [f"{play.ana.name} was locked out by wrong passwords"]
        play.fake.enable(play.ana.name)
        assert (await play.login())[0] == 201


async def test_a_rejected_password_tried_again_is_noticed() -> None:
    async with playing() as play:
        await play.login(password="typo")
        await play.login(password="other typo")
        assert play.fake.violations == []
        await play.login(password="typo")
        assert play.fake.violations == [f"rejected password tried again for {play.ana.name}"]


async def test_a_refresh_gives_an_access_token_alone_and_spends_nothing() -> None:
    async with playing() as play:
        access, refresh = await play.pair()
        for _ in range(3):
            status, body = await play.refresh(refresh)
            assert status == 201 and body.keys() == {"accessToken"}
            assert (await play.get("/device", body["accessToken"]))[0] == 200
        assert (await play.get("/device", access))[0] == 200
        assert play.fake.token_calls == {"password": 1, "refresh_token": 3}


async def test_tokens_expire_on_the_worlds_clock() -> None:
    async with playing() as play:
        access, refresh = await play.pair()
        play.clock.advance(timedelta(minutes=30))
        assert (await play.get("/device", access))[0] == 200
        play.clock.advance(timedelta(milliseconds=1))
        status, body = await play.get("/device", access)
        assert (status, body["status"], body["message"]) == (401, 401, "Token expired")
        assert body["error"] == "Unauthorized"
        play.clock.advance(timedelta(days=182))
        expired = {"error": 401, "message": "Token has expired"}
        assert await play.refresh(refresh) == (401, expired)


async def test_what_is_no_refresh_token_is_refused_in_the_containers_words() -> None:
    async with playing() as play:
        access, refresh = await play.pair()
        assert await play.refresh(access) == (401, {"error": 401, "message": "Invalid token type"})
        for odd in ("garbage", refresh[:-2], f"{refresh}x"):
            status, body = await play.refresh(odd)
            assert (status, body["error"], body["status"]) == (401, "Unauthorized", 401)
        assert (await play.refresh(None))[0] == 500


async def test_a_bearer_with_a_login_is_looked_at_first_and_noticed() -> None:
    async with playing() as play:
        access, refresh = await play.pair()
        assert (await play.post("/refresh", {"refreshToken": refresh}, access))[0] == 201
        play.clock.advance(timedelta(hours=1))
        assert (await play.post("/refresh", {"refreshToken": refresh}, access))[0] == 401
        noticed = "a bearer was sent with POST /auth/rest/token/refresh"
        assert play.fake.violations == [noticed, noticed]


async def test_refreshes_of_one_account_that_overlap_are_noticed() -> None:
    both_are_in = asyncio.Barrier(2)

    async def meet(request: web.Request, honest: Answer) -> web.StreamResponse:
        await both_are_in.wait()
        return await honest(request)

    async with playing() as play:
        _, refresh = await play.pair()
        play.fake.faults.add(Fault(match="/token/refresh", kind=meet, times=None))
        await asyncio.gather(*(play.refresh(refresh) for _ in range(2)))
        assert play.fake.violations == [f"overlapping refreshes of {play.ana.name}"]


async def test_a_proxy_says_in_json_that_is_called_html_that_it_waits() -> None:
    async with playing() as play:
        play.fake.faults.add(Fault("POST ", bad_gateway()))
        async with play.http.post(f"{play.fake.url}/auth/rest/token", json={}) as answer:
            assert (answer.status, answer.content_type) == (502, "text/html")
            assert '"Bad Gateway"' in await answer.text()


@pytest.mark.parametrize(
    ("switches", "kind", "words"),
    [
        (Switches(version="4.1.0"), "application/json", '"message": ""'),
        (Switches(container_body="empty"), "application/octet-stream", ""),
        (Switches(container_body="html"), "text/html", "<h1>Unauthorized</h1>"),
    ],
)
async def test_the_container_has_other_words_elsewhere(
    switches: Switches, kind: str, words: str
) -> None:
    async with playing(switches) as play:
        url, body = f"{play.fake.url}/auth/rest/token/refresh", {"refreshToken": "garbage"}
        async with play.http.post(url, json=body) as answer:
            assert (answer.status, answer.content_type) == (401, kind)
            assert words in await answer.text()


async def test_the_platforms_clock_may_be_wrong() -> None:
    async with playing(Switches(clock_skew=timedelta(hours=2))) as play:
        access, _ = await play.pair()
        assert payload(access)["e"] == millis(NOW) + (2 * 3600 + 1800) * 1000
        _, body = await play.get("/info", None)
        assert (body["apiVersion"], body["serverTimestamp"]) == ("3.5.0", "2026-03-04T12:30:00.000")
